package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	for name, test := range map[string]struct {
		file    string // its contents, if there is one
		environ string // DISCORD_TOKEN's, if it is set
		want    string
	}{
		"environment":              {environ: "abc.def-1_2", want: "abc.def-1_2"},
		"file":                     {file: "abc", want: "abc"},
		"white space":              {file: "\n  abc\r\n\t", want: "abc"},
		"prefix":                   {file: "Bot abc\n", want: "abc"},
		"prefix in environment":    {environ: " Bot  abc ", want: "abc"},
		"byte order mark":          {file: "\ufeffabc", want: "abc"},
		"both, the same":           {file: "abc\n", environ: "Bot abc", want: "abc"},
		"empty environment counts": {file: "abc", environ: "  ", want: "abc"},
		"a token that begins so":   {environ: "Botabc", want: "Botabc"},
	} {
		t.Run(name, func(t *testing.T) {
			s, environ := given(t, test.file, test.environ)
			if got, err := s.Token(environ); err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestTokenFaultsTellTheRemedyAndNoSecret(t *testing.T) {
	const secret = "s3cr3t"
	for name, test := range map[string]struct{ file, environ, want string }{
		"none":            {want: "no bot token: set DISCORD_TOKEN, or give a file that holds it with --token-file"},
		"blank":           {environ: " ", want: "no bot token"},
		"empty file":      {file: " \n", want: "is empty: put the bot's token there"},
		"prefix alone":    {environ: "Bot ", want: "DISCORD_TOKEN is empty"},
		"two lines":       {file: secret + "\nother", want: "holds more than one token"},
		"control":         {environ: secret + "\x07", want: "holds more than one token, or characters that no token has"},
		"not ASCII":       {environ: secret + "é", want: "characters that no token has"},
		"delete":          {environ: secret + "\x7f", want: "characters that no token has"},
		"different":       {file: secret, environ: "another", want: "hold different tokens: unset DISCORD_TOKEN"},
		"something large": {file: strings.Repeat(secret, secretLimit), want: "is longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s, environ := given(t, test.file, test.environ)
			got, err := s.Token(environ)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %q, %v, want %q", got, err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

func TestTokenFileMustBePrivate(t *testing.T) {
	path := write(t, "token", "abc")
	for mode, private := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: false, 0o604: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Settings{TokenFile: path}.Token(nil)
		if private && err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		if !private && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path)) {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestTokenFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := (Settings{TokenFile: filepath.Join(dir, "none")}).Token(nil); err == nil || !strings.Contains(err.Error(), "is missing: write the bot's token into it") {
		t.Errorf("missing: %v", err)
	}
	if _, err := (Settings{TokenFile: dir}).Token(nil); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
	if os.Getuid() == 0 {
		return // root reads everything
	}
	path := write(t, "token", "abc")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := (Settings{TokenFile: path}).Token(nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("unreadable: %v", err)
	}
}

func TestPluginEnv(t *testing.T) {
	file := write(t, "env", "# comment\n\nA=1\nexport B = two words \nC=\"quoted\"\nD='it''s'\nE=a=b#c\nF=\r\nG=\"\nH=$A\n")
	s := Settings{Plugins: map[string]PluginSettings{
		"hello": {EnvFile: file, Env: map[string]string{"A": "over", "Z": "z"}},
		"bad":   {EnvFile: write(t, "bad", "A\n1B=2\nC=\x00\nD=1\n")},
		"none":  {EnvFile: filepath.Join(t.TempDir(), "none")},
		"wrong": {Env: map[string]string{"A B": ""}},
	}}
	got, err := s.PluginEnv("hello")
	want := []string{"A=over", "B=two words", "C=quoted", "D=it''s", "E=a=b#c", "F=", "G=\"", "H=$A", "Z=z"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
	if got, err := s.PluginEnv("unknown"); err != nil || len(got) != 0 {
		t.Errorf("unknown: %q, %v", got, err)
	}
	if _, err := s.PluginEnv("bad"); err == nil || strings.Count(err.Error(), "\n") != 2 || !strings.Contains(err.Error(), "bad:2: ") {
		t.Errorf("bad: %v", err)
	}
	for _, name := range []string{"none", "wrong"} {
		if _, err := s.PluginEnv(name); err == nil || !strings.HasPrefix(err.Error(), "plugin "+name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// given makes settings with a token file of these contents and an environment.
func given(t *testing.T, file, environ string) (s Settings, all []string) {
	t.Helper()
	if file != "" {
		s.TokenFile = write(t, "token", file)
	}
	if environ != "" {
		all = []string{"DISCORD_TOKENS=no", "DISCORD_TOKEN=" + environ}
	}
	return s, all
}
