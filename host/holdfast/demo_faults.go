package main

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

func (s *story) reconnect(ctx context.Context) {
	shard := s.nextShard()
	s.broken(ctx, shard, func() { s.sim.Reconnect(shard) }, "Discord asks shard %d to reconnect (op 7)")
}

func (s *story) reset(ctx context.Context) {
	shard := s.nextShard()
	s.broken(ctx, shard, func() { s.sim.Reset(shard) }, "the connection of shard %d breaks")
}

func (s *story) nextShard() int {
	s.faults++
	return s.faults % demoShards
}

// broken breaks a shard's connection and tells when it has been resumed.
func (s *story) broken(ctx context.Context, shard int, fault func(), what string) {
	before := s.host.shard(shard).Resumes
	s.show.sayf(what, shard)
	start := time.Now()
	fault()
	if poll(ctx, func() bool {
		now := s.host.shard(shard)
		return now.Resumes > before && now.State == "ready"
	}) == nil {
		s.show.sayf("shard %d has resumed after %d ms, without an IDENTIFY", shard, time.Since(start).Milliseconds())
	}
}

func (s *story) killPlugin(ctx context.Context) {
	before := s.host.plugin("record")
	if before.PID == 0 {
		return
	}
	var talking sync.WaitGroup
	defer talking.Wait()
	talking.Go(func() {
		_ = s.sim.Run(ctx, simulator.Rate{Count: burstSize}, func(int) bool { return s.talk("burst") })
	})
	if poll(ctx, func() bool { return s.host.plugin("record").Acked > before.Acked+burstSize/10 }) != nil {
		return
	}
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		return // it ended by itself; the totals will tell
	}
	s.show.sayf("kill -9 of plugin record (process %d) in a burst of %d messages", before.PID, burstSize)
	if poll(ctx, func() bool { p := s.host.plugin("record"); return p.PID != 0 && p.PID != before.PID }) == nil {
		s.show.sayf("plugin record is back as process %d; what it had in hand comes again, marked", s.host.plugin("record").PID)
	}
}
