package sdk

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
)

func TestTokensAreMasked(t *testing.T) {
	tests := []struct{ text, want string }{
		{"nothing here", "nothing here"},
		{"POST /interactions/12/secret/callback: refused", "POST /interactions/12/…/callback: refused"},
		{`Post "https://discord.com/api/v10/webhooks/1/secret": EOF`, `Post "https://discord.com/api/v10/webhooks/1/…": EOF`},
		{"/webhooks/1/secret/messages/@original and /interactions/2/secret", "/webhooks/1/…/messages/@original and /interactions/2/…"},
		{"/webhooks/1/secret?wait=true", "/webhooks/1/…?wait=true"},
		{"/webhooks/", "/webhooks/"},
		{"/interactions/1", "/interactions/1"},
		{"/interactions/1/", "/interactions/1/…"},
		{"/webhooks/webhooks/secret", "/webhooks/webhooks/…"},
	}
	for _, test := range tests {
		if got := mask(test.text); got != test.want {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("/interactions/1/secret/callback")
	f.Add("/webhooks//interactions/")
	f.Fuzz(func(t *testing.T, text string) {
		if once := mask(text); mask(once) != once {
			t.Errorf("%q: masked %q, and again %q", text, once, mask(once))
		}
	})
}

// TestErrorsOfDisgoAreToldWithoutTheirURL holds the shape of disgo's error.
func TestErrorsOfDisgoAreToldWithoutTheirURL(t *testing.T) {
	inner := newAPIError(&wire.RestResponse{Status: 404, Body: []byte(`{"code":10015,"message":"Unknown Webhook"}`)})
	request := disgo.ErrorRequest{
		Err: fmt.Errorf("%w", inner), ResourceID: "d57d6589secret",
		Endpoint: "https://discord.com/api/v10/webhooks/1/secret",
	}
	err := fmt.Errorf("say goodbye: %w", request)
	if got, want := tell(err), "say goodbye: send request: discord answered 404: Unknown Webhook (10015)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if api, ok := AsAPIError(err); !ok || api != inner {
		t.Errorf("found %v", api)
	}
	if _, ok := AsAPIError(errors.New("x")); ok {
		t.Error("found an answer in any error")
	}
}

func TestManyReasonsAreCut(t *testing.T) {
	var fields []string
	for n := range 8 {
		fields = append(fields, fmt.Sprintf(`"%d":{"name":{"_errors":[{"code":"X","message":"bad"}]}}`, n))
	}
	e := newAPIError(&wire.RestResponse{Status: 400, Body: []byte(`{"code":50035,"message":"Invalid Form Body","errors":{"options":{` + strings.Join(fields, ",") + `}}}`)})
	const want = "discord answered 400: Invalid Form Body (50035): options.0.name: bad; options.1.name: bad; options.2.name: bad; options.3.name: bad; options.4.name: bad; and 3 more"
	if e.Error() != want {
		t.Errorf("got %s", e)
	}
}
