package simulator

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	words "golang.org/x/text/message"
)

// schemaVariable names Discord's OpenAPI description (repository discord/discord-api-spec), gzipped JSON. Tests that
// need it are skipped without it; .ci/run demands them where it is.
const schemaVariable = "HOLDFAST_OPENAPI"

// openAPI is Discord's description of REST. Its schemas are JSON Schema 2020-12, so a validator of that reads them
// where they are.
type openAPI struct {
	document map[string]any
	paths    map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// theSchema is read once for all tests; nil without the variable.
var theSchema = sync.OnceValues(readOpenAPI)

func readOpenAPI() (*openAPI, error) {
	path := os.Getenv(schemaVariable)
	if path == "" {
		return nil, nil //nolint:nilnil // most runs have none
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	document, err := jsonschema.UnmarshalJSON(plain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	top, _ := document.(map[string]any)
	paths, _ := top["paths"].(map[string]any)
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s describes no paths", path)
	}
	if err := amend(top); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("discord.json", document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &openAPI{document: top, paths: paths, compiler: c, compiled: make(map[string]*jsonschema.Schema)}, nil
}

// amend corrects what Discord's documentation, and its answers, have otherwise. It fails when the description has
// changed there: then look whether it is still needed.
func amend(document map[string]any) error {
	a := openAPI{document: document}
	// "Error Messages": the codes of a form's errors are words, such as BASE_TYPE_REQUIRED.
	items, _ := a.at("#/components/schemas/InnerErrors/properties/_errors/items")["$ref"].(string)
	if items != "#/components/schemas/Error" {
		return errors.New("InnerErrors is not what it was")
	}
	a.at("#/components/schemas/InnerErrors/properties/_errors")["items"] = map[string]any{
		"type": "object", "required": []any{"code", "message"},
		"properties": map[string]any{"code": map[string]any{"type": "string"}, "message": map[string]any{"type": "string"}},
	}
	// "Rate Limits": a 429 has a code "for some limits".
	limited, _ := a.at("#/components/schemas/RatelimitedResponse")["allOf"].([]any)
	if len(limited) != 2 {
		return errors.New("RatelimitedResponse is not what it was")
	}
	limited[0] = map[string]any{
		"type": "object", "required": []any{"message"},
		"properties": map[string]any{"code": map[string]any{"type": "integer"}, "message": map[string]any{"type": "string"}},
	}
	return nil
}

var errUndescribed = errors.New("no such operation is described")

// check says what is wrong with an answer, by Discord's description; path is below the base.
func (a *openAPI) check(method, path string, status int, media string, body []byte) error {
	path, _, _ = strings.Cut(path, "?")
	template, item := a.find(path)
	if item == nil {
		return fmt.Errorf("%w: %s", errUndescribed, path)
	}
	operation, ok := item[strings.ToLower(method)].(map[string]any)
	if !ok {
		return fmt.Errorf("%w: %s on %s", errUndescribed, method, template)
	}
	responses, _ := operation["responses"].(map[string]any)
	name := strconv.Itoa(status)
	if _, ok := responses[name]; !ok && status >= 400 && status < 500 {
		name = "4XX"
	}
	response, ok := responses[name].(map[string]any)
	if !ok {
		return fmt.Errorf("%s %s is never answered %d", method, template, status)
	}
	pointer := "#/paths/" + escapePointer(template) + "/" + strings.ToLower(method) + "/responses/" + name
	if ref, ok := response["$ref"].(string); ok {
		pointer = ref
		response = a.at(ref)
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s %s has no body with %d, not %.100s", method, template, status, body)
		}
		return nil
	}
	if media != "application/json" {
		return fmt.Errorf("%s %s is answered with type %q", method, template, media)
	}
	return a.validate(pointer+"/content/application~1json/schema", body)
}

// find gives the path that matches best: words count more than parameters.
func (a *openAPI) find(path string) (template string, item map[string]any) {
	have, best := strings.Split(path, "/"), -1
	for candidate, value := range a.paths {
		want := strings.Split(candidate, "/")
		words := 0
		for i := range min(len(want), len(have)) {
			if want[i] == have[i] {
				words++
			} else if !strings.HasPrefix(want[i], "{") {
				words = -1
				break
			}
		}
		if len(want) == len(have) && words > best {
			best, template = words, candidate
			item, _ = value.(map[string]any)
		}
	}
	return template, item
}

// at follows a reference within the document.
func (a *openAPI) at(ref string) map[string]any {
	value := a.document
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		value, _ = value[part].(map[string]any)
	}
	return value
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "@", "%40").Replace(s)
}

func (a *openAPI) validate(pointer string, body []byte) error {
	a.mu.Lock()
	schema, ok := a.compiled[pointer]
	if !ok {
		var err error
		if schema, err = a.compiler.Compile("discord.json" + pointer); err != nil {
			a.mu.Unlock()
			return err
		}
		a.compiled[pointer] = schema
	}
	a.mu.Unlock()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("no JSON: %w in %.200s", err, body)
	}
	return schema.Validate(value)
}

// conforms checks an answer against Discord's description, if it is there. What a test spoils, what Cloudflare answers
// and refusals of what Discord does not have are not in it.
func conforms(t testing.TB, s *Server, method, path string, r reply) {
	t.Helper()
	a, err := theSchema()
	if err != nil {
		t.Fatal(err)
	}
	media := r.header.Get("Content-Type")
	if a == nil || s.spoils() || r.status >= 500 || strings.HasPrefix(media, "text/html") {
		return
	}
	err = a.check(method, path, r.status, media, r.body)
	if err != nil && (r.status < 400 || !errors.Is(err, errUndescribed)) {
		t.Errorf("%s %s answered %d, which is not Discord's:\n%s", method, path, r.status, inShort(err, r.body))
	}
}

// spoils says whether a test has asked for bodies that are none.
func (s *Server) spoils() bool {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return slices.ContainsFunc(s.faults.list, func(f *restFault) bool { return f.failure.Garbage || f.failure.Body != "" })
}

// inShort tells, of alternatives of which none fits, only the one that comes nearest.
func inShort(err error, body []byte) string {
	var all *jsonschema.ValidationError
	if !errors.As(err, &all) {
		return err.Error()
	}
	_, lines := nearest(all)
	return fmt.Sprintf("%s\n%.1500s", strings.Join(lines, "\n"), body)
}

// nearest gives the leaves of a tree of errors. Another type or constant is far off.
func nearest(e *jsonschema.ValidationError) (distance int, lines []string) {
	if len(e.Causes) == 0 {
		distance = 1
		switch e.ErrorKind.(type) {
		case *kind.Const, *kind.Enum, *kind.Type:
			distance = 100
		}
		return distance, []string{"at /" + strings.Join(e.InstanceLocation, "/") + ": " + e.ErrorKind.LocalizedString(words.NewPrinter(language.English))}
	}
	_, oneOf := e.ErrorKind.(*kind.OneOf)
	_, anyOf := e.ErrorKind.(*kind.AnyOf)
	for _, cause := range e.Causes {
		d, more := nearest(cause)
		switch {
		case !oneOf && !anyOf:
			distance, lines = distance+d, append(lines, more...)
		case lines == nil || d < distance:
			distance, lines = d, more
		}
	}
	return distance, lines
}
