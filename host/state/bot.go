package state

import "fmt"

const botFile = "bot.json"

// Claim gives the folder to the bot with this id, for good. It is an error if
// another bot has it: its sessions, events and commands are none of this one's,
// and the addresses of its sessions may not see this one's token.
func (s *State) Claim(bot uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var owner uint64
	if err := load(s, botFile, &owner); err != nil {
		return err
	}
	switch owner {
	case bot:
		return nil
	case 0: // new, or of a holdfast that did not ask
		return store(s, botFile, bot)
	default:
		return fmt.Errorf("state folder %s belongs to bot %d and the token to bot %d: give another --state, or that bot's token", s.dir, owner, bot)
	}
}
