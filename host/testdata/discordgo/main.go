// Command discordgo is a program that uses a library which knows nothing of Holdfast: it speaks to the host's REST
// proxy at BASE, such as http://127.0.0.1:8080/api/v10, with KEY as its token, about GUILD. It exits with 1 if anything
// is not as Discord itself would have answered.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/bwmarrin/discordgo"
)

// perChannel is how many messages go to each channel: more than a bucket holds.
const perChannel = 7

func main() {
	point(os.Getenv("BASE"))
	s := session(os.Getenv("KEY"))
	if err := errors.Join(reads(s, os.Getenv("GUILD")), writes(s, os.Getenv("GUILD")), refusals(s)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// point changes the library's base URL, by the variables that it has for that.
func point(base string) {
	api := base + "/"
	discordgo.EndpointAPI = api
	discordgo.EndpointGuilds = api + "guilds/"
	discordgo.EndpointChannels = api + "channels/"
	discordgo.EndpointUsers = api + "users/"
	discordgo.EndpointGateway = api + "gateway"
	discordgo.EndpointGatewayBot = api + "gateway/bot"
	discordgo.EndpointWebhooks = api + "webhooks/"
	discordgo.EndpointApplications = api + "applications"
}

func session(key string) *discordgo.Session {
	s, err := discordgo.New("Bot " + key)
	if err != nil {
		panic(err)
	}
	s.ShouldRetryOnRateLimit = false // a 429 is an error: it must not come
	return s
}

func reads(s *discordgo.Session, guild string) error {
	me, err := s.User("@me")
	if err != nil {
		return fmt.Errorf("me: %w", err)
	}
	g, err := s.Guild(guild)
	if err != nil || g.ID != guild {
		return fmt.Errorf("guild %v: %w", g, err)
	}
	roles, err := s.GuildRoles(guild)
	if err != nil || len(roles) != len(g.Roles) {
		return fmt.Errorf("%d roles: %w", len(roles), err)
	}
	member, err := s.GuildMember(guild, me.ID)
	if err != nil || member.User.ID != me.ID {
		return fmt.Errorf("member %v: %w", member, err)
	}
	if gateway, err := s.GatewayBot(); err != nil || gateway.Shards < 1 {
		return fmt.Errorf("gateway %v: %w", gateway, err)
	}
	fmt.Println("reads", me.Username, g.Name)
	return nil
}

// writes sends messages to all text channels at once, and looks what has become of them.
func writes(s *discordgo.Session, guild string) error {
	channels, err := s.GuildChannels(guild)
	if err != nil {
		return fmt.Errorf("channels: %w", err)
	}
	var wait sync.WaitGroup
	faults := make(chan error, len(channels)*perChannel)
	for _, c := range channels {
		if c.Type != discordgo.ChannelTypeGuildText {
			continue
		}
		wait.Go(func() {
			for n := range perChannel {
				content := fmt.Sprintf("message %d", n)
				m, err := s.ChannelMessageSend(c.ID, content)
				if err != nil || m.Content != content {
					faults <- fmt.Errorf("send %v: %w", m, err)
				}
			}
		})
	}
	wait.Wait()
	close(faults)
	for err := range faults {
		return err
	}
	return oneMessage(s, channels)
}

func oneMessage(s *discordgo.Session, channels []*discordgo.Channel) error {
	var channel string
	for _, c := range channels {
		if c.Type == discordgo.ChannelTypeGuildText {
			channel = c.ID
		}
	}
	big := strings.Repeat("x", 1<<20)
	m, err := s.ChannelFileSendWithMessage(channel, "with a file", "ü b.txt", strings.NewReader(big))
	if err != nil || len(m.Attachments) != 1 || m.Attachments[0].Size != len(big) {
		return fmt.Errorf("upload %+v: %w", m, err)
	}
	if m, err = s.ChannelMessageEdit(channel, m.ID, "edited"); err != nil || m.Content != "edited" {
		return fmt.Errorf("edit %+v: %w", m, err)
	}
	if err := s.MessageReactionAdd(channel, m.ID, "👍"); err != nil {
		return fmt.Errorf("react: %w", err)
	}
	list, err := s.ChannelMessages(channel, 100, "", "", "")
	if err != nil || len(list) != perChannel+1 {
		return fmt.Errorf("%d messages: %w", len(list), err)
	}
	if err := s.ChannelMessageDelete(channel, m.ID, discordgo.WithAuditLogReason("why not")); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	fmt.Println("writes")
	return nil
}

// refusals must look to the library as Discord's own.
func refusals(s *discordgo.Session) error {
	_, err := s.Channel("1")
	refused := new(discordgo.RESTError)
	if !errors.As(err, &refused) || refused.Message == nil || refused.Message.Code != discordgo.ErrCodeUnknownChannel {
		return fmt.Errorf("an unknown channel: %w", err)
	}
	_, err = session("MTIz.wrong.key").User("@me")
	if !errors.As(err, &refused) || refused.Response.StatusCode != 401 {
		return fmt.Errorf("a wrong key: %w", err)
	}
	fmt.Println("refusals")
	return nil
}
