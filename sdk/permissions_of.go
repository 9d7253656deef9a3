package sdk

import (
	"context"
	"fmt"
	"time"

	"github.com/switchupcb/disgo"
)

const (
	// heldInTimeout is what a member keeps that is timed out.
	heldInTimeout = PermissionViewChannel | PermissionReadMessageHistory
	// heldBySending is what nobody has who may not send messages.
	heldBySending = PermissionMentionEveryone | PermissionSendTTSMessages | PermissionAttachFiles | PermissionEmbedLinks
)

// Permissions computes what a member may do in a channel or an active thread of a
// guild, or with channelID "" in the guild as a whole. It reads the guild as Guild
// does, only the parts that it takes, and the member as Member does: for the bot
// itself and for the guild's owner that is no request, nor for others if the host
// keeps members. For who has sent the event that is being handled, Discord has
// sent the member along: Guild.PermissionsOf takes it and asks nobody.
//
// What is computed follows Discord's documentation ("Permissions"), implicit
// permissions included:
//
//   - The owner and administrators have AllPermissions, everywhere.
//   - A channel's overwrites are its own: a category's count for itself alone.
//   - Without PermissionViewChannel nothing is left in a channel, not even what
//     concerns the whole guild: ask for that with channelID "". Without
//     PermissionConnect nothing else is left in a voice or stage channel.
//   - Without PermissionSendMessages there is no mentioning of everyone, no TTS, no
//     attaching and no embedding.
//   - A thread has the permissions of its parent, but PermissionSendMessages, which
//     has no effect there: PermissionSendMessagesInThreads stands in for it. For
//     private threads they are those of somebody who has been added to it.
//   - A member that is timed out only keeps PermissionViewChannel and
//     PermissionReadMessageHistory.
//
// The order of roles, which Discord wants to be kept for kicking, banning and
// granting ("Permission Hierarchy"), is not looked at.
//
// The errors are those of Guild, Channel and Member.
func (b *Bot) Permissions(ctx context.Context, guildID, userID, channelID string) (Permissions, error) {
	if err := checkID(userID); err != nil {
		return 0, fmt.Errorf("compute permissions: %w", err)
	}
	parts := PartGuild
	if channelID != "" {
		if err := checkID(channelID); err != nil {
			return 0, fmt.Errorf("compute permissions: %w", err)
		}
		parts |= PartChannels | PartThreads
	}
	if userID == b.UserID() {
		parts |= PartMember
	}
	guild, err := b.readGuild(ctx, guildID, parts)
	if err != nil {
		return 0, err
	}
	if channelID != "" {
		if _, err := guild.findChannel(guildID, channelID); err != nil {
			return 0, err // before anybody is asked for the member
		}
	}
	var member *disgo.GuildMember
	switch {
	case userID == guild.OwnerID: // has all, whatever else
	case userID == b.UserID() && guild.Member != nil:
		member = guild.Member
	default:
		m, err := b.Member(ctx, guildID, userID)
		if err != nil {
			return 0, err
		}
		member = &m.GuildMember
	}
	return guild.PermissionsOf(userID, member, channelID)
}

// PermissionsOf is Bot.Permissions with what is at hand: nobody is asked. The
// member may be any that Discord sent, such as a message's, which lacks its user;
// what counts of it are the roles and the timeout. The owner's may be nil. The
// guild must have been read with PartGuild, and for a channel with PartChannels
// and PartThreads.
//
// The error is a *NotFoundError when there is no such channel, or no parent of the
// thread, that the bot may see.
func (g *Guild) PermissionsOf(userID string, member *disgo.GuildMember, channelID string) (Permissions, error) {
	need := PartGuild
	if channelID != "" {
		need |= PartChannels | PartThreads
	}
	if !g.Has(need) {
		return 0, fmt.Errorf("compute permissions: they take %s, and the guild was read with %s only", need, g.parts())
	}
	if member == nil {
		if userID != g.OwnerID {
			return 0, fmt.Errorf("compute permissions: the member %s is nil", userID)
		}
		member = new(disgo.GuildMember)
	}
	w := weighing{guild: g, userID: userID, member: member, now: time.Now()}
	if channelID == "" {
		return w.atLarge(), nil
	}
	channel, err := g.findChannel(g.ID, channelID)
	if err != nil {
		return 0, err
	}
	holder := channel // of the overwrites
	if isThread(channel) {
		if holder, err = g.findChannel(g.ID, parentOf(channel)); err != nil {
			return 0, fmt.Errorf("find the parent of thread %s: %w", channelID, err)
		}
	}
	return w.within(channel, holder), nil
}

// weighing computes one member's permissions, after the steps of Discord's
// documentation ("Permission Overwrites", "Implicit Permissions", "Inherited
// Permissions (Threads)", "Permissions For Timed Out Members").
type weighing struct {
	guild  *Guild
	userID string
	member *disgo.GuildMember
	now    time.Time
}

// atLarge is for the guild as a whole.
func (w *weighing) atLarge() Permissions {
	base := w.base()
	if base != AllPermissions && w.timedOut() {
		base &= heldInTimeout
	}
	return base
}

// within is for a channel or thread whose overwrites holder has.
func (w *weighing) within(channel, holder *disgo.Channel) Permissions {
	base := w.base()
	if base == AllPermissions {
		return base
	}
	p := implied(channel, w.overwritten(base, holder.PermissionOverwrites))
	if w.timedOut() {
		p &= heldInTimeout
	}
	return p
}

// base is what @everyone and the member's roles give, and all for who owns or
// administers the guild.
func (w *weighing) base() (base Permissions) {
	if w.userID == w.guild.OwnerID {
		return AllPermissions
	}
	for _, role := range w.guild.Roles {
		if role != nil && (role.ID == w.guild.ID || w.wears(role.ID)) {
			base |= lenient(role.Permissions)
		}
	}
	if base.Has(PermissionAdministrator) {
		return AllPermissions
	}
	return base
}

// overwritten lays overwrites over the base: that of @everyone, then those of the
// member's roles, all that deny before all that allow, then the member's own.
func (w *weighing) overwritten(p Permissions, overwrites []*disgo.PermissionOverwrite) Permissions {
	var everyone, roles, member struct{ deny, allow Permissions }
	for _, o := range overwrites {
		if o == nil {
			continue
		}
		into := &roles
		switch {
		case o.ID == w.guild.ID:
			into = &everyone
		case o.ID == w.userID:
			into = &member
		case !w.wears(o.ID):
			continue
		}
		into.deny |= lenient(o.Deny)
		into.allow |= lenient(o.Allow)
	}
	p = p&^everyone.deny | everyone.allow
	p = p&^roles.deny | roles.allow
	return p&^member.deny | member.allow
}

// implied takes away what goes with what is missing.
func implied(channel *disgo.Channel, p Permissions) Permissions {
	if !p.Has(PermissionViewChannel) {
		return 0
	}
	speech := PermissionSendMessages
	switch {
	case isThread(channel):
		p &^= PermissionSendMessages // it has no effect here
		speech = PermissionSendMessagesInThreads
	case isVoice(channel) && !p.Has(PermissionConnect):
		// Discord answers "Missing Access" to all else, reading included.
		return PermissionViewChannel
	}
	if !p.Has(speech) {
		p &^= heldBySending
	}
	return p
}

func (w *weighing) wears(role string) bool {
	for _, id := range w.member.Roles {
		if id != nil && *id == role {
			return true
		}
	}
	return false
}

func (w *weighing) timedOut() bool {
	until := w.member.CommunicationDisabledUntil
	return until != nil && *until != nil && w.now.Before(**until)
}

// lenient reads a set; one that is none gives nothing.
func lenient(s string) Permissions {
	p, _ := ParsePermissions(s) // 0 with an error
	return p
}

func isThread(c *disgo.Channel) bool {
	if c.Type == nil {
		return false
	}
	switch *c.Type {
	case disgo.FlagChannelTypeANNOUNCEMENT_THREAD, disgo.FlagChannelTypePUBLIC_THREAD, disgo.FlagChannelTypePRIVATE_THREAD:
		return true
	}
	return false
}

func isVoice(c *disgo.Channel) bool {
	return c.Type != nil && (*c.Type == disgo.FlagChannelTypeGUILD_VOICE || *c.Type == disgo.FlagChannelTypeGUILD_STAGE_VOICE)
}

func parentOf(c *disgo.Channel) string {
	if c.ParentID == nil || *c.ParentID == nil {
		return ""
	}
	return **c.ParentID
}
