package cache

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asked answers after a second with a member, and counts.
type asked struct {
	calls  atomic.Int64
	answer string
	err    error
	ended  atomic.Int64 // by their context
}

func (a *asked) ask(ctx context.Context) (json.RawMessage, error) {
	a.calls.Add(1)
	select {
	case <-time.After(time.Second):
		return json.RawMessage(a.answer), a.err
	case <-ctx.Done():
		a.ended.Add(1)
		return nil, ctx.Err()
	}
}

const somebody = `{"user":{"id":"5"},"roles":["1","2"],"nick":"a"}`

// TestMember: who is not known is asked for once, and what events say meanwhile
// decides.
func TestMember(t *testing.T) {
	on := Options{Self: 900, People: Members}
	off := Options{Self: 900}
	for name, tc := range map[string]struct {
		options  Options
		cold     bool // the guild is not loaded
		answer   string
		meantime []event
		want     string // "" with status 404
		kept     bool
	}{
		"kept":           {options: on, answer: somebody, want: somebody, kept: true},
		"with guild_id":  {options: on, answer: `{"guild_id":"7","user":{"id":"5"}}`, want: `{"user":{"id":"5"}}`, kept: true},
		"not kept":       {options: off, answer: somebody, want: somebody},
		"not loaded":     {options: on, cold: true, answer: somebody, want: somebody},
		"updated":        {on, false, somebody, []event{{"GUILD_MEMBER_UPDATE", []byte(`{"guild_id":"7","user":{"id":"5"},"nick":"b"}`)}}, `{"user":{"id":"5"},"roles":["1","2"],"nick":"b"}`, true},
		"updated, off":   {off, false, somebody, []event{{"GUILD_MEMBER_UPDATE", []byte(`{"guild_id":"7","user":{"id":"5"},"nick":"b"}`)}}, `{"user":{"id":"5"},"roles":["1","2"],"nick":"b"}`, false},
		"updated, cold":  {on, true, somebody, []event{{"GUILD_MEMBER_UPDATE", []byte(`{"guild_id":"7","user":{"id":"5"},"nick":"b"}`)}}, `{"user":{"id":"5"},"roles":["1","2"],"nick":"b"}`, false},
		"another":        {on, false, somebody, []event{{"GUILD_MEMBER_UPDATE", []byte(`{"guild_id":"7","user":{"id":"6"},"nick":"b"}`)}}, somebody, true},
		"another guild":  {on, false, somebody, []event{{"other guild", nil}}, somebody, true},
		"chunk":          {off, false, somebody, []event{{"GUILD_MEMBERS_CHUNK", []byte(`{"guild_id":"7","members":[{"user":{"id":"6"}},{"user":{"id":"5"},"nick":"c"}]}`)}}, `{"user":{"id":"5"},"nick":"c"}`, false},
		"broken chunk":   {off, false, somebody, []event{{"GUILD_MEMBERS_CHUNK", []byte(`{"guild_id":"7","members":[{"user":{"id":"5"},"nick":}]}`)}}, somebody, false},
		"role deleted":   {on, false, somebody, []event{{"GUILD_ROLE_DELETE", []byte(`{"guild_id":"7","role_id":"1"}`)}}, `{"user":{"id":"5"},"roles":["2"],"nick":"a"}`, true},
		"left":           {on, false, somebody, []event{{"GUILD_MEMBER_REMOVE", []byte(`{"guild_id":"7","user":{"id":"5"}}`)}}, "", false},
		"left, off":      {off, false, somebody, []event{{"GUILD_MEMBER_REMOVE", []byte(`{"guild_id":"7","user":{"id":"5"}}`)}}, "", false},
		"left and back":  {off, false, somebody, []event{{"GUILD_MEMBER_REMOVE", []byte(`{"guild_id":"7","user":{"id":"5"}}`)}, {"GUILD_MEMBER_ADD", []byte(`{"guild_id":"7","user":{"id":"5"},"nick":null}`)}}, `{"user":{"id":"5"},"nick":null}`, false},
		"outage":         {on, false, somebody, []event{{"GUILD_DELETE", []byte(`{"id":"7","unavailable":true}`)}, {"GUILD_CREATE", []byte(`{"id":"7"}`)}}, somebody, false},
		"new session":    {on, false, somebody, []event{{"READY", readyWith(0, 1, 7)}, {"GUILD_CREATE", []byte(`{"id":"7"}`)}}, somebody, false},
		"many events":    {on, false, somebody, manyUpdates(), `{"user":{"id":"5"},"roles":["1","2"],"nick":"z"}`, false},
		"nothing at all": {options: on, answer: `null`},
		"somebody else":  {options: on, answer: `{"user":{"id":"6"}}`},
		"no JSON":        {options: on, answer: `{"user":{"id":"5"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFake(1, 7)
				tc.options.Load = d.load
				c := newTestCache(t, tc.options)
				defer c.Close()
				if !tc.cold {
					mustLoad(t, c, 7)
				}
				a := &asked{answer: tc.answer}
				go func() {
					time.Sleep(time.Second / 2)
					for _, e := range tc.meantime {
						switch e.name {
						case "READY":
							c.Apply(e.name, 0, e.data)
						case "other guild":
							c.Apply("GUILD_MEMBER_REMOVE", 8, []byte(`{"guild_id":"8","user":{"id":"5"}}`))
						default:
							c.Apply(e.name, 7, e.data)
						}
					}
				}()
				m, err := c.Member(t.Context(), "reader", 7, 5, a.ask)
				if string(m) != tc.want {
					t.Fatalf("got %s, %v, want %s", m, err, tc.want)
				}
				var refused *LoadError
				if tc.meantime != nil && tc.want == "" && (!errors.As(err, &refused) || refused.Status != http.StatusNotFound) {
					t.Errorf("who has left: %v", err)
				}
				if tc.meantime == nil && tc.want == "" && err == nil {
					t.Error("no error")
				}
				again := &asked{answer: `{"user":{"id":"5"},"nick":"asked again"}`}
				m, err = c.Member(t.Context(), "reader", 7, 5, again.ask)
				if kept := again.calls.Load() == 0; kept != tc.kept || kept && string(m) != tc.want || err != nil {
					t.Errorf("then %s, %v, kept %v", m, err, kept)
				}
				if a.calls.Load() != 1 || c.asking.Load() != 0 {
					t.Errorf("asked %d times, %d under way", a.calls.Load(), c.asking.Load())
				}
				audit(t, c)
			})
		})
	}
}

func manyUpdates() (all []event) {
	for range maxMemberMeantime {
		all = append(all, event{"GUILD_MEMBER_UPDATE", []byte(`{"guild_id":"7","user":{"id":"5"},"nick":"z"}`)})
	}
	// One more than is remembered: nobody joins what is not known to be true.
	return append(all, event{"GUILD_ROLE_DELETE", []byte(`{"guild_id":"7","role_id":"1"}`)})
}

func TestMemberIsAskedForOnceByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Load: newFake(1).load})
		defer c.Close()
		a := &asked{answer: somebody, err: &LoadError{Status: http.StatusForbidden}}
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				_, err := c.Member(t.Context(), "reader", 7, 5, a.ask)
				var refused *LoadError
				if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
					t.Error(err)
				}
			})
		}
		all.Wait()
		a.err = nil
		for range 200 {
			all.Go(func() {
				if m, err := c.Member(t.Context(), "reader", 7, 5, a.ask); err != nil || string(m) != somebody {
					t.Error(string(m), err)
				}
			})
		}
		all.Wait()
		if a.calls.Load() != 2 {
			t.Errorf("asked %d times", a.calls.Load())
		}
	})
}

// TestMemberAskedForBeforeTheSession: what was asked for before a new session may
// be older than it, so nobody joins that any more.
func TestMemberAskedForBeforeTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Load: newFake(1).load})
		defer c.Close()
		before, after := &asked{answer: `{"user":{"id":"5"},"nick":"old"}`}, &asked{answer: somebody}
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.Member(t.Context(), "reader", 7, 5, before.ask) })
		time.Sleep(time.Second / 2)
		c.Apply("READY", 0, readyWith(0, 1, 7))
		if m, err := c.Member(t.Context(), "reader", 7, 5, after.ask); err != nil || string(m) != somebody {
			t.Errorf("got %s, %v", m, err)
		}
		all.Wait()
		if before.calls.Load() != 1 || after.calls.Load() != 1 || c.asking.Load() != 0 {
			t.Errorf("asked %d and %d times, %d under way", before.calls.Load(), after.calls.Load(), c.asking.Load())
		}
	})
}

func TestMemberWithoutWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Load: newFake(1).load})
		a := &asked{answer: somebody}
		short, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Member(short, "reader", 7, 5, a.ask); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("whose time is up: %v", err)
			}
		})
		all.Go(func() {
			if _, err := c.Member(t.Context(), "reader", 7, 5, a.ask); err != nil {
				t.Errorf("who waits on: %v", err)
			}
		})
		all.Wait()
		if a.calls.Load() != 1 || a.ended.Load() != 0 {
			t.Errorf("asked %d times, ended %d", a.calls.Load(), a.ended.Load())
		}
		short, cancel = context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, _ = c.Member(short, "reader", 7, 5, a.ask)
		synctest.Wait()
		if a.ended.Load() != 1 || c.asking.Load() != 0 {
			t.Errorf("%d ended when nobody waited, %d under way", a.ended.Load(), c.asking.Load())
		}
		all.Go(func() {
			_, err := c.Member(t.Context(), "reader", 7, 5, a.ask)
			if reasonOf(t, err) != Closed {
				t.Errorf("when the cache closes: %v", err)
			}
		})
		synctest.Wait()
		c.Close()
		all.Wait()
		if _, err := c.Member(t.Context(), "reader", 7, 5, a.ask); reasonOf(t, err) != Closed {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestOwnMemberIsNotAskedFor(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900})
	defer c.Close()
	a := &asked{answer: `{"user":{"id":"900"},"nick":"asked"}`}
	if m, err := c.Member(t.Context(), "reader", 7, 900, a.ask); err != nil || string(m) != a.answer {
		t.Errorf("of a guild that is not loaded: %s, %v", m, err)
	}
	s := mustLoad(t, c, 7)
	if m, err := c.Member(t.Context(), "reader", 7, 900, a.ask); err != nil || string(m) != string(s.Part(PartMember)) || a.calls.Load() != 1 {
		t.Errorf("of a loaded guild: %s, %v", m, err)
	}
}
