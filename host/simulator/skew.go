package simulator

import (
	"slices"
	"time"
)

// lateFrame is a frame that the session is told of later than it happened.
type lateFrame struct {
	due time.Time
	frame
}

// lanePace is how late a session is told of what happens in a guild.
type lanePace struct {
	delay time.Duration
	last  time.Time // when the last is due: order is kept
}

// paceChanges is how many events of a guild, on average, a session is told of with the same delay.
const paceChanges = 16

// delay keeps a frame until its time has come; the caller holds the lock.
func (ses *session) delay(guild uint64, f frame, limits *Config) bool {
	if ses.dead {
		return false
	}
	p, known := ses.pace[guild]
	if !known || ses.dice.IntN(paceChanges) == 0 {
		p.delay = time.Duration(ses.dice.Int64N(int64(limits.Skew)))
	}
	due := time.Now().Add(p.delay)
	if due.Before(p.last) {
		due = p.last
	}
	p.last = due
	ses.pace[guild] = p
	at, _ := slices.BinarySearchFunc(ses.late, due, func(l lateFrame, due time.Time) int {
		if l.due.After(due) {
			return 1
		}
		return -1 // behind those of the same time
	})
	ses.late = slices.Insert(ses.late, at, lateFrame{due, f})
	if at == 0 && ses.conn != nil {
		ses.conn.nudge() // its writer sleeps until a later time
	}
	return true
}

// ripen numbers the frames whose time has come; the caller holds the lock.
func (ses *session) ripen(limits *Config) {
	n, now := 0, time.Now()
	for n < len(ses.late) && !ses.late[n].due.After(now) {
		ses.append(ses.late[n].name, ses.late[n].data, limits)
		n++
	}
	ses.late = slices.Delete(ses.late, 0, n)
}

// flush numbers all that is late: the session ends. The caller holds the lock.
func (ses *session) flush(limits *Config) {
	for _, l := range ses.late {
		ses.append(l.name, l.data, limits)
	}
	ses.late = nil
}
