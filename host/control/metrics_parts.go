package control

import "strconv"

func (c collector) events(e Events) {
	c.counter("events_received", "Events from the gateway.", e.Received)
	c.counter("events_delivered", "Events given to plugins, once for each.", e.Delivered)
	for name, n := range e.DroppedByName {
		c.counter("events_dropped", "Events that a plugin was away for too long to get.", n, "event", name)
	}
}

func (c collector) requests(r REST) {
	c.counter("requests", "Requests that Discord answered.", r.Requests)
	c.counter("requests_limited", "Of these, 429.", r.Limited)
	c.gauge("requests_invalid", "Answers 401, 403 and 429 in the last ten minutes; Discord bans for 10,000.", float64(r.Invalid))
	c.gauge("requests_queued", "Requests that wait for their turn.", float64(r.Queued))
	c.gauge("requests_banned", "1 while Cloudflare bans the address.", truth(r.Banned))
	c.gauge("requests_stopped", "1 when nothing is sent any more because Discord refused the token.", truth(r.Stopped != ""))
	for _, caller := range r.Callers {
		name := caller.Name
		c.counter("caller_requests", "Requests of a caller that Discord answered.", caller.Requests, "caller", name)
		c.counter("caller_requests_limited", "Of these, 429.", caller.Limited, "caller", name)
		c.gauge("caller_requests_invalid", "Answers 401, 403 and 429 to a caller in the last ten minutes.", float64(caller.Invalid), "caller", name)
		c.counter("caller_requests_not_sent", "Requests of a caller that were not sent because so many were invalid.", caller.Stopped, "caller", name)
		c.gauge("caller_requests_queued", "Requests of a caller inside the gate.", float64(caller.Queued), "caller", name)
		c.gauge("caller_throttled", "1 while a caller may not send everything because so many of its requests were invalid.", truth(caller.Standing != "good"), "caller", name)
	}
}

func (c collector) shard(s Shard) {
	shard := strconv.Itoa(s.Shard)
	c.gauge("shard_ready", "1 while the session is ready.", truth(s.State == "ready"), "shard", shard)
	if s.Guilds != nil {
		c.gauge("shard_guilds", "Guilds of the shard.", float64(*s.Guilds), "shard", shard)
	}
	c.gauge("shard_latency_seconds", "From the last heartbeat to its ACK.", s.LatencyMS/1000, "shard", shard)
	c.counter("shard_connections", "Connections made.", s.Connections, "shard", shard)
	c.counter("shard_identifies", "IDENTIFYs sent.", s.Identifies, "shard", shard)
	c.counter("shard_resumes", "Sessions resumed.", s.Resumes, "shard", shard)
	c.counter("shard_lost_sessions", "Sessions that could not be resumed.", s.Lost, "shard", shard)
	c.counter("shard_gaps", "Events whose numbers Discord left out.", s.Gaps, "shard", shard)
}

func (c collector) plugin(p Plugin) {
	c.gauge("plugin_running", "1 while an instance runs.", truth(p.State == "running"), "plugin", p.Name)
	c.gauge("plugin_generation", "Number of the instance since the host started.", float64(p.Generation), "plugin", p.Name)
	c.gauge("plugin_queued", "Events that wait in the host's memory.", float64(p.Queued), "plugin", p.Name)
	c.gauge("plugin_queued_bytes", "Bytes of these.", float64(p.QueuedBytes), "plugin", p.Name)
	c.gauge("plugin_behind", "Events that wait in the journal beside these.", float64(p.Behind), "plugin", p.Name)
	c.gauge("plugin_in_flight", "Events that the plugin has and has not acknowledged.", float64(p.InFlight), "plugin", p.Name)
	c.counter("plugin_delivered", "Events given to the plugin.", p.Delivered, "plugin", p.Name)
	c.counter("plugin_acknowledged", "Events that the plugin has handled.", p.Acked, "plugin", p.Name)
	c.counter("plugin_redelivered", "Events given once more after a crash.", p.Redelivered, "plugin", p.Name)
	c.counter("plugin_dropped", "Events that the plugin was away for too long to get.", p.Dropped, "plugin", p.Name)
	c.counter("plugin_dead_letters", "Events that crashed the plugin each time that they were alone with it.", p.DeadLetters, "plugin", p.Name)
	c.counter("plugin_errors", "Handlers that returned an error.", p.Errors, "plugin", p.Name)
	c.counter("plugin_lines_left_out", "Lines that it printed or logged beyond what the host's log takes.", p.Unlogged, "plugin", p.Name)
	c.counter("plugin_restarts", "Starts after a crash.", uint64(max(p.Restarts, 0)), "plugin", p.Name)
}

func (c collector) cache(s Cache) {
	c.gauge("cache_guilds", "Guilds in the cache.", float64(s.Guilds))
	c.gauge("cache_bytes", "Bytes that they are charged.", float64(s.Bytes))
	c.gauge("cache_limit_bytes", "Bound of these.", float64(s.LimitBytes))
	c.counter("cache_hits", "Guilds that were wanted and there.", s.Hits)
	c.counter("cache_misses", "Guilds that were wanted and not there.", s.Misses)
	c.counter("cache_loads", "Loads of guilds begun.", s.Loads)
	c.counter("cache_failed_loads", "Of these, failed.", s.Failed)
	c.counter("cache_evicted", "Guilds gone for want of room.", s.Evicted)
	c.counter("cache_expired", "Guilds gone for want of activity.", s.Expired)
	c.counter("cache_rejected", "Guilds that were loaded and not kept for want of room.", s.Rejected)
	c.gauge("cache_loading", "Loads under way or in line.", float64(s.Loading))
	c.gauge("cache_awaited", "Guilds that Discord is still to send.", float64(s.Awaited))
	c.gauge("cache_remembered", "Guilds whose failures are remembered.", float64(s.Remembered))
	for reason, n := range s.Missing {
		c.counter("cache_missing", "Guilds that were wanted and not to be had.", n, "reason", reason)
	}
	for _, state := range []string{"closed", "half-open", "open"} {
		c.gauge("guard_state", "1 for the guard's state: closed is well, open lets no load pass.", truth(s.Guard == state), "state", state)
	}
	c.gauge("guard_tokens", "Loads that may begin now.", s.Tokens)
}
