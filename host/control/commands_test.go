package control

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// commander is a source whose commands are the test's.
type commander struct {
	noWork
	answer func(context.Context) (Commands, error)
}

func (commander) Status() Status { return Status{} }

func (c commander) Commands(ctx context.Context) (Commands, error) { return c.answer(ctx) }

func TestCommandsCrossWhole(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	want := Commands{
		Mode: "merge", DevGuild: "5", Errors: []string{"read the commands of guild 7"},
		Commands: []Command{{Guild: "5", Type: 1, Name: "ping", Plugin: "hello", Registered: true, Foreign: true, Action: "change", Differs: []string{"nsfw"}, Stopped: true, Fault: "no"}},
	}
	eachFieldIsSet(t, reflect.ValueOf(want), "Commands")
	serve(t, path, commander{answer: func(context.Context) (Commands, error) { return want, nil }}, nil)
	got, err := GetCommands(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestCommandsAreTurnedDownWithASentence(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	if _, err := GetCommands(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody there: %v", err)
	}
	serve(t, path, commander{answer: func(context.Context) (Commands, error) {
		return Commands{}, errors.New("the host is not up (starting)")
	}}, nil)
	if _, err := GetCommands(t.Context(), path); err == nil || err.Error() != "the host is not up (starting)" {
		t.Errorf("error %v", err)
	}
}

// TestAQuestionForCommandsEndsWithWhoAskedAndWithTheServer: Discord may take minutes.
func TestAQuestionForCommandsEndsWithWhoAskedAndWithTheServer(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	began := make(chan struct{}, 1)
	ended := make(chan error, 2)
	s, err := Listen(path, commander{answer: func(ctx context.Context) (Commands, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return Commands{}, ctx.Err()
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.grace = time.Hour // or the end of the connection would end the question
	stop := run(t, s)
	ctx, leave := context.WithCancel(t.Context())
	answer := make(chan error, 2)
	ask := func(ctx context.Context) {
		_, err := GetCommands(ctx, path)
		answer <- err
	}
	go ask(ctx)
	<-began
	leave()
	<-ended
	if err := <-answer; err == nil || !strings.Contains(err.Error(), "wait for holdfast") {
		t.Errorf("error %v", err)
	}
	go ask(t.Context())
	<-began
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	<-ended
	<-answer
	<-stopped
}

func TestASlowAnswerAboutCommandsArrives(t *testing.T) {
	s, err := Listen(filepath.Join(folder(t), "control"), commander{answer: func(ctx context.Context) (Commands, error) {
		select {
		case <-time.After(60 * time.Millisecond): // longer than the server's time-out
			return Commands{Mode: "off"}, nil
		case <-ctx.Done():
			return Commands{}, ctx.Err()
		}
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.timeout = 30 * time.Millisecond
	run(t, s)
	if got, err := GetCommands(t.Context(), s.Path()); err != nil || got.Mode != "off" {
		t.Errorf("got %+v, %v", got, err)
	}
}
