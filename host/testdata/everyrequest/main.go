// Command everyrequest sends one of each of disgo's requests: as a plugin, when
// its command is used, or with DIRECT set as a program of its own with nothing
// but disgo, to that address. It writes down what each came to.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"regexp"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

// outcome is a line of FILE.
type outcome struct {
	Request string
	Answer  any    `json:",omitempty"`
	Error   string `json:",omitempty"`
}

func main() {
	var world map[string]string
	if err := json.Unmarshal([]byte(os.Getenv("WORLD")), &world); err != nil {
		panic(err)
	}
	if address := os.Getenv("DIRECT"); address != "" {
		if err := sendAll(direct(address, world["ApplicationID"]), world); err != nil {
			panic(err)
		}
		return
	}
	p := sdk.New("everyrequest")
	p.Command(&disgo.CreateGlobalApplicationCommand{Name: "every", Description: disgo.Pointer("Sends every request.")},
		func(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
			world["InteractionID"], world["InteractionToken"] = i.ID, i.Token
			return nil, sendAll(bot.Client, world)
		})
	p.Run()
}

// direct is disgo as its documentation has it, but for the place where Discord
// is, its rate limiter and its second of patience.
func direct(address, application string) *disgo.Client {
	config := disgo.DefaultConfig()
	config.Request.Client.Dial = func(string) (net.Conn, error) { return net.Dial("tcp", address) }
	config.Request.Client.TLSConfig = &tls.Config{InsecureSkipVerify: true} // the test's own certificate
	config.Request.Timeout = time.Minute
	config.Request.RateLimiter = unlimited{}
	return &disgo.Client{ApplicationID: application, Authentication: disgo.BotToken(os.Getenv("TOKEN")), Config: config}
}

// sendAll writes into a file beside FILE and renames it when all is there.
func sendAll(client *disgo.Client, world map[string]string) error {
	file, err := os.Create(os.Getenv("FILE") + ".part")
	if err != nil {
		return err
	}
	world["WebhookToken"] = world["InteractionToken"] // an interaction is a webhook of the application
	out := json.NewEncoder(file)
	for _, request := range requests() {
		if err := out.Encode(send(client, request, world)); err != nil {
			return err
		}
	}
	return errors.Join(file.Close(), os.Rename(file.Name(), os.Getenv("FILE")))
}

// send also survives what disgo cannot send: GetGuildOnboarding panics.
func send(client *disgo.Client, request any, world map[string]string) (o outcome) {
	name := reflect.TypeOf(request).Elem().Name()
	fill(request, name, world)
	defer func() {
		if v := recover(); v != nil {
			o = outcome{Request: name, Error: fmt.Sprint("panic: ", v)}
		}
	}()
	results := reflect.ValueOf(request).MethodByName("Send").Call([]reflect.Value{reflect.ValueOf(client)})
	o = outcome{Request: name}
	if err, _ := results[len(results)-1].Interface().(error); err != nil {
		o.Error = inWords(err)
	} else if len(results) > 1 {
		o.Answer = results[0].Interface()
	}
	return o
}

var statusCode = regexp.MustCompile(`^status code (\d+): `)

// inWords is an error without what must differ: disgo alone has no more than
// the status, and its request's number in the log.
func inWords(err error) string {
	if api, ok := sdk.AsAPIError(err); ok {
		return fmt.Sprintf("status %d", api.Status)
	}
	if request, ok := errors.AsType[disgo.ErrorRequest](err); ok {
		err = request.Err
	}
	if m := statusCode.FindStringSubmatch(err.Error()); m != nil {
		return "status " + m[1]
	}
	return err.Error()
}

// unlimited is a rate limiter that does nothing.
type unlimited struct{}

func (unlimited) SetBucketID(string, string)             {}
func (unlimited) GetBucketID(string) string              { return "" }
func (unlimited) SetBucketFromID(string, *disgo.Bucket)  {}
func (unlimited) GetBucketFromID(string) *disgo.Bucket   { return nil }
func (unlimited) SetBucket(string, *disgo.Bucket)        {}
func (unlimited) GetBucket(string, string) *disgo.Bucket { return nil }
func (unlimited) SetDefaultBucket(*disgo.Bucket)         {}
func (unlimited) Lock()                                  {}
func (unlimited) Unlock()                                {}
func (unlimited) StartTx()                               {}
func (unlimited) EndTx()                                 {}
