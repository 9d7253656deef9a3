package control

// Interactions counts what became of interactions beside an answer in time.
type Interactions struct {
	// Waiting is how many have no answer now and may still get one.
	Waiting int `json:"waiting"`
	// Deferred is how many the host has deferred, Late how many of these have been
	// answered then.
	Deferred uint64 `json:"deferred"`
	Late     uint64 `json:"late"`
	// Unavailable is how many the host has answered in the place of plugins.
	Unavailable uint64 `json:"unavailable"`
	// Silent is how many ended without an answer, because no handler returned one.
	Silent uint64 `json:"silent"`
	// Refused counts second answers of plugins, and those that came too late.
	Refused uint64 `json:"refused"`
	// Expired is how many nobody could answer in time.
	Expired uint64 `json:"expired"`
}

func (c collector) interactions(i Interactions) {
	c.gauge("interactions_waiting", "Interactions that have no answer now and may still get one.", float64(i.Waiting))
	c.counter("interactions_deferred", "Interactions that the host has deferred.", i.Deferred)
	c.counter("interactions_late", "Of these, answered by a plugin then.", i.Late)
	c.counter("interactions_unavailable", "Interactions that the host has answered in the place of plugins.", i.Unavailable)
	c.counter("interactions_silent", "Interactions that ended without an answer, because no handler returned one.", i.Silent)
	c.counter("interactions_refused", "Answers of plugins that came second, or too late.", i.Refused)
	c.counter("interactions_expired", "Interactions that nobody could answer in time.", i.Expired)
}
