package control

import "context"

// Source is the host behind the door. It is asked from several goroutines at
// once.
type Source interface {
	Status() Status
	// Reload reloads plugins and returns when all is done that will be. An error
	// turns the whole request down, with a sentence for the operator: the host is
	// not up, a name is unknown, enough reloads wait already. What became of a
	// single plugin stands in its step. The source lets one reload run at a time.
	// It logs what it does with each plugin, and returns soon after ctx, or the
	// host, has ended.
	Reload(ctx context.Context, o ReloadOptions) (ReloadReport, error)
}
