package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	contentType = "Content-Type"
	payloadPart = "payload_json" // beside files (Discord's documentation, "Uploading Files")
)

// callback is a plugin's answer, read.
type callback struct {
	kind     int
	data     map[string]json.RawMessage
	boundary string // of the form that carries files; "" for plain JSON
	form     []byte
	wants    bool // with_response=true
}

// readCallback reads the body of a callback.
func readCallback(r *wire.RestRequest, query string) (*callback, error) {
	c := new(callback)
	if values, err := url.ParseQuery(query); err == nil {
		c.wants = values.Get("with_response") == "true"
	}
	err := c.read(r, true)
	return c, err
}

// read takes the message of a body: of a whole callback, or the message itself.
func (c *callback) read(r *wire.RestRequest, whole bool) error {
	payload := r.GetBody()
	kind, parameters, err := mime.ParseMediaType(typeOf(r))
	if err == nil && kind == "multipart/form-data" {
		c.boundary, c.form = parameters["boundary"], r.GetBody()
		if payload, err = c.payload(); err != nil {
			return err
		}
	}
	if !whole {
		return json.Unmarshal(payload, &c.data)
	}
	var body struct {
		Type int                        `json:"type"`
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(payload, &body); err != nil {
		return err
	}
	c.kind, c.data = body.Type, body.Data
	return nil
}

// typeOf is the body's, whatever the case of the field's name.
func typeOf(r *wire.RestRequest) string {
	for name, value := range r.GetHeader() {
		if strings.EqualFold(name, contentType) {
			return value
		}
	}
	return ""
}

// payload finds the JSON of the form.
func (c *callback) payload() ([]byte, error) {
	for reader := c.reader(); ; {
		part, err := reader.NextRawPart()
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", payloadPart, err)
		}
		if part.FormName() == payloadPart {
			return io.ReadAll(part)
		}
	}
}

func (c *callback) reader() *multipart.Reader {
	return multipart.NewReader(bytes.NewReader(c.form), c.boundary)
}

func (c *callback) flags() int {
	var flags int
	if json.Unmarshal(c.data["flags"], &flags) != nil {
		return 0
	}
	return flags
}

func (c *callback) setFlags(flags int) {
	if c.data == nil {
		c.data = make(map[string]json.RawMessage)
	}
	delete(c.data, "flags")
	if flags != 0 {
		c.data["flags"] = strconv.AppendInt(nil, int64(flags), 10)
	}
}

// request is the message as a webhook takes it: a follow-up, or an edit, which
// has fewer fields.
func (c *callback) request(method, path string) *wire.RestRequest {
	message := callback{data: make(map[string]json.RawMessage, len(c.data))}
	maps.Copy(message.data, c.data)
	if method == http.MethodPatch {
		delete(message.data, "tts")
		message.setFlags(c.flags() & flagsThatEditSet)
	}
	body := encoded(message.data)
	if c.boundary == "" {
		return jsonRequest(method, path, body)
	}
	form, kind, err := c.formWith(body)
	if err != nil {
		return jsonRequest(method, path, body) // it was read before
	}
	return &wire.RestRequest{Method: method, Path: path, Header: map[string]string{contentType: kind}, Body: form}
}

// formWith is the form with another JSON.
func (c *callback) formWith(payload []byte) (form []byte, kind string, err error) {
	var out bytes.Buffer
	out.Grow(len(c.form) + len(payload))
	writer := multipart.NewWriter(&out)
	for reader := c.reader(); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", err
		}
		if part.FormName() == payloadPart {
			header := textproto.MIMEHeader{
				"Content-Disposition": {`form-data; name="` + payloadPart + `"`}, contentType: {"application/json"},
			}
			err = copyPart(writer, header, bytes.NewReader(payload))
		} else {
			err = copyPart(writer, part.Header, part)
		}
		if err != nil {
			return nil, "", err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, "", err
	}
	return out.Bytes(), writer.FormDataContentType(), nil
}

func copyPart(writer *multipart.Writer, header textproto.MIMEHeader, from io.Reader) error {
	part, err := writer.CreatePart(header)
	if err == nil {
		_, err = io.Copy(part, from)
	}
	return err
}

// response is what Discord would have answered to the callback.
func (c *callback) response(h *inHand, answer *wire.RestResponse) *wire.RestResponse {
	if !c.wants {
		return &wire.RestResponse{Status: http.StatusNoContent}
	}
	told := map[string]any{"id": h.ID, "type": h.Type}
	if id := messageID(answer); id != "" {
		told["response_message_id"] = id
	}
	body := map[string]any{"interaction": told}
	if json.Valid(answer.GetBody()) {
		body["resource"] = map[string]any{"type": c.kind, "message": json.RawMessage(answer.GetBody())}
	}
	return &wire.RestResponse{Status: http.StatusOK, Header: map[string]string{contentType: "application/json"}, Body: encoded(body)}
}
