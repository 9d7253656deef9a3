// Command author is the plugin of the host's tests of what authors read: each
// message tells it what to read, and it writes a line with what it got: the
// message, "=", and the result. With PARTS it wants these of the guild before its
// handler runs.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	p := sdk.New(cmp.Or(os.Getenv("NAME"), "author"))
	var options []sdk.Option
	if parts, err := strconv.ParseUint(os.Getenv("PARTS"), 10, 32); err == nil {
		options = append(options, sdk.WithGuild(sdk.Part(parts)))
	}
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		result, err := read(ctx, bot, strings.Fields(e.Content))
		if err != nil {
			result = strings.ReplaceAll(fmt.Sprintf("%T: %v", err, err), "\n", " ")
		}
		_, err = fmt.Fprintf(file, "%s = %s\n", e.Content, result)
		return err
	}, options...)
	p.Run()
}

func read(ctx context.Context, bot *sdk.Bot, words []string) (string, error) {
	word := func(n int) string {
		if n < len(words) {
			return words[n]
		}
		return ""
	}
	switch word(0) {
	case "role":
		role, err := bot.Role(ctx, bot.GuildID(), word(1))
		if err != nil {
			return "", err
		}
		return role.Name, nil
	case "channel":
		channel, err := bot.Channel(ctx, bot.GuildID(), word(1))
		if err != nil {
			return "", err
		}
		return **channel.Name, nil
	case "member":
		member, err := bot.Member(ctx, cmp.Or(word(2), bot.GuildID()), word(1))
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s with %d roles", member.User.ID, len(member.Roles)), nil
	case "may":
		may, err := bot.Permissions(ctx, bot.GuildID(), word(1), word(2))
		return may.String(), err
	case "guild":
		guild, err := bot.Guild(ctx, cmp.Or(word(1), bot.GuildID())) // some bots let users say which
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s with %d channels, its bot %s", guild.Name, len(guild.Channels), guild.Member.User.ID), nil
	}
	return "nothing", nil
}
