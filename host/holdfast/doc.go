// Command holdfast runs a Discord bot whose code is a folder of plugins.
//
//	holdfast run       be the bot, until a signal
//	holdfast status    ask a running host how it is
//	holdfast reload    have a running host take in changed plugins; so does SIGHUP
//	holdfast simulate  run a Discord of its own, to try a bot on
//	holdfast demo      run a bot of example plugins on a built-in Discord
//	holdfast version   print the version
//
// Exit codes: 0 all went well, 1 something failed while running or a plugin was not
// reloaded, 2 the command line or the settings are wrong.
//
// main only parses, waits for signals and exits: what a command does stands in
// its Run method, what the bot does in package host. Two goroutines wait for
// signals: untilSignal's and onHangup's, each for as long as its stop allows. The
// demo runs this program once more, as its host; see demoHostCmd.
package main
