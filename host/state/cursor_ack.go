package state

// Ack acknowledges the event with this journal index. Once it has returned, the
// acknowledgement survives a kill of the process. What is acknowledged already is
// no error; [ErrWindow] means that nothing was.
func (c *Cursor) Ack(index uint64) error { return c.AckRange(index, index) }

// AckRange acknowledges all events from first to last. It is how events count
// that the plugin does not ask for, and those that the journal has lost. A range
// that begins at the low-water mark may have any length.
func (c *Cursor) AckRange(first, last uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.need(); err != nil {
		return err
	}
	return c.mark.ack(first, last)
}

// SkipTo acknowledges everything up to index: a plugin that is new starts above
// it. It never goes back.
func (c *Cursor) SkipTo(index uint64) error { return c.AckRange(0, index) }

// Acked says whether the event has been acknowledged.
func (c *Cursor) Acked(index uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mark != nil && c.mark.acked(index)
}

// SetSent remembers that events up to index have been handed to the plugin's
// process. It goes back by Landed alone. After a kill, what is above [Cursor.Low], not
// acknowledged and at most [Cursor.Sent] may have been handled before.
func (c *Cursor) SetSent(index uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.need(); err != nil {
		return err
	}
	if index > c.mark.read(wordSent) {
		c.mark.write(wordSent, index)
	}
	return nil
}

// Landed takes back what SetSent remembers, down to index: no open event above it
// may have been handled.
func (c *Cursor) Landed(index uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.need(); err != nil {
		return err
	}
	if index < c.mark.read(wordSent) {
		c.mark.write(wordSent, index)
	}
	return nil
}

// Position tells up to where all events are acknowledged, the low-water mark, and
// the highest index given to SetSent since Landed. If known is false, the plugin
// has no position in the journal: it starts at its barrier, by SkipTo.
func (c *Cursor) Position() (low, sent uint64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mark == nil {
		return 0, 0, false
	}
	return c.mark.read(wordLow), c.mark.read(wordSent), c.mark.read(wordPlaced) != 0
}

// Low is the low-water mark of [Cursor.Position].
func (c *Cursor) Low() uint64 {
	low, _, _ := c.Position()
	return low
}

// Sent is that of [Cursor.Position].
func (c *Cursor) Sent() uint64 {
	_, sent, _ := c.Position()
	return sent
}
