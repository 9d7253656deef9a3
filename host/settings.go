package host

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Settings is everything an operator decides, in one place: the fields' tags
// name the key in holdfast.yaml (yaml), the environment variable (HOLDFAST_ and
// the key in capitals), the flag (name) and the default. A flag wins over the
// environment, which wins over the file, which wins over the default.
//
// The zero value of a field stands for its default: see [Settings.WithDefaults].
// Settings are plain values: pass them by value and change copies.
type Settings struct {
	// PluginsDir is the folder of plugin executables. Default ./plugins.
	PluginsDir string `yaml:"plugins_dir" name:"plugins" placeholder:"DIR" default:"./plugins" kind:"path" help:"Folder of plugin executables."`
	// StateDir is the host's own folder; its parent must exist. Default ./.holdfast.
	StateDir string `yaml:"state_dir" name:"state" placeholder:"DIR" default:"./.holdfast" kind:"path" help:"Folder for what must outlive a restart."`
	// Shards is how many gateway connections the bot has, and which of them are this
	// host's. Default auto: as many as Discord recommends, all of them.
	Shards Shards `yaml:"shards" name:"shards" placeholder:"N" default:"auto" help:"Number of shards, A-B/N for some of them, or auto."`
	// APIURL is the base of Discord's REST API, version included. Default Discord's own.
	APIURL string `yaml:"api_url" name:"api-url" placeholder:"URL" default:"https://discord.com/api/v10" kind:"url" help:"Base URL of the API, version included."`
	// TokenFile is a file that holds the bot's token and is private to its owner.
	// Without one the token comes from DISCORD_TOKEN.
	TokenFile string `yaml:"token_file" name:"token-file" placeholder:"FILE" kind:"path" help:"File that holds the bot token (else DISCORD_TOKEN)."`
	// GlobalRate is Discord's global limit for this bot, in requests a second over all
	// routes. Default 50; Discord raises it for very large bots.
	GlobalRate Count `yaml:"global_rate" name:"global-rate" default:"50" help:"Requests a second that Discord allows this bot over all routes."`
	// LogLevel is trace, debug, info, warn or error. Default info.
	LogLevel string `yaml:"log_level" name:"log-level" default:"info" enum:"trace,debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	// LogFormat is text or json. Default text.
	LogFormat string `yaml:"log_format" name:"log-format" default:"text" enum:"text,json" help:"Form of the log: ${enum}."`
	// Compress is how the gateway's stream is compressed. Default zstd-stream.
	Compress string `yaml:"compress" name:"compress" default:"zstd-stream" enum:"zstd-stream,zlib-stream,none" help:"Compression of the gateway: ${enum}."`
	// Commands says what happens to the bot's application commands on Discord:
	// merge registers the plugins' commands and carries all others along,
	// exclusive removes all others, off never writes. Default merge.
	Commands string `yaml:"commands" name:"commands" default:"merge" enum:"merge,exclusive,off" help:"Registration of application commands: ${enum}."`
	// DevGuild is the one guild in which all commands are registered while a bot is
	// developed: there a change shows at once. Nothing is registered elsewhere, and
	// what is registered elsewhere is left alone. Default none.
	DevGuild GuildID `yaml:"dev_guild" name:"dev-guild" placeholder:"ID" help:"Guild in which all commands are registered, and nowhere else, while a bot is developed."`
	// DenyIntents are gateway intents that no plugin gets: one that needs any of them
	// is refused. Default none: plugins get what their events need.
	DenyIntents Intents `yaml:"deny_intents" name:"deny-intents" placeholder:"NAMES" kind:"list" help:"Intents that no plugin may need, such as MESSAGE_CONTENT,GUILD_MEMBERS."`
	// DrainTimeout is how long an instance may take to finish its events before
	// it is stopped. Default 30 s.
	DrainTimeout time.Duration `yaml:"drain_timeout" name:"drain-timeout" default:"30s" help:"Time an instance has to finish its events."`
	// HandlerTimeout is a handler's deadline for one event. Default 30 s.
	HandlerTimeout time.Duration `yaml:"handler_timeout" name:"handler-timeout" default:"30s" help:"Deadline of a handler for one event."`
	// CacheIdle is how long a guild stays in the cache after its last event or
	// reader. Default 1 h, at least 1 s.
	CacheIdle time.Duration `yaml:"cache_idle" name:"cache-idle" default:"1h" least:"1s" help:"Time after which a guild without activity leaves the cache."`
	// CacheBytes bounds the guilds in the cache together. Default 256 MiB, at
	// least 64 KiB.
	CacheBytes Bytes `yaml:"cache_bytes" name:"cache-bytes" default:"256MiB" least:"64KiB" help:"Bound of the guild cache."`
	// GuardRate is how many guilds may be loaded a second, in the long run; a load
	// is up to 4 requests. Default 5.
	GuardRate Rate `yaml:"guard_rate" name:"guard-rate" group:"The guild cache's guard" default:"5" help:"Guilds loaded a second, at most."`
	// GuardBurst is how many guilds may be loaded at once after a quiet time.
	// Default 10.
	GuardBurst Count `yaml:"guard_burst" name:"guard-burst" group:"The guild cache's guard" default:"10" help:"Guilds loaded at once after a quiet time, at most."`
	// GuardReserve is how many loads of that burst events that come in masses leave to
	// all else. Default half the burst; it must be less than the burst.
	GuardReserve Count `yaml:"guard_reserve" name:"guard-reserve" placeholder:"N" group:"The guild cache's guard" help:"Loads of the burst kept from events that come in masses, half of it unless given."`
	// GuardPatience is how long a load may wait for its turn; those for events that
	// come in masses never do. Default 1 s.
	GuardPatience time.Duration `yaml:"guard_patience" name:"guard-patience" default:"1s" group:"The guild cache's guard" help:"Time a load may wait for its turn."`
	// GuardConcurrency is how many loads run at once. Default 4; events that come in
	// masses get one less.
	GuardConcurrency Count `yaml:"guard_concurrency" name:"guard-concurrency" default:"4" group:"The guild cache's guard" help:"Loads that run at once, at most."`
	// GuardWaiting is how many further loads may wait for one of those to end.
	// Default 16.
	GuardWaiting Count `yaml:"guard_waiting" name:"guard-waiting" default:"16" group:"The guild cache's guard" help:"Further loads that may wait for one of those to end."`
	// GuardBackoffMin is how long a guild is left alone after its first failed load,
	// twice as long after each further one, up to GuardBackoffMax. Defaults 5 s and
	// 15 min.
	GuardBackoffMin time.Duration `yaml:"guard_backoff_min" name:"guard-backoff-min" default:"5s" group:"The guild cache's guard" help:"Time a guild is left alone after its first failed load, then twice as long each time."`
	GuardBackoffMax time.Duration `yaml:"guard_backoff_max" name:"guard-backoff-max" default:"15m" group:"The guild cache's guard" help:"Longest time that a guild is left alone."`
	// GuardRemembered is how many guilds' failures are remembered. Default 65,536.
	GuardRemembered Count `yaml:"guard_remembered" name:"guard-remembered" default:"65536" group:"The guild cache's guard" help:"Guilds whose failures are remembered."`
	// GuardFailures is how many loads must fail within GuardWindow, and be half of
	// all at least, for no guild to be loaded for GuardOpenMin, twice as long each
	// further time, up to GuardOpenMax. Defaults 10 in 30 s, 10 s and 5 min.
	GuardFailures Count         `yaml:"guard_failures" name:"guard-failures" default:"10" group:"The guild cache's guard" help:"Failed loads that stop all loads for a while, if they are half of all."`
	GuardWindow   time.Duration `yaml:"guard_window" name:"guard-window" default:"30s" group:"The guild cache's guard" help:"Time within which failed loads are counted."`
	GuardOpenMin  time.Duration `yaml:"guard_open_min" name:"guard-open-min" default:"10s" group:"The guild cache's guard" help:"Time that loads stop for, the first time, then twice as long each time."`
	GuardOpenMax  time.Duration `yaml:"guard_open_max" name:"guard-open-max" default:"5m" group:"The guild cache's guard" help:"Longest time that loads stop for."`
	// GuardInvalid is the number of invalid requests (401, 403, 429) of all plugins in
	// ten minutes at which nothing is loaded any more: Discord bans for 10,000.
	// Default 5,000: loads are a convenience, and the other half is the plugins'.
	GuardInvalid Count `yaml:"guard_invalid" name:"guard-invalid" default:"5000" group:"The guild cache's guard" help:"Invalid requests in ten minutes at which no guild is loaded any more."`
	// GuildWait is how long an event may wait for its guild before its handler runs
	// without; an interaction waits 1 s at most, because its answer is due after 3 s.
	// Default 3 s, at most 1 min.
	GuildWait time.Duration `yaml:"guild_wait" name:"guild-wait" default:"3s" most:"1m" help:"Time an event may wait for its guild, up to 1m (an interaction 1s at most)."`
	// CacheKeep names the fields that the guild cache keeps, by kind of object; a
	// kind without a list is kept whole. Default: all of all kinds.
	CacheKeep KeepLists `yaml:"cache_keep" name:"cache-keep" placeholder:"KIND=NAMES" kind:"lists" help:"Fields that the guild cache keeps of a kind of object, such as channel=name,topic; once for each kind."`
	// CachePeople is what the guild cache keeps beside the bot's own member. Its
	// intents are added to those that the plugins' events need. Default nothing.
	CachePeople KeepPeople `yaml:"cache_people" name:"cache-people" placeholder:"WHAT" kind:"list" help:"What is kept of people in loaded guilds: members, voice_states, presences."`
	// Warm says which guilds the cache keeps that Discord sends when a session
	// begins: none, those that were active when the host last stopped, or all.
	// Default none: they are loaded when somebody wants them.
	Warm string `yaml:"warm" name:"warm" default:"none" enum:"none,active,all" help:"Guilds that are kept when a session begins: ${enum}."`
	// Journal says where events are kept until they are handled: on disk, or in
	// memory, which leaves no message content on the disk and loses what is there
	// with the host. Default disk.
	Journal string `yaml:"journal" name:"journal" default:"disk" enum:"disk,memory" help:"Where events are kept until they are handled: ${enum}."`
	// JournalBytes bounds the journal. Default 256 MiB, at least 512 KiB.
	JournalBytes Bytes `yaml:"journal_bytes" name:"journal-bytes" default:"256MiB" least:"512KiB" help:"Bound of the journal."`
	// JournalAge is how long an event is kept for a plugin that does not take it.
	// Default 15 min, at least 1 s.
	JournalAge time.Duration `yaml:"journal_age" name:"journal-age" default:"15m" least:"1s" help:"Time an event is kept for a plugin that is away."`
	// Metrics is the address, such as 127.0.0.1:9464, where Prometheus may read what the
	// host counts. Default none.
	Metrics string `yaml:"metrics" name:"metrics" placeholder:"ADDRESS" kind:"address" help:"Address for Prometheus to read from, such as 127.0.0.1:9464."`
	// RestProxy is the address, such as 127.0.0.1:8080, where other programs may use the
	// gate as if it were Discord's API. They send the key in the state folder's file
	// proxy.key as their bot token. Default none.
	RestProxy string `yaml:"rest_proxy" name:"rest-proxy" placeholder:"ADDRESS" kind:"address" help:"Address where other programs may use the gate as Discord's API, such as 127.0.0.1:8080."`
	// RestProxyReach says who may reach that address: programs of this machine, or any.
	// Default loopback.
	RestProxyReach string `yaml:"rest_proxy_reach" name:"rest-proxy-reach" default:"loopback" enum:"loopback,any" help:"From where that address may be reached: ${enum}."`
	// Plugins holds what concerns one plugin, by its name. Only the file sets it.
	Plugins map[string]PluginSettings `yaml:"plugins" kong:"-"`
}

// PluginSettings is what an operator decides about one plugin.
type PluginSettings struct {
	// Env is given to the plugin's process beside the few variables that every
	// plugin gets.
	Env map[string]string `yaml:"env"`
	// EnvFile holds further variables, one NAME=value a line. Env wins over it.
	EnvFile string `yaml:"env_file" kind:"path"`
}

// WithDefaults returns the settings with every zero field replaced by its default.
func (s Settings) WithDefaults() Settings {
	v := reflect.ValueOf(&s).Elem()
	for f := range settingFields() {
		if field := v.FieldByIndex(f.index); field.IsZero() && f.fallback != "" {
			// The defaults are ours; a test parses each of them.
			_ = f.parse(f.fallback, field)
		}
	}
	return s
}

// Validate judges every field and tells all faults at once. Zero fields are in
// order: they stand for defaults.
func (s Settings) Validate() error {
	var faults []error
	v := reflect.ValueOf(s)
	for f := range settingFields() {
		if field := v.FieldByIndex(f.index); !field.IsZero() {
			if err := f.check(field); err != nil {
				faults = append(faults, fmt.Errorf("setting %s: %w", f.key, err))
			}
		}
	}
	for name, p := range sorted(s.Plugins) {
		for key := range sorted(p.Env) {
			if err := checkVariable(key, p.Env[key]); err != nil {
				faults = append(faults, fmt.Errorf("setting plugins.%s.env: %w", name, err))
			}
		}
	}
	return errors.Join(append(faults, s.checkGuard(), s.CachePeople.checkDenied(s.DenyIntents), s.checkProxy())...)
}

// checkGuard judges the guard's numbers together.
func (s Settings) checkGuard() error {
	s = s.WithDefaults()
	switch {
	case s.GuardReserve >= s.GuardBurst && s.GuardReserve > 0:
		return fmt.Errorf("setting guard_reserve: %d of a burst of %d leave nothing for events that come in masses: give less than guard_burst", s.GuardReserve, s.GuardBurst)
	case s.GuardBackoffMax < s.GuardBackoffMin:
		return fmt.Errorf("setting guard_backoff_max: %s is less than guard_backoff_min (%s)", s.GuardBackoffMax, s.GuardBackoffMin)
	case s.GuardOpenMax < s.GuardOpenMin:
		return fmt.Errorf("setting guard_open_max: %s is less than guard_open_min (%s)", s.GuardOpenMax, s.GuardOpenMin)
	}
	return nil
}

// CheckPlugins says whether the folder of plugins and the plugins' env_files are
// there and can be read. All faults are told at once.
func (s Settings) CheckPlugins() error {
	faults := []error{checkFolder(s.WithDefaults().PluginsDir)}
	for name := range sorted(s.Plugins) {
		_, err := s.PluginEnv(name)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("plugins folder %s is missing: create it (mkdir -p %s), or give another --plugins", dir, dir)
	case err != nil:
		return fmt.Errorf("open plugins folder %s: %w: give another --plugins", dir, bare(err))
	case !info.IsDir():
		return fmt.Errorf("plugins folder %s is not a folder: give the folder that holds the plugins with --plugins", dir)
	}
	if _, err := os.ReadDir(dir); err != nil {
		return fmt.Errorf("read plugins folder %s: %w: make it readable for this user (chmod u+rx %s)", dir, bare(err), dir)
	}
	return nil
}

var (
	apiPath      = regexp.MustCompile(`/api/v[0-9]+$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return fmt.Errorf("%q is not a web address: write it like https://discord.com/api/v10", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || !apiPath.MatchString(u.Path) {
		return fmt.Errorf("%q does not end with the API's version: write it like https://discord.com/api/v10", text)
	}
	return nil
}

func checkAddress(text string) error {
	_, port, err := net.SplitHostPort(text)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return fmt.Errorf("%q is not an address: write it like 127.0.0.1:9464, or :9464 for all networks", text)
	}
	return nil
}

func checkVariable(name, value string) error {
	if !variableName.MatchString(name) {
		return fmt.Errorf("%q is not a name of an environment variable: use letters, digits and _", name)
	}
	if strings.ContainsRune(value, 0) {
		return fmt.Errorf("%s holds a zero byte: remove it", name)
	}
	return nil
}

// bare strips the operation and path that os wraps round an error.
func bare(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
