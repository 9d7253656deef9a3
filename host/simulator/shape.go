package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// What a JSON value must be.
type valueKind int

const (
	isAny valueKind = iota
	isString
	isInt
	isBool
	isObject
	isList
	isID
)

// field says what a member of a form must look like.
type field struct {
	kind     valueKind
	required bool
	min, max int   // of a string's length, a list's length or a number; max 0: no bound
	each     shape // of a list's elements or of an object
}

// shape is a form: members that it knows. Discord ignores those that it does not know.
type shape map[string]field

// formErrors is the tree that Discord answers a wrong form with.
type formErrors map[string]any

func (e formErrors) add(code, message string) {
	list, _ := e["_errors"].([]any)
	e["_errors"] = append(list, map[string]string{"code": code, "message": message})
}

func (e formErrors) at(key string) formErrors {
	if sub, ok := e[key].(formErrors); ok {
		return sub
	}
	sub := formErrors{}
	e[key] = sub
	return sub
}

// prune removes branches without errors; true: nothing is left. Where a value is wrong itself, Discord tells nothing
// of what is in it.
func (e formErrors) prune() bool {
	if own, ok := e["_errors"]; ok {
		clear(e)
		e["_errors"] = own
		return false
	}
	for k, v := range e {
		if sub, ok := v.(formErrors); ok && sub.prune() {
			delete(e, k)
		}
	}
	return len(e) == 0
}

// check compares an object with the shape.
func (sh shape) check(m map[string]json.RawMessage, e formErrors) {
	for name, f := range sh {
		raw, present := m[name]
		if !present || string(raw) == "null" {
			if f.required {
				e.at(name).add("BASE_TYPE_REQUIRED", "This field is required")
			}
			continue
		}
		f.check(raw, e.at(name))
	}
}

func (f field) check(raw json.RawMessage, e formErrors) {
	switch f.kind {
	case isString:
		f.checkString(raw, e)
	case isInt:
		n, err := strconv.ParseInt(string(bytes.Trim(raw, `"`)), 10, 64)
		switch {
		case err != nil:
			e.add("NUMBER_TYPE_COERCE", "Value "+string(raw[:min(len(raw), 40)])+" is not int.")
		case f.max > 0 && (n > int64(f.max) || n < int64(f.min)):
			e.add("NUMBER_TYPE_MAX", fmt.Sprintf("int value should be between %d and %d.", f.min, f.max))
		}
	case isBool:
		if s := string(raw); s != "true" && s != "false" {
			e.add("BASE_TYPE_BAD_TYPE", "Must be either true or false.")
		}
	case isID:
		if snowflake(raw) == 0 {
			e.add("NUMBER_TYPE_COERCE", "Value is not snowflake.")
		}
	case isObject:
		m, ok := object(raw)
		if !ok {
			e.add("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
			return
		}
		f.each.check(m, e)
	case isList:
		f.checkList(raw, e)
	case isAny:
	}
}

func (f field) checkString(raw json.RawMessage, e formErrors) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		e.add("STRING_TYPE_CONVERT", "Could not interpret value as string.")
		return
	}
	n := utf8.RuneCountInString(s)
	switch {
	case f.max > 0 && n > f.max:
		e.add("BASE_TYPE_BAD_LENGTH", fmt.Sprintf("Must be between %d and %d in length.", f.min, f.max))
	case n < f.min:
		e.add("BASE_TYPE_BAD_LENGTH", fmt.Sprintf("Must be between %d and %d in length.", f.min, f.max))
	}
}

func (f field) checkList(raw json.RawMessage, e formErrors) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		e.add("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
		return
	}
	if f.max > 0 && len(list) > f.max {
		e.add("BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", f.max))
	}
	if f.each == nil {
		return
	}
	for i, raw := range list {
		m, ok := object(raw)
		if !ok {
			e.at(strconv.Itoa(i)).add("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
			continue
		}
		f.each.check(m, e.at(strconv.Itoa(i)))
	}
}

// form reads the request's body as an object of this shape. Without one the answer says why.
func (q *query) form(sh shape) (map[string]json.RawMessage, answer) {
	data, bad := q.payload()
	if data == nil {
		return nil, bad
	}
	m, ok := object(data)
	if !ok {
		if json.Valid(data) {
			e := formErrors{}
			e.add("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
			return nil, q.malformed(e)
		}
		q.s.breach(RuleBody, -1, q.rt.name)
		return nil, problem(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	e := formErrors{}
	sh.check(m, e)
	if !e.prune() {
		return nil, q.malformed(e)
	}
	return m, answer{}
}

// malformed answers with the tree of errors.
func (q *query) malformed(e formErrors) answer {
	tree, err := json.Marshal(e)
	if err != nil {
		tree = []byte("{}")
	}
	q.s.breach(RuleForm, -1, q.rt.name+": "+string(tree[:min(len(tree), 300)]))
	body := append([]byte(`{"message":"Invalid Form Body","code":50035,"errors":`), tree...)
	return answer{http.StatusBadRequest, append(body, '}')}
}

// payload gives the JSON of the request: its body, or payload_json of a multipart form.
func (q *query) payload() ([]byte, answer) {
	kind, params, err := mime.ParseMediaType(q.kind)
	switch {
	case len(q.body) == 0:
		return []byte("{}"), answer{}
	case err != nil || kind == "application/json":
		return q.body, answer{}
	case kind == "multipart/form-data":
		return q.multipart(params["boundary"])
	}
	q.s.breach(RuleForm, -1, q.rt.name+": content type "+kind)
	return nil, problem(http.StatusBadRequest, 50035, `Expected "Content-Type" header to be one of {'application/json'}.`)
}

// multipart finds payload_json, and refuses files above Discord's default for uploads.
func (q *query) multipart(boundary string) ([]byte, answer) {
	form := multipart.NewReader(bytes.NewReader(q.body), boundary)
	data, size := []byte("{}"), 0
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			q.s.breach(RuleBody, -1, q.rt.name+": multipart")
			return nil, problem(http.StatusBadRequest, 50109, "The request body contains invalid multipart data.")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, problem(http.StatusBadRequest, 50109, "The request body contains invalid multipart data.")
		}
		if part.FormName() == "payload_json" {
			data = content
			continue
		}
		size += len(content)
		q.files = append(q.files, file{name: part.FileName(), kind: part.Header.Get("Content-Type"), size: len(content)})
	}
	if size > q.s.cfg.UploadBytes {
		q.s.breach(RuleTooLarge, -1, q.rt.name)
		return nil, problem(http.StatusRequestEntityTooLarge, 40005, "Request entity too large")
	}
	return data, answer{}
}

// file is an upload of which nothing but its description is kept.
type file struct {
	name, kind string
	size       int
}
