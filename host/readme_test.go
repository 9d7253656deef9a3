package host_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host"
)

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestReadmeShowsHello compares the program in the README with examples/hello.
func TestReadmeShowsHello(t *testing.T) {
	_, after, found := strings.Cut(read(t, "../README.md"), "```go\n")
	shown, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatal("README.md shows no Go program")
	}
	hello := read(t, "../examples/hello/main.go")
	at := strings.Index(hello, "func main() {")
	if at < 0 {
		t.Fatal("examples/hello has no main")
	}
	if got, want := strings.TrimSpace(shown), strings.TrimSpace(hello[at:]); got != want {
		t.Errorf("README.md shows\n%s\nbut examples/hello is\n%s", got, want)
	}
}

// TestReadmeNamesEverySetting holds the README's table against the settings.
func TestReadmeNamesEverySetting(t *testing.T) {
	readme := read(t, "../README.md")
	settings := reflect.TypeFor[host.Settings]()
	for field := range settings.Fields() {
		for _, tag := range []string{"yaml", "name"} {
			name := field.Tag.Get(tag)
			if name == "" {
				continue
			}
			if tag == "name" {
				name = "--" + name
			}
			if !strings.Contains(readme, "`"+name+"`") && !strings.Contains(readme, "\n"+name+":") {
				t.Errorf("README.md does not name the setting %s", name)
			}
		}
	}
}
