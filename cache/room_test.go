package cache

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// fullOnTheWay is a cache in which there is no room on the way to ristretto until the
// keeper has written guild 8, which takes it so long.
func fullOnTheWay(t *testing.T, takes time.Duration) *dragged {
	t.Helper()
	d := newDragged(t, Options{Bytes: 16 << 20}, 10_000, 7, 8)
	set := d.store.set
	d.store.set = func(guild uint64, e *entry, charge int64, ttl time.Duration) bool {
		if guild == 8 {
			time.Sleep(takes)
			d.books.transit.Add(-d.books.limit)
		}
		return set(guild, e, charge, ttl)
	}
	d.rawFrom = rawNever // what is raw waits elsewhere
	d.books.transit.Add(d.books.limit)
	d.keeper.enqueue(lookUp(d.Cache, 8))
	synctest.Wait()
	return d
}

// grow makes a guild outgrow its charge.
func (d *dragged) grow(guild uint64) (version uint64) {
	for n := range 10 {
		version = d.Apply("GUILD_ROLE_CREATE", guild, fmt.Appendf(nil, `{"guild_id":"%d","role":{"id":"%d","name":"%s"}}`, guild, 1000+n, noise(300+n)))
	}
	return version
}

// TestAGuildThatGrowsWaitsForRoom: it is not thrown out for what is there a moment later.
func TestAGuildThatGrowsWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fullOnTheWay(t, roomWait/2)
		defer d.Close()
		charge := lookUp(d.Cache, 7).charge.Load()
		version := d.grow(7)
		time.Sleep(roomWait) // the keeper has a shard's lock until it has written
		if version == 0 || d.Status().Evicted != 0 {
			t.Fatalf("version %d, %d evicted", version, d.Status().Evicted)
		}
		if now := lookUp(d.Cache, 7).charge.Load(); now <= charge {
			t.Errorf("it has not outgrown its charge of %d", charge)
		}
		if err := d.keeper.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		audit(t, d.Cache)
	})
}

// TestWhoWaitsForRoomDoesNotWaitLong: however long ristretto takes, nobody else's events
// wait for it.
func TestWhoWaitsForRoomDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fullOnTheWay(t, time.Minute)
		defer d.Close()
		began := time.Now()
		d.Apply("GUILD_CREATE", 9, toJSON(newFake(1, 9).guilds[9].create()))
		if took := time.Since(began); took != roomWait {
			t.Errorf("GUILD_CREATE took %v, want %v", took, roomWait)
		}
		began = time.Now()
		d.Apply("GUILD_ROLE_CREATE", 7, []byte(`{"guild_id":"7","role":{"id":"1000"}}`))
		if took := time.Since(began); took != roomWait {
			t.Errorf("GUILD_ROLE_CREATE took %v, want %v", took, roomWait)
		}
		began = time.Now()
		d.Apply("MESSAGE_CREATE", 7, []byte(`{"guild_id":"7"}`))
		if took := time.Since(began); took != 0 {
			t.Errorf("MESSAGE_CREATE took %v", took)
		}
		time.Sleep(time.Minute) // the keeper has a shard's lock until then
	})
}
