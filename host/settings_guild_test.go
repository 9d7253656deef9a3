package host

import (
	"strings"
	"testing"
)

func TestGuildIDs(t *testing.T) {
	var g GuildID
	if err := g.UnmarshalText([]byte("613425648685547541")); err != nil || g != 613425648685547541 || g.String() != "613425648685547541" {
		t.Errorf("%d %s %v", g, g, err)
	}
	for _, text := range []string{"", "0", "-1", "reef", "1e18", "99999999999999999999"} {
		if err := g.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "Copy Server ID") || g != 613425648685547541 {
			t.Errorf("%q: %d %v", text, g, err)
		}
	}
	if none := GuildID(0); none.String() != "" {
		t.Errorf("no guild is %q", none)
	}
}
