package sdk

// elsewhere finds a command by its type and name alone, that of the lowest guild
// first: a host in development registers all commands in one guild, those of
// other guilds, too. Nobody else sends one that is neither global nor of its guild.
func (d *delivery) elsewhere(key commandKey) *command {
	var found *command
	for other, c := range d.commands {
		if other.kind == key.kind && other.name == key.name && (found == nil || other.guild < found.guild) {
			found = c
		}
	}
	return found
}
