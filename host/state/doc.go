// Package state is the state folder: what a host keeps on disk between two
// runs. It is opened once and locked, so that two hosts never write the same
// folder; the second one is told the process id of the first.
//
// The folder is private (0700, files 0600) and holds
//
//	lock           flock-ed while a host lives; contains its process id
//	runtime.json   the process id and control socket of the running host
//	bot.json       which bot the folder is of
//	commands.json  which application commands on Discord are ours
//	identify.json  when the bot identified, and how often it still may ([Identifies])
//	sessions.*     what the sessions need to be resumed ([Sessions])
//	handover.json  that other sessions are taking over ([Handover]), until both have shown the same
//	guilds/        which guilds each shard has ([Guilds])
//	journal/       the events kept until they are handled ([Journal])
//	cursors/       what each plugin has acknowledged, a file each ([Cursor])
//	run/           sockets, emptied whenever a host opens the folder
//	NAME/          what [State.Dir] was asked for, such as staged/ and saved/
//
// The small files are written whole and swapped in by rename, so that a kill
// leaves either the old or the new one. What is written for each event is in
// the journal's segments and in mapped files.
//
// A file that cannot be read back is set aside under the name
// NAME.damaged-TIME, said in one log line, and treated as absent.
//
// Ownership: a mutex in [State] serialises reading, replacing and setting aside
// of files. Only an open [Journal] has a goroutine, for fsync and for dropping
// what is old, which its Close ends and waits for.
package state
