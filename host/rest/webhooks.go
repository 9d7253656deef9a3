package rest

import (
	"container/list"
	"encoding/json"
	"net/http"
	"strings"
)

// goneWebhooks bounds the webhooks that are remembered as gone; the one that was told first makes room.
const goneWebhooks = 4096

// unknownWebhook is Discord's code for a webhook that is not there
// (https://docs.discord.com/developers/topics/opcodes-and-status-codes#json).
const unknownWebhook = 10015

// gone remembers webhooks that Discord has answered 404 for: it wants them not to be used any more. It is guarded by the
// gate's lock.
type gone struct {
	order list.List // of uint64, the oldest first
	at    map[uint64]*list.Element
}

func newGone() *gone { return &gone{at: make(map[uint64]*list.Element)} }

// add remembers a webhook; false: it is known already.
func (w *gone) add(mark uint64) bool {
	if w.at[mark] != nil {
		return false
	}
	if w.order.Len() >= goneWebhooks {
		oldest := w.order.Front()
		delete(w.at, w.order.Remove(oldest).(uint64)) //nolint:forcetypeassert // it holds nothing else
	}
	w.at[mark] = w.order.PushBack(mark)
	return true
}

// has tells whether the webhook of a route is gone: it as a whole, or with this token.
func (w *gone) has(r route) bool {
	if r.webhook == "" || len(w.at) == 0 {
		return false
	}
	id, _, _ := strings.Cut(r.webhook, "/")
	return w.at[mark("webhook", r.webhook)] != nil || w.at[mark("webhook", id)] != nil
}

func (g *Gate) isGone(r route) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.gone.has(r)
}

// saysGone tells whether an answer says that the webhook itself is not there. A message of it that is not there, or a
// thread, is another matter.
func saysGone(r route, o *outcome) bool {
	if r.webhook == "" || o.status != http.StatusNotFound || o.response == nil {
		return false
	}
	var said struct {
		Code int `json:"code"`
	}
	return json.Unmarshal(o.response.Body, &said) == nil && said.Code == unknownWebhook
}

// answerGone is Discord's answer for a webhook that is gone, without asking.
func answerGone() *Response {
	return &Response{
		Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}},
		Body: []byte(`{"message":"Unknown Webhook","code":10015}`),
	}
}
