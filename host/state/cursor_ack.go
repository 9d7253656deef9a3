package state

// Ack acknowledges the event of a shard with this journal index. Once it has
// returned, the acknowledgement survives a kill of the process. What is
// acknowledged already is no error; [ErrWindow] means that nothing was.
func (c *Cursor) Ack(shard uint32, index uint64) error { return c.AckRange(shard, index, index) }

// AckRange acknowledges all events from first to last. It is how events count
// that the plugin does not ask for, and those that the journal has lost. A range
// that begins at the low-water mark may have any length and costs the same as one.
func (c *Cursor) AckRange(shard uint32, first, last uint64) error {
	m, err := c.need(shard)
	if err != nil {
		return err
	}
	return m.ack(first, last)
}

// SkipTo acknowledges everything up to index: a plugin that is new starts above
// it. It never goes back.
func (c *Cursor) SkipTo(shard uint32, index uint64) error { return c.AckRange(shard, 0, index) }

// Acked says whether the event has been acknowledged.
func (c *Cursor) Acked(shard uint32, index uint64) bool {
	m := c.at(shard)
	return m != nil && m.acked(index)
}

// Low is the low-water mark: all events up to it have been acknowledged. It is 0
// for a shard that the plugin has no mark for.
func (c *Cursor) Low(shard uint32) uint64 {
	if m := c.at(shard); m != nil {
		return m.read(wordLow)
	}
	return 0
}

// Known says whether the plugin has a position in this shard's journal. If not,
// it starts at its barrier, by SkipTo.
func (c *Cursor) Known(shard uint32) bool {
	m := c.at(shard)
	return m != nil && m.read(wordPlaced) != 0
}

// SetSent remembers that events up to index have been handed to the plugin's
// process. It goes back by Landed alone. After a kill, what is above [Cursor.Low], not
// acknowledged and at most [Cursor.Sent] may have been handled before.
func (c *Cursor) SetSent(shard uint32, index uint64) error {
	m, err := c.need(shard)
	if err != nil {
		return err
	}
	m.sent(index)
	return nil
}

// Landed takes back what SetSent remembers, down to index: no open event above it
// may have been handled.
func (c *Cursor) Landed(shard uint32, index uint64) error {
	m, err := c.need(shard)
	if err != nil {
		return err
	}
	m.landed(index)
	return nil
}

// Sent is the highest index given to SetSent since Landed, 0 if there was none.
func (c *Cursor) Sent(shard uint32) uint64 {
	if m := c.at(shard); m != nil {
		return m.read(wordSent)
	}
	return 0
}

// Position is Low, Sent and Known in one.
func (c *Cursor) Position(shard uint32) (low, sent uint64, known bool) {
	return c.Low(shard), c.Sent(shard), c.Known(shard)
}
