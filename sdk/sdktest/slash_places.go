package sdktest

// Types of command options that name a place or a role of the guild.
const (
	channelOption = 7
	roleOption    = 8
)

// Channel is a channel's id for one of the command's options.
func Channel(name, id string) SlashOption { return option(name, channelOption, id) }

// Role is a role's id for one of the command's options.
func Role(name, id string) SlashOption { return option(name, roleOption, id) }
