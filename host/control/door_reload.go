package control

import (
	"context"
	"net/http"
	"time"
)

// requestLimit bounds a request's body: thousands of names to reload fit.
const requestLimit = 64 << 10

// reload answers an operator's request for a reload. ctx is Serve's and not the
// request's: the reload ends with the server, never with the operator.
func (s *Server) reload(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	var options ReloadOptions
	err := readObject(http.MaxBytesReader(w, r.Body, requestLimit), &options, "what to reload", "names, force, dry_run, prune and reidentify")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	options.Asker = r.URL.Query().Get("asker")
	s.works.RLock()
	defer s.works.RUnlock()
	if ctx.Err() != nil {
		http.Error(w, "nothing reloaded: holdfast is stopping", http.StatusConflict)
		return
	}
	report, refusal := s.source.Reload(ctx, options)
	// The time-out of the answer, which is for operators that do not read, has
	// been running since the request came: it begins anew.
	door := http.NewResponseController(w)
	if err := door.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		s.log.Warn("answer to a reload may be cut", "error", err)
	}
	if report.Steps == nil {
		report.Steps = []ReloadStep{} // a list for scripts, also when it is empty
	}
	if refusal != nil {
		http.Error(w, refusal.Error(), http.StatusConflict)
	} else {
		s.answer(w, report)
	}
	if err := door.Flush(); err != nil {
		s.logUnseen(report, refusal)
	}
}

// logUnseen tells of a reload whose operator has gone away. What became of each
// plugin the source has logged.
func (s *Server) logUnseen(report ReloadReport, refusal error) {
	if refusal != nil {
		s.log.Warn("the reload was turned down, and its operator has gone", "error", refusal)
		return
	}
	undone := 0
	for _, step := range report.Steps {
		if !step.OK() {
			undone++
		}
	}
	s.log.Info("the reload has ended, and its operator has gone", "steps", len(report.Steps), "not_done", undone)
}
