// Command slow is a plugin that never gets to its handshake.
package main

import "time"

func main() {
	time.Sleep(time.Hour)
}
