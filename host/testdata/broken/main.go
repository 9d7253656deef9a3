// Command broken is a plugin that panics before it has begun.
package main

func main() {
	panic("no config file")
}
