package simulator

import (
	"encoding/json"
	"testing"
	"time"
)

// slowPacker needs long for one payload, then waits until an earlier one has arrived.
type slowPacker struct {
	packer
	packed int
	heard  chan struct{}
}

func (p *slowPacker) pack(payload []byte) (int, []byte, error) {
	switch p.packed++; p.packed {
	case 10:
		time.Sleep(2 * flushEvery)
	case 200:
		select {
		case <-p.heard:
		case <-time.After(patience):
		}
	}
	return p.packer.pack(payload)
}

// A long replay arrives while it is written, and with it the ACKs, however slow the machine is.
func TestReplayArrivesBitByBit(t *testing.T) {
	s := start(t, Config{World: World{Guilds: -1}})
	c := connect(t, s, allIntents)
	slow := &slowPacker{heard: make(chan struct{})}
	ses := (*s.live.Load())[0]
	ses.mu.Lock()
	slow.packer = ses.conn.pack
	ses.conn.pack = slow
	ses.mu.Unlock()
	s.Stall(0, true)
	for range 1000 { // far less than the link collects
		s.Dispatch(0, "USER_UPDATE", json.RawMessage(`{}`))
	}
	s.Stall(0, false)
	c.until("USER_UPDATE")
	if st := s.Sessions()[0]; st.Written == st.Seq {
		t.Error("the first event arrived when the last was written")
	}
	close(slow.heard)
	for range 999 {
		c.until("USER_UPDATE")
	}
	wantBreaches(t, s, nil)
}
