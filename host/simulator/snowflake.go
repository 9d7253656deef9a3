package simulator

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// epoch is the start of Discord's time, the first second of 2015, in Unix milliseconds.
const epoch = 1420070400000

// lowBits is how much of a snowflake is below its time. A guild of the seeded world has zeros there, and what
// belongs to it from the start has its kind and number there, so that the guild of an id is found by masking.
const lowBits = 22

const (
	channelBase = 1 << 16
	roleBase    = 2 << 16
	emojiBase   = 3 << 16
	threadBase  = 4 << 16
	stickerBase = 5 << 16
	memberBase  = 1 << 20
)

// home gives the seeded guild to which an id belongs.
func home(id uint64) uint64 { return id &^ (1<<lowBits - 1) }

// createdAt tells when an id was made.
func createdAt(id uint64) time.Time {
	return time.UnixMilli(int64(id>>lowBits) + epoch).UTC()
}

// shardOf is Discord's rule: (guild_id >> 22) % num_shards. What has no guild goes to shard 0.
func shardOf(guild uint64, shards int) int {
	return int((guild >> lowBits) % uint64(shards))
}

func parseID(s string) (uint64, bool) {
	if len(s) == 0 || len(s) > 20 {
		return 0, false
	}
	id, err := strconv.ParseUint(s, 10, 64)
	return id, err == nil && id != 0
}

// mint makes ids of now, never the same twice, and what is random from the seed.
type mint struct {
	mu   sync.Mutex
	last uint64
	rand *rand.Rand
}

func newMint(seed uint64) *mint {
	return &mint{rand: rand.New(rand.NewPCG(seed, 0x686f6c6466617374))}
}

func (m *mint) id() uint64 {
	now := uint64(time.Now().UnixMilli()-epoch) << lowBits
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = max(m.last+1, now)
	return m.last
}

// token gives n random bytes in base64 without padding.
func (m *mint) token(n int) string {
	b := make([]byte, n)
	m.mu.Lock()
	for i := range b {
		b[i] = byte(m.rand.Uint32())
	}
	m.mu.Unlock()
	return base64.RawURLEncoding.EncodeToString(b)
}

// mix is a splitmix64 step over two values: the seed's answer to a question, without state.
func mix(a, b uint64) uint64 {
	z := a + b*0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
