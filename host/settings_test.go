package host

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// changed returns settings in which every field differs from its default.
func changed() Settings {
	return Settings{
		PluginsDir: "/file/p", StateDir: "/file/s", Shards: Shards{Count: 3}, APIURL: "http://file/api/v10", TokenFile: "/file/t",
		LogLevel: "warn", LogFormat: "json", Compress: "none", Commands: "off", DevGuild: 1<<64 - 1, DenyIntents: 1<<1 | 1<<15,
		DrainTimeout: time.Minute, HandlerTimeout: 2 * time.Minute,
		CacheKeep: KeepLists{"channel": {"name", "topic"}, "role": {"name"}}, CachePeople: 2, Warm: "all",
		CacheIdle: 3 * time.Minute, CacheBytes: 1 << 30, GuardRate: 2.5, GuardBurst: 20, GuildWait: 4 * time.Second,
		GuardReserve: 4, GuardPatience: 5 * time.Second, GuardConcurrency: 6, GuardWaiting: 7, GuardBackoffMin: 8 * time.Second, GuardBackoffMax: 9 * time.Second,
		GuardRemembered: 10, GuardWindow: 11 * time.Second, GuardFailures: 12, GuardOpenMin: 13 * time.Second, GuardOpenMax: 14 * time.Second, GuardInvalid: 15,
		Metrics: "127.0.0.1:9464", GlobalRate: 60, RestProxy: "127.0.0.1:8080", RestProxyReach: "any",
		Journal: "memory", JournalBytes: 512 << 10, JournalAge: 5 * time.Minute,
	}
}

// text is the textual form of one field.
func text(t *testing.T, f settingField, s Settings) string {
	t.Helper()
	switch v := reflect.ValueOf(s).FieldByIndex(f.index).Interface().(type) {
	case string:
		return v
	case interface{ String() string }:
		return v.String()
	default:
		t.Fatalf("setting %s has a type without text: %T", f.key, v)
		return ""
	}
}

func TestEverySettingHasAllItsForms(t *testing.T) {
	defaults, other := Settings{}.WithDefaults(), changed()
	for f := range settingFields() {
		t.Run(f.key, func(t *testing.T) {
			field := reflect.TypeFor[Settings]().FieldByIndex(f.index)
			if f.key == "" || field.Tag.Get("name") == "" || field.Tag.Get("help") == "" {
				t.Errorf("%s has no key, flag or help", field.Name)
			}
			if f.fallback != "" {
				got := text(t, f, defaults) // a duration tells also the smaller units: 15m0s
				if short := strings.TrimSuffix(strings.TrimSuffix(got, "0s"), "0m"); got != f.fallback && short != f.fallback {
					t.Errorf("default is %q, its tag says %q", got, f.fallback)
				}
			}
			if text(t, f, defaults) == text(t, f, other) {
				t.Errorf("the tests' settings do not change %s", f.key)
			}
		})
	}
	if err := defaults.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	if err := other.Validate(); err != nil {
		t.Errorf("changed: %v", err)
	}
	if err := (Settings{}).Validate(); err != nil {
		t.Errorf("zero: %v", err)
	}
	if got := other.WithDefaults(); !reflect.DeepEqual(got, other) {
		t.Errorf("defaults replaced what was set: %+v", got)
	}
}

// Each setting is given in the file, then also in the environment, then also as
// a flag: the last one wins each time, and no other setting moves.
func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	inFile := changed()
	for f := range settingFields() {
		t.Run(f.key, func(t *testing.T) {
			file := write(t, "s.yaml", f.key+": "+text(t, f, inFile)+"\n")
			want := Settings{}.WithDefaults()
			want = want.With(inFile, f.key)
			got, err := LoadSettings(file, []string{"PATH=/bin"})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("file: got %+v, %v", got, err)
			}

			value := map[string]string{
				"shards": "7", "api_url": "http://env/api/v9", "log_level": "trace", "log_format": "text",
				"compress": "zlib-stream", "commands": "exclusive", "dev_guild": "5", "deny_intents": "GUILD_PRESENCES", "drain_timeout": "7s", "handler_timeout": "8s",
				"cache_idle": "9s", "cache_bytes": "64KiB", "guard_rate": "0.5", "guard_burst": "1", "guild_wait": "6s",
				"guard_reserve": "2", "guard_patience": "2s", "guard_concurrency": "2", "guard_waiting": "2", "guard_backoff_min": "2s", "guard_backoff_max": "2s",
				"guard_remembered": "2", "guard_window": "2s", "guard_failures": "2", "guard_open_min": "2s", "guard_open_max": "2s", "guard_invalid": "2", "metrics": "[::1]:0", "global_rate": "40", "rest_proxy": "[::1]:1", "rest_proxy_reach": "any",
				"cache_keep": "emoji=name", "cache_people": "presences", "warm": "active",
				"journal": "memory", "journal_bytes": "524289", "journal_age": "1s",
			}[f.key]
			if value == "" {
				value = "/env"
			}
			got, err = LoadSettings(file, []string{"HOLDFAST_" + strings.ToUpper(f.key) + "=" + value})
			if err != nil || text(t, f, got) != value {
				t.Fatalf("environment: got %+v, %v", got, err)
			}

			// A flag that says the default again wins too.
			flags := Settings{}.WithDefaults()
			got = got.With(flags, f.key)
			if text(t, f, got) != text(t, f, flags) {
				t.Errorf("flag: got %+v", got)
			}
			if untouched := got.With(changed()); !reflect.DeepEqual(untouched, got) {
				t.Errorf("no key given, but changed: %+v", untouched)
			}
		})
	}
}

func TestSettingsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "holdfast.yaml")
	contents := `
# A comment, then every kind of value.
plugins_dir: bots
state_dir: /var/lib/holdfast
shards: 2
api_url: https://discord.com/api/v10/
drain_timeout: 1m30s
log_level: "debug"
plugins:
  hello:
    env:
      GREETING: hello there
      PORT: 8080
      OCTAL: 010
      DEBUG: true
      EMPTY: ""
      LINES: |
        one
        two
    env_file: secrets/hello.env
  other:
    env_file: /abs/other.env
`
	if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSettings(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		PluginsDir: filepath.Join(dir, "bots"), StateDir: "/var/lib/holdfast", Shards: Shards{Count: 2},
		DrainTimeout: 90 * time.Second, LogLevel: "debug",
		Plugins: map[string]PluginSettings{
			"hello": {
				Env:     map[string]string{"GREETING": "hello there", "PORT": "8080", "OCTAL": "010", "DEBUG": "true", "EMPTY": "", "LINES": "one\ntwo\n"},
				EnvFile: filepath.Join(dir, "secrets", "hello.env"),
			},
			"other": {EnvFile: "/abs/other.env"},
		},
	}.WithDefaults()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

func TestFaultsOfAFileAreToldAtOnceWithTheirLines(t *testing.T) {
	for name, test := range map[string]struct {
		contents string
		want     []string // after FILE:
	}{
		"unknown key": {"plugin_dir: x", []string{`1: unknown setting plugin_dir: did you mean plugins_dir?`}},
		"unlike any": {"zzzzzz: x", []string{
			`1: unknown setting zzzzzz: the settings here are api_url, cache_bytes, cache_idle, cache_keep, cache_people, commands, compress, deny_intents, dev_guild, drain_timeout, global_rate, guard_backoff_max, guard_backoff_min, guard_burst, guard_concurrency, guard_failures, guard_invalid, guard_open_max, guard_open_min, guard_patience, guard_rate, guard_remembered, guard_reserve, guard_waiting, guard_window, guild_wait, handler_timeout, journal, journal_age, journal_bytes, log_format, log_level, metrics, plugins, plugins_dir, rest_proxy, rest_proxy_reach, shards, state_dir, token_file, warm`,
		}},
		"a token": {"token: x", []string{`1: unknown setting token: `}},
		"many": {"\n# c\nshards: many\ncompress: gzip\n\ndrain_timeout: 30\nhandler_timeout: 0s\nlog_level:\napi_url: discord.com\n", []string{
			`3: setting shards: "many" is not a number of shards: give auto, a number from 1 on, or A-B/N for the shards A to B of N`,
			`4: setting compress: "gzip" is none of zstd-stream, zlib-stream, none`,
			`6: setting drain_timeout: "30" is not a duration: write it like 30s or 5m`,
			`7: setting handler_timeout: a duration must be longer than nothing: write it like 30s or 5m`,
			`8: setting log_level has no value: give one, or remove the line`,
			`9: setting api_url: "discord.com" is not a web address: write it like https://discord.com/api/v10`,
		}},
		"no version": {"api_url: https://discord.com/api", []string{`1: setting api_url: "https://discord.com/api" does not end with the API's version: write it like https://discord.com/api/v10`}},
		"negative":   {"drain_timeout: -1s\nshards: -1", []string{`1: setting drain_timeout: a duration must be`, `2: setting shards: "-1" is not a number`}},
		"too little": {"cache_bytes: 65535\ncache_idle: 999ms\njournal_bytes: 511KiB\njournal_age: 1ms\n", []string{
			`1: setting cache_bytes: 65535 is too little: give at least 64KiB`,
			`2: setting cache_idle: 999ms is too little: give at least 1s`,
			`3: setting journal_bytes: 511KiB is too little: give at least 512KiB`,
			`4: setting journal_age: 1ms is too little: give at least 1s`,
		}},
		"address":  {"metrics: 9464", []string{`1: setting metrics: "9464" is not an address: write it like 127.0.0.1:9464, or :9464 for all networks`}},
		"port":     {"metrics: localhost:65536", []string{`1: setting metrics: "localhost:65536" is not an address: write it like`}},
		"too much": {"guild_wait: 61s", []string{`1: setting guild_wait: 1m1s is too much: give at most 1m`}},
		"no quantity": {"cache_bytes: 1GB\njournal_bytes: 0\nguard_rate: 0\nguard_burst: 2.5\nguild_wait: 0s\njournal: ram\n", []string{
			`1: setting cache_bytes: "1GB" is not a size: write it like 64KiB, 256MiB or 1GiB`,
			`2: setting journal_bytes: "0" is not a size: write it like`,
			`3: setting guard_rate: "0" is not a number a second: write it like 5 or 0.5`,
			`4: setting guard_burst: "2.5" is not a number from 1 on: write it like 10`,
			`5: setting guild_wait: a duration must be longer than nothing`,
			`6: setting journal: "ram" is none of disk, memory`,
		}},
		"twice":        {"shards: 1\nshards: 2", []string{`2: shards is already set in line 1: remove one`}},
		"folder":       {"plugins: ./plugins", []string{`1: plugins holds settings by plugin name, not "./plugins": the folder is plugins_dir`}},
		"list":         {"- shards: 1", []string{`1: the file must hold lines like name: value`}},
		"list value":   {"shards: [1]", []string{`1: setting shards must be one plain value`}},
		"text":         {"hello", []string{`1: the file must hold lines like name: value`}},
		"not yaml":     {"a: b: c", []string{`1: not valid YAML: `}},
		"open quote":   {"shards: 1\nlog_level: \"inf", []string{`2: not valid YAML: `}},
		"tab":          {"plugins:\n\thello:\n", []string{`2: not valid YAML: `}},
		"documents":    {"shards: 1\n---\nshards: 2", []string{`2: a second document begins here: keep all settings in one, without ---`}},
		"alias":        {"plugins_dir: &a x\nstate_dir: *a", []string{`1: setting plugins_dir must be one plain value`, `2: setting state_dir must be one plain value`}},
		"plugin":       {"plugins:\n  hello: 3", []string{`2: plugins.hello must hold lines like name: value`}},
		"plugin key":   {"plugins:\n  hello:\n    environ: {}", []string{`3: unknown setting plugins.hello.environ: the settings here are env, env_file`}},
		"plugin twice": {"plugins:\n  hello: {}\n  hello: {}", []string{`3: plugins.hello is already set in line 2: remove one`}},
		"variable":     {"plugins:\n  hello:\n    env:\n      A-B: 1\n      C: [1]\n      D: {}", []string{`4: setting plugins.hello.env.A-B: "A-B" is not a name of an environment variable: use letters, digits and _`, `5: setting plugins.hello.env.C must be one plain value`, `6: setting plugins.hello.env.D must be one plain value`}},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "s.yaml", test.contents)
			_, err := LoadSettings(file, nil)
			if err == nil {
				t.Fatal("no fault was found")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(test.want) {
				t.Fatalf("got %d faults, want %d:\n%v", len(got), len(test.want), err)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(got[i], file+":"+want) {
					t.Errorf("got  %s\nwant %s:%s", got[i], file, want)
				}
			}
		})
	}
}

func TestWhatAFileMayBe(t *testing.T) {
	for name, contents := range map[string]string{
		"empty": "", "comment": "# nothing yet\n", "null": "~", "marker": "---\nshards: 1\n",
		"crlf": "shards: 1\r\nlog_level: info\r\n", "no plugins": "plugins:\n", "plugin without settings": "plugins:\n  hello:\n",
		"bom": "\ufeffshards: 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := LoadSettings(write(t, "s.yaml", contents), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := LoadSettings("", nil); err != nil || !reflect.DeepEqual(got, Settings{}.WithDefaults()) {
		t.Errorf("without holdfast.yaml: %+v, %v", got, err)
	}
	if _, err := LoadSettings("holdfast.yaml", nil); err == nil || !strings.Contains(err.Error(), "settings file holdfast.yaml is missing: create it") {
		t.Errorf("named, but missing: %v", err)
	}
	if _, err := LoadSettings(".", nil); err == nil || !strings.Contains(err.Error(), "give another --config") {
		t.Errorf("a folder: %v", err)
	}
	if err := os.WriteFile("holdfast.yaml", []byte("shards: 4"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSettings("", nil); err != nil || got.Shards.Count != 4 || got.PluginsDir != "./plugins" {
		t.Errorf("with holdfast.yaml: %+v, %v", got, err)
	}
}

func TestEnvironment(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.yaml")
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSettings(none, []string{
		"HOLDFAST_SHARDS=", "HOLDFAST_FULL=1", "HOLDFAST_PORT_80_TCP=tcp://10.0.0.1:80", "HOLDFAST_CONFIG=x", "SHARDS=3", "=x", "HOLDFAST_",
	})
	if err != nil || !reflect.DeepEqual(got, Settings{}.WithDefaults()) {
		t.Errorf("what is not ours: %+v, %v", got, err)
	}
	_, err = LoadSettings(none, []string{"HOLDFAST_SHARD=3", "HOLDFAST_COMPRESS=x", "HOLDFAST_DRAIN_TIMEOUT=soon"})
	want := []string{
		"unknown environment variable HOLDFAST_SHARD: did you mean HOLDFAST_SHARDS?",
		`environment variable HOLDFAST_COMPRESS: "x" is none of zstd-stream, zlib-stream, none`,
		`environment variable HOLDFAST_DRAIN_TIMEOUT: "soon" is not a duration: write it like 30s or 5m`,
	}
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("got %v", err)
	}
}

func TestValidateJudgesWhatAProgramSets(t *testing.T) {
	err := Settings{
		Shards: Shards{Count: -1}, Compress: "gzip", APIURL: "x", DrainTimeout: -1, StateDir: "a\x00b",
		Plugins: map[string]PluginSettings{"p": {Env: map[string]string{"A=B": "", "C": "\x00"}}},
	}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("want seven faults, got %v", err)
	}
	err = Settings{CacheBytes: 1, JournalBytes: -1, GuardRate: -1, GuardBurst: -1, CacheIdle: 1, JournalAge: -1, GuildWait: -1, Journal: "x"}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 7 {
		t.Errorf("want eight faults, got %v", err)
	}
	if err := (Settings{GuardRate: Rate(math.NaN())}).Validate(); err == nil {
		t.Error("a rate of NaN was accepted")
	}
}

func TestCheckPlugins(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "file", "")
	if err := (Settings{PluginsDir: dir}).CheckPlugins(); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "is missing: create it (mkdir -p",
		file:                       "is not a folder",
		filepath.Join(file, "x"):   "not a directory",
	} {
		if err := (Settings{PluginsDir: path}).CheckPlugins(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	both := Settings{PluginsDir: file, Plugins: map[string]PluginSettings{"p": {EnvFile: filepath.Join(dir, "none")}}}
	if err := both.CheckPlugins(); err == nil || !strings.Contains(err.Error(), "\nplugin p: read env_file") {
		t.Errorf("folder and env_file: %v", err)
	}
	if os.Getuid() == 0 {
		return // root reads everything
	}
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	if err := (Settings{PluginsDir: dir}).CheckPlugins(); err == nil || !strings.Contains(err.Error(), "chmod u+rx") {
		t.Errorf("unreadable: %v", err)
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]Bytes{
		"1": 1, "65536": 64 << 10, "64KiB": 64 << 10, "256 MiB": 256 << 20, "3GiB": 3 << 30, "9223372036854775807": math.MaxInt64,
	} {
		var b, again Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%s: %d %v", text, b, err)
		}
		if err := again.UnmarshalText([]byte(b.String())); err != nil || again != b {
			t.Errorf("%s is written as %s: %d %v", text, b, again, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5GiB", "KiB", "1kb", "1M", "1e9", "0x10", "9223372036854775808", "8589934592GiB", "1 MiB KiB"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted: %v", text, b)
		}
	}
	for _, text := range []string{"", "0", "-1", "NaN", "Inf", "1e400", "x", "5/s"} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted: %v", text, r)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5", "x"} {
		var c Count
		if err := c.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted: %v", text, c)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"shards", "state_dir", "plugins_dir"}
	for word, want := range map[string]string{"shard": "shards", "sahrds": "shards", "statedir": "state_dir", "plugins_dri": "plugins_dir", "x": "", "token": ""} {
		if got := nearest(word, names, 2); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
	if d := distance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten, sitting: %d", d)
	}
}

func FuzzSettingsFile(f *testing.F) {
	for _, seed := range []string{"shards: 1", "plugins:\n  a:\n    env: {A: 1}", "a: [", "? x\n: y", "<<: *a", "&a b: *a", "!!str a: b", "- a\n- b", "%YAML 1.2\n---\na: b\n...", "a: |\n b", "plugins: {a: {env: {? A : 1}}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := Settings{}.WithDefaults()
		err := takeFile(&s, "f.yaml", raw)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "f.yaml:") {
					t.Errorf("a fault without its place: %q", line)
				}
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("read without a fault, but: %v", err)
		}
	})
}

func write(t *testing.T, name, contents string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNumbersOfTheGuardFitTogether: what contradicts each other is refused, not bent.
func TestNumbersOfTheGuardFitTogether(t *testing.T) {
	for want, s := range map[string]Settings{
		"": {GuardBurst: 1},
		"setting guard_reserve: 10 of a burst of 10":                        {GuardReserve: 10},
		"setting guard_backoff_max: 4s is less than guard_backoff_min (5s)": {GuardBackoffMax: 4 * time.Second},
		"setting guard_open_max: 5m0s is less than guard_open_min (1h0m0s)": {GuardOpenMin: time.Hour},
	} {
		if err := s.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
