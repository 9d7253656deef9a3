package state

import "fmt"

const botFile = "bot.json"

// owner is the bot that a state folder is of.
type owner struct {
	ID   uint64 `json:"id,string"`
	Name string `json:"name"`
}

// Claim makes the folder that of this bot, for good: what it keeps (events,
// sessions, what plugins had in memory) is nobody else's. The error names the bot
// that has it already.
func (s *State) Claim(bot uint64, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var have owner
	if err := load(s, botFile, &have); err != nil {
		return err
	}
	if have.ID != 0 && have.ID != bot {
		return fmt.Errorf("state folder %s is of the bot %s (%d), and the token is of %s (%d): give another --state, or remove the folder to begin anew",
			s.dir, have.Name, have.ID, name, bot)
	}
	if have.ID == bot {
		return nil
	}
	return store(s, botFile, owner{bot, name})
}
