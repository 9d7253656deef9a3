package sdk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// What disgo cannot decode does not cost the rest of a chunk.
func TestMembersThatDisgoCannotDecode(t *testing.T) {
	chunks := [][]byte{
		[]byte(`{"guild_id":"3","chunk_index":0,"chunk_count":2,"not_found":["9"],"members":[{"user":{"id":"1"},"roles":["7"]}],
			"presences":[{"user":{"id":"1"},"status":"online","activities":[{"name":"x","type":0,"buttons":["Watch"]}]}]}`),
		[]byte(`{"guild_id":"3","chunk_index":1,"chunk_count":2,"members":[{"user":{"id":"2"},"flags":"many"},{"user":{"id":"3"}}]}`),
	}
	m, err := decodeMembers(chunks)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Members) != 2 || m.Members[0].User.ID != "1" || *m.Members[0].Roles[0] != "7" || m.Members[1].User.ID != "3" {
		t.Errorf("members %+v", m.Members)
	}
	if len(m.Presences) != 1 || *m.Presences[0].Activities[0].Buttons[0].Label != "Watch" || len(m.NotFound) != 1 || m.NotFound[0] != "9" {
		t.Errorf("presences %+v, not found %v", m.Presences, m.NotFound)
	}
	if len(m.Raw) != 2 || string(m.Raw[1]) != string(chunks[1]) {
		t.Errorf("raw %s", m.Raw)
	}
	if _, err := decodeMembers([][]byte{[]byte(`[]`)}); err == nil || !strings.HasPrefix(err.Error(), "decode the host's answer: ") {
		t.Errorf("a list was taken for a chunk: %v", err)
	}
}

// oldHost does not know the call.
type oldHost struct{ guildHost }

func (*oldHost) Members(context.Context, *wire.MembersRequest, ...grpc.CallOption) (*wire.MembersResponse, error) {
	return nil, status.Error(codes.Unimplemented, "unknown method Members")
}

func TestHostsWithoutTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lineTo(t, new(guildHost))
		l.host = new(oldHost)
		_, err := botOf(l, "E", 1, 0).RequestMembers(t.Context(), "1", MembersRequest{})
		if want := "request members of guild 1: this host does not do that: run a newer one"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}
