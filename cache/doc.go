// Package cache will hold the guild cache: guilds loaded on demand, kept while
// they are active, bounded in bytes, behind a guard against mass events. It is
// empty until then: a plugin's bot.Guild is one REST request through the gate.
package cache
