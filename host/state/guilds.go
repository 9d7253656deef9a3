package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	guildsFolder = "guilds"
	guildsHead   = "holdfast guilds 1 " // then the session's mark
	// guildsSlack is how many changes a file may hold beyond two for each guild
	// before it is written anew.
	guildsSlack = 1000
)

// Guilds keeps which guilds the session of each shard has: Discord lists them
// in READY, and not when a session is resumed. Each shard has a file of its own,
//
//	holdfast guilds 1 2f0c8a91d3b45e67    the mark of the session's id
//	+81384788765712384                    a guild
//	-81384788765712384                    it has gone since
//
// which is replaced whole at READY, and to which each change adds a line with one
// write: it survives a killed process, and only a machine that loses its power
// may lose the latest. It belongs to one goroutine.
type Guilds struct {
	state *State
	dir   string
	files map[uint32]guildsFile // those that are whole
}

type guildsFile struct {
	guilds int // when it was written
	lines  int // added since
}

// OpenGuilds opens what is kept of the shards' guilds.
func (s *State) OpenGuilds() (*Guilds, error) {
	dir, err := s.folder(guildsFolder)
	if err != nil {
		return nil, err
	}
	return &Guilds{state: s, dir: dir, files: make(map[uint32]guildsFile)}, nil
}

// Load returns the guilds of a shard's session; known is false if those of this
// session are not kept. A damaged file is set aside.
func (g *Guilds) Load(shard uint32, session string) (ids map[uint64]struct{}, known bool, err error) {
	raw, err := readWhole(g.path(shard))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, false, fmt.Errorf("read %s: %w: make it readable for this user, or remove it", g.path(shard), reason(err))
	}
	var kept keptGuilds
	if err == nil {
		kept, err = readGuilds(raw)
	}
	if err != nil {
		g.state.mu.Lock()
		defer g.state.mu.Unlock()
		return nil, false, g.state.setAside(filepath.Join(guildsFolder, name(shard)), err)
	}
	if kept.mark != guildsMark(session) {
		return nil, false, nil
	}
	if kept.cut {
		return kept.ids, true, g.Save(shard, session, kept.ids)
	}
	g.files[shard] = guildsFile{guilds: len(kept.ids), lines: kept.lines}
	return kept.ids, true, nil
}

// Save replaces what is kept of a shard. When it returns an error nothing of the
// shard is kept any more.
func (g *Guilds) Save(shard uint32, session string, ids map[uint64]struct{}) error {
	var b bytes.Buffer
	b.WriteString(guildsHead + guildsMark(session) + "\n")
	for id := range ids {
		b.Write(guildsLine(id, true))
	}
	if err := g.replace(shard, b.Bytes()); err != nil {
		return errors.Join(g.unwritten(shard, err), g.forget(shard))
	}
	g.files[shard] = guildsFile{guilds: len(ids)}
	return nil
}

// replace swaps a file in. A left-over of a kill is swept in the state folder.
// What a power loss leaves half-written is damaged, and that is noticed.
func (g *Guilds) replace(shard uint32, raw []byte) error {
	f, err := os.CreateTemp(g.state.dir, guildsFolder+temporaryMark) // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), g.path(shard))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Change adds a guild to a shard, or removes it. When it returns an error nothing
// of the shard is kept any more; when the file has grown too long for what it
// says, or there is none, whole is true: the caller saves the shard whole.
func (g *Guilds) Change(shard uint32, guild uint64, in bool) (whole bool, err error) {
	file, ok := g.files[shard]
	if !ok || file.lines > 2*file.guilds+guildsSlack {
		return true, nil
	}
	f, err := os.OpenFile(g.path(shard), os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err == nil {
		_, err = f.Write(guildsLine(guild, in))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return false, errors.Join(g.unwritten(shard, err), g.forget(shard))
	}
	file.lines++
	g.files[shard] = file
	return false, nil
}

// forget removes what is kept of a shard: better nothing than what is not true
// any more. A disk without room allows that, too.
func (g *Guilds) forget(shard uint32) error {
	delete(g.files, shard)
	if err := os.Remove(g.path(shard)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w: remove it", g.path(shard), reason(err))
	}
	return nil
}

func (g *Guilds) unwritten(shard uint32, err error) error {
	return fmt.Errorf("write %s: %w: make room on the disk and the state folder writable", g.path(shard), reason(err))
}

func (g *Guilds) path(shard uint32) string { return filepath.Join(g.dir, name(shard)) }

func name(shard uint32) string { return strconv.FormatUint(uint64(shard), 10) }

// guildsMark tells sessions apart; whoever reads the file does not learn the id.
func guildsMark(session string) string {
	sum := sha256.Sum256([]byte(session))
	return hex.EncodeToString(sum[:8])
}

func guildsLine(id uint64, in bool) []byte {
	sign := byte('-')
	if in {
		sign = '+'
	}
	return append(strconv.AppendUint([]byte{sign}, id, 10), '\n')
}

// keptGuilds is what a file says.
type keptGuilds struct {
	mark  string
	ids   map[uint64]struct{}
	lines int  // beyond one for each guild
	cut   bool // the last line is not whole, and left out
}

func readGuilds(raw []byte) (keptGuilds, error) {
	kept := keptGuilds{ids: make(map[uint64]struct{})}
	lines := strings.Split(string(raw), "\n")
	kept.cut = lines[len(lines)-1] != ""
	lines = lines[:len(lines)-1]
	if len(lines) == 0 || !strings.HasPrefix(lines[0], guildsHead) {
		return kept, fmt.Errorf("%w: it does not begin with %q", errDamaged, guildsHead)
	}
	kept.mark = lines[0][len(guildsHead):]
	for n, line := range lines[1:] {
		sign, number := line[:min(1, len(line))], line[min(1, len(line)):]
		id, err := strconv.ParseUint(number, 10, 64)
		if err != nil || !slices.Contains([]string{"+", "-"}, sign) {
			return kept, fmt.Errorf("%w: line %d says %.40q", errDamaged, n+2, line)
		}
		if sign == "+" {
			kept.ids[id] = struct{}{}
		} else {
			delete(kept.ids, id)
		}
	}
	kept.lines = len(lines) - 1 - len(kept.ids)
	return kept, nil
}
