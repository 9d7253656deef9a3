package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/host/state"
	"github.com/holdfast-bot/holdfast/plugins"
	"golang.org/x/sync/errgroup"
)

// eventQueue is how many events wait between the sessions and the router. It
// is short: plugins have queues of their own, and guilds can be large.
const eventQueue = 256

// Config of a Host.
type Config struct {
	Settings Settings
	// Token is the bot's token without "Bot ". It goes to the gate and to the
	// sessions and nowhere else.
	Token string
	// Log gets what the host does; default: nothing is logged.
	Log hclog.Logger
	// IdentifyInterval overrides Discord's 5 s between two identifies of one
	// rate limit key, for servers that allow a shorter one. 0 keeps Discord's.
	IdentifyInterval time.Duration
	// BesideTimeout overrides the 120 s that new sessions have to be ready beside
	// those that they shall replace, and HandoverSkew the 10 s by which Discord may
	// tell two sessions of one event apart. 0 keeps them.
	BesideTimeout, HandoverSkew time.Duration
	// InvalidLimit overrides the 10,000 refused requests (401, 403, 429) in ten minutes
	// at which Discord bans an address. 0 keeps them.
	InvalidLimit int
	// Ready, if not nil, is called once, when all sessions have been started
	// and the control socket answers.
	Ready func()
}

// Host runs one bot.
type Host struct {
	config  Config
	log     hclog.Logger
	started time.Time

	mu       sync.Mutex // guards what Status reads while Run builds it
	phase    string
	doing    string // what the holder of reloading does, for who waits
	doingFor string // the name by which the holder asked, if it did by one
	live     *live  // while the host is up
	bot      *bot
	gate     *rest.Gate
	plugins  *plugins.Set
	router   *router.Router
	sessions *sessionSets
	guilds   *guilds
	kept     *kept
	budget   *budget
	stateDir string
	answers  *router.Interactions

	reloads   chan struct{} // a place for the reload that runs and one that waits
	reloading chan struct{} // held by what changes the plugins, or looks what intents they need
	syncs     *commandSyncs
}

// New checks the settings and prepares a host. It touches nothing yet.
func New(c Config) (*Host, error) {
	c.Settings = c.Settings.WithDefaults()
	if err := c.Settings.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return &Host{config: c, log: c.Log, reloads: make(chan struct{}, 2), reloading: make(chan struct{}, 1), syncs: newCommandSyncs()}, nil
}

// Run runs the bot until ctx ends; then it stops in order and returns nil. It
// returns an error when the bot cannot run: each says what to do about it.
// A Host runs once.
func (h *Host) Run(ctx context.Context) (err error) {
	h.started = time.Now()
	defer h.announceStop(ctx)() // the last that is done
	if err := errors.Join(hideMemory(), keepFiles()); err != nil {
		h.log.Warn("plugins of this user could read the host's environment, or files that it was started with", "error", err)
	}
	folder, err := state.Open(h.config.Settings.StateDir, h.log.Named("state"))
	if err != nil {
		return err
	}
	defer closing(&err, folder.Close)
	h.set(func() { h.phase, h.stateDir = cmp.Or(h.phase, "starting"), folder.Path() }) // or stopping already
	closeDoor, err := h.openDoor(folder)
	if err != nil {
		return err
	}
	defer closing(&err, closeDoor)
	closeMetrics, err := h.openMetrics()
	if err != nil {
		return err
	}
	defer closing(&err, closeMetrics)
	gate, closeGate, err := h.openGate(folder)
	if err != nil {
		return err
	}
	defer closing(&err, closeGate)
	h.set(func() { h.gate = gate })
	discord, err := h.introduce(ctx, gate)
	if err != nil {
		return stoppedOr(ctx, err)
	}
	gate.SetApplication(discord.bot.applicationID)
	h.set(func() { h.bot = &discord.bot })
	h.log.Info("bot known", "name", discord.bot.name, "id", discord.bot.id)
	if err := folder.Claim(discord.bot.id, discord.bot.name); err != nil {
		return err
	}

	closeProxy, err := h.openProxy(folder, gate, discord.bot)
	if err != nil {
		return err
	}
	defer closing(&err, closeProxy)
	warm := newWarm(h.config.Settings, folder, h.log.Named("cache"))
	guilds, err := newGuilds(h.config.Settings, gate, discord.bot.id, warm.wants, h.log.Named("cache"))
	if err != nil {
		return err
	}
	defer guilds.Close() // plugins and router have ended
	warm.begin(guilds.cache.Kept)
	defer warm.close()
	kept, err := h.openKept(folder)
	if err != nil {
		return err
	}
	defer closing(&err, kept.close)
	if count := cmp.Or(h.config.Settings.Shards.Count, discord.gateway.Shards); count > maxShards {
		return fmt.Errorf("run %d shards: at most %d are kept: give their number with --shards", count, maxShards)
	}
	h.set(func() { h.guilds, h.kept = guilds, kept })
	calls := newGatewayCalls(h.log.Named("gateway"))
	defer calls.Close()
	interactions := h.newInteractions(gate, kept, discord.bot.applicationID)
	defer interactions.Close() // plugins have ended
	r := &rooms{folder: folder, gate: gate, guilds: guilds, kept: kept, discord: discord, calls: calls, interactions: interactions}
	owners, err := h.loadPlugins(ctx, r)
	if err != nil {
		return stoppedOr(ctx, err)
	}
	defer closing(&err, r.set.Close)
	return stoppedOr(ctx, h.serve(ctx, r, owners))
}

// rooms are what a host runs, in the order in which they are built.
type rooms struct {
	folder  *state.State
	gate    *rest.Gate
	discord *discord
	guilds  *guilds
	kept    *kept
	calls   *gatewayCalls
	set     *plugins.Set

	interactions *router.Interactions
}

// kept is what outlives the host.
type kept struct {
	journal  *journal
	sessions *state.Sessions
	guilds   *state.Guilds

	interactions *state.Interactions
	answered     map[uint64]byte // what the host before has done with interactions
}

func (h *Host) openKept(folder *state.State) (*kept, error) {
	events, err := openJournal(folder, h.config.Settings, h.log.Named("journal"))
	if err != nil {
		return nil, err
	}
	sessions, err := folder.OpenSessions()
	if err != nil {
		return nil, errors.Join(err, events.events.Close())
	}
	guilds, err := folder.OpenGuilds()
	if err != nil {
		return nil, errors.Join(err, events.events.Close(), sessions.Close())
	}
	interactions, answered, err := folder.OpenInteractions()
	if err != nil {
		return nil, errors.Join(err, events.events.Close(), sessions.Close())
	}
	return &kept{events, sessions, guilds, interactions, answered}, nil
}

func (k *kept) close() error {
	return errors.Join(k.journal.events.Close(), k.sessions.Close(), k.interactions.Close())
}

// serve runs sessions and router until ctx ends or one of them fails, and then
// lets the plugins finish what they have.
func (h *Host) serve(ctx context.Context, r *rooms, owners *router.Owners) error {
	set := r.set
	events := make(chan gateway.Event, eventQueue)
	routed := make(chan struct{})
	sessions := newSessionSets(events, r.calls, cmp.Or(h.config.HandoverSkew, gateway.HandoverSkew), h.log.Named("gateway"))
	sessions.patience = min(sessions.patience, h.config.Settings.DrainTimeout/2) // plugins want some of it
	sessions.routed = routed
	sessions.renewed = r.guilds.cache.Renewed
	sessions.handing, sessions.handed = r.kept.journal.beginHandover, r.kept.journal.endHandover
	first, budget, err := h.firstSessions(r, sessions)
	if err != nil {
		return err
	}
	sessions.begin(first)
	membership := sessions.membership
	r.guilds.membership.Store(&membership)
	route := router.New(router.Config{
		Plugins: targets(set),
		Owners:  h.placed(owners),
		Journal: r.kept.journal.append,
		Apply: func(e *gateway.Event) uint64 {
			sessions.apply(e)
			return r.guilds.Apply(e.Name, e.Guild, e.Data)
		},
		Admit:   sessions.admit,
		Ready:   sessions.ready,
		Handled: sessions.handled,
		Log:     h.log.Named("router"),

		Interactions: r.interactions,
	})
	h.set(func() { h.sessions, h.router, h.budget = sessions, route, budget })
	r.calls.begin(first.set, first.count, first.intents)
	set.Run()
	h.set(func() {
		if h.phase == "starting" { // and not stopping already
			h.phase = "running"
			h.live = &live{ctx: ctx, rooms: r, sessions: sessions, route: route, budget: budget, denied: h.config.Settings.DenyIntents, people: h.config.Settings.CachePeople}
		}
	})

	group, running := errgroup.WithContext(ctx)
	// The router outlives the sessions: what they have read is delivered.
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivering()
	group.Go(func() error {
		// Beside everything else: Discord may keep a write waiting for minutes.
		h.keepCommands(running, r)
		return nil
	})
	group.Go(func() error {
		budget.watch(running, r.gate)
		return nil
	})
	group.Go(func() error { return sessions.run(running, h.outgrown) })
	if r.kept.journal.doubt.open() {
		group.Go(func() error {
			sessions.resolve(running, r.discord.bot.id)
			return nil
		})
	}
	group.Go(func() error {
		defer close(routed)
		return route.Run(delivering, events)
	})
	group.Go(func() error {
		<-running.Done()
		defer stopDelivering()
		h.drain(set, routed)
		return nil
	})
	h.log.Info("the host is up", "shards", len(first.set.Status()), "plugins", len(set.Plugins()))
	if h.config.Ready != nil {
		h.config.Ready()
	}
	return explainIntents(group.Wait(), manifests(set), h.config.Settings.CachePeople)
}

// drain gives the plugins drain_timeout to finish what they were given. What
// waits in the host stays in the journal, or is given to them, too, if that is
// only in memory.
func (h *Host) drain(set *plugins.Set, routed <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), h.config.Settings.DrainTimeout)
	defer cancel()
	select {
	case <-routed:
	case <-ctx.Done():
		h.log.Warn("events not journaled: the disk does not take them; they come again with the next start, if Discord keeps the session so long")
		return
	}
	if err := set.Drain(ctx, h.config.Settings.Journal == "disk"); err != nil {
		h.log.Warn("plugins stopped before they had handled everything", "error", err)
	}
}

// openDoor lets operators ask for the status from now until the returned
// function has been called, also while the host starts and stops.
func (h *Host) openDoor(folder *state.State) (closeDoor func() error, err error) {
	sockets, err := folder.SocketDir()
	if err != nil {
		return nil, err
	}
	door, err := control.Listen(filepath.Join(sockets, "control.sock"), h, h.log.Named("control"))
	if err != nil {
		return nil, err
	}
	if err := folder.SetRuntime(runtimeOf(door.Path(), h.started)); err != nil {
		return nil, errors.Join(err, door.Close())
	}
	return serving(door.Serve), nil
}

// openMetrics lets Prometheus read as long, if the settings say where.
func (h *Host) openMetrics() (closeMetrics func() error, err error) {
	address := h.config.Settings.Metrics
	if address == "" {
		return func() error { return nil }, nil
	}
	metrics, err := control.ListenMetrics(address, h.Status, h.log.Named("metrics"))
	if err != nil {
		return nil, err
	}
	h.log.Info("metrics are there for Prometheus", "address", "http://"+metrics.Address()+"/metrics")
	return serving(metrics.Serve), nil
}

// serving runs serve until the returned function is called, which returns its error.
func serving(serve func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx) }()
	return func() error {
		cancel()
		return <-served
	}
}

func (h *Host) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// closing adds the error of a close to the error of a run.
func closing(err *error, shut func() error) {
	if closed := shut(); closed != nil {
		*err = errors.Join(*err, fmt.Errorf("stop: %w", closed))
	}
}

// stoppedOr is nil for whatever went wrong because ctx ended: who asked to
// stop has got what he asked for.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // that is the point
	}
	return err
}
