package gateway

import (
	"fmt"
	"strings"

	"github.com/gorilla/websocket"
)

// CloseError is a close code after which Discord wants no further attempt. It ends
// the whole set: token, shard count, version and intents are the same for every
// shard, so what Discord refuses to one it would refuse to the next that must
// identify, and each attempt costs an IDENTIFY. Any other end of a connection
// concerns its own shard alone.
type CloseError struct {
	Shard int
	// Code is Discord's close code, 4004 or 4010 to 4014.
	Code int
	// Reason says what Discord means by it, Remedy what to do about it.
	Reason, Remedy string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("shard %d: %s (close code %d): %s", e.Shard, e.Reason, e.Code, e.Remedy)
}

// consequence is what follows from the end of a connection.
type consequence int

const (
	// resume takes the session up again on a new connection.
	resume consequence = iota
	// renew gives the session up and identifies anew.
	renew
	// fatal ends the set: another attempt would be refused likewise.
	fatal
)

type closeRule struct {
	then           consequence
	reason, remedy string
}

// codes of Discord's that the rules below name more than once or tests need.
const (
	codeAuthenticationFailed = 4004
	codeTooFewShards         = 4011
	codeDisallowedIntents    = 4014
	// codeKeep is what we close with: neither 1000 nor 1001, which would end the session.
	codeKeep = 4000
)

// closeRules is Discord's table of gateway close codes. What is not in it
// leaves the session alone: resume.
func closeRules(intents uint64) map[int]closeRule {
	return map[int]closeRule{
		4000: {resume, "unknown error", ""},
		4001: {resume, "discord did not know an opcode", ""},
		4002: {resume, "discord could not read a payload", ""},
		4003: {renew, "a payload was sent before identify", ""},
		codeAuthenticationFailed: {fatal, "discord refused the token",
			"check DISCORD_TOKEN or --token-file, or make a new token in the developer portal under Bot"},
		4005:             {resume, "identify was sent twice", ""},
		4007:             {renew, "discord did not know the sequence number", ""},
		4008:             {resume, "payloads were sent too fast", ""},
		4009:             {renew, "the session timed out", ""},
		4010:             {fatal, "discord refused the shard number", "check --shards: every number must be below the shard count"},
		codeTooFewShards: {fatal, "this bot is in too many guilds for so few shards", "raise --shards, or leave it at auto"},
		4012:             {fatal, "discord no longer speaks gateway version 10", "update holdfast"},
		4013: {fatal, fmt.Sprintf("discord does not know the intents %d", intents),
			"update holdfast, or remove the plugin that asks for the newest events"},
		codeDisallowedIntents: {fatal, "discord does not allow this bot the intents it asks for", switches(intents)},
	}
}

// switches names the switches of the developer portal that privileged intents need.
func switches(intents uint64) string {
	var on []string
	for _, p := range []struct {
		bit  uint64
		name string
	}{
		{1 << 1, "Server Members Intent"},
		{1 << 8, "Presence Intent"},
		{1 << 15, "Message Content Intent"},
	} {
		if intents&p.bit != 0 {
			on = append(on, p.name)
		}
	}
	if len(on) == 0 {
		return fmt.Sprintf("the intents %d name no privileged one: check them against Discord's documentation", intents)
	}
	return "switch on " + strings.Join(on, " and ") +
		" in the developer portal under Bot, or remove the plugins that need it"
}

// judge says what follows from a close code.
func judge(shard int, intents uint64, e *websocket.CloseError) (consequence, *CloseError) {
	rule := closeRules(intents)[e.Code]
	if rule.then != fatal {
		return rule.then, nil
	}
	return fatal, &CloseError{Shard: shard, Code: e.Code, Reason: rule.reason, Remedy: rule.remedy}
}
