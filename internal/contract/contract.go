// Package contract holds requests and answers against a vendor's OpenAPI
// description. It serves tests alone: a RoundTripper between a client and a
// server (the vendor's, or one that plays it) reports whatever either side says
// that the description does not know.
package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Validator knows one OpenAPI description. It is safe for concurrent use.
type Validator struct {
	router routers.Router
}

// Load reads a description in OpenAPI 3. Its servers are left aside: only paths
// count, so that a server on loopback can be held against it.
func Load(specFile string) (*Validator, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(specFile)
	if err != nil {
		return nil, fmt.Errorf("read the API description %s: %w", specFile, err)
	}
	doc.Servers = nil
	for _, path := range doc.Paths.Map() {
		path.Servers = nil
	}
	// The vendors' descriptions are taken as they are: their examples do not all
	// match their schemas, which says nothing about us.
	router, err := legacy.NewRouter(doc,
		openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation(), openapi3.DisableSchemaPatternValidation())
	if err != nil {
		return nil, fmt.Errorf("use the API description %s: %w", specFile, err)
	}
	return &Validator{router: router}, nil
}

// Transport sends requests with next and reports, for each of them, what of the
// request and of its answer the description does not allow. The exchange itself
// is not changed. report must be safe for concurrent use; t.Error of a test,
// wrapped in a func, is.
func (v *Validator) Transport(next http.RoundTripper, report func(error)) http.RoundTripper {
	return &transport{validator: v, next: next, report: report}
}

type transport struct {
	validator *Validator
	next      http.RoundTripper
	report    func(error)
}

// RoundTrip sends a copy of the request, whose body was read for the validation.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := readAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	input, err := t.validator.Request(req, sent)
	if err != nil {
		t.report(err)
	}
	out := req.Clone(req.Context())
	if req.Body != nil {
		out.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err //nolint:wrapcheck // a RoundTripper in between adds nothing
	}
	received, err := readAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer's body: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(received))
	if input != nil {
		if err := t.validator.Response(req.Context(), input, resp.StatusCode, resp.Header, received); err != nil {
			t.report(err)
		}
	}
	return resp, nil
}

// Request holds a request with its body against the description. The result is
// what Response needs; it is nil if the description has no such path and method.
func (v *Validator) Request(req *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	// ValidateRequest writes the description's defaults into the query, so it
	// gets a copy.
	copied := req.Clone(req.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := v.router.FindRoute(copied)
	if err != nil {
		return nil, fmt.Errorf("%s %s is not in the API description: %w", req.Method, req.URL.Path, err)
	}
	input := &openapi3filter.RequestValidationInput{
		Request: copied, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			MultiError:            true,
			SkipSettingDefaults:   true,
			IncludeResponseStatus: true,
			// An absent body is the operation's own business.
			ExcludeRequestBody: len(body) == 0 && !bodyRequired(route),
		},
	}
	err = errors.Join(unknownQuery(route, req), openapi3filter.ValidateRequest(req.Context(), input))
	if err != nil {
		return input, fmt.Errorf("request %s %s: %w", req.Method, req.URL.Path, err)
	}
	return input, nil
}

// Response holds an answer against the description. Failures (status 400 and
// above) that the description does not list are let pass: every API has them.
func (v *Validator) Response(ctx context.Context, input *openapi3filter.RequestValidationInput, status int, header http.Header, body []byte) error {
	responses := input.Route.Operation.Responses
	if status >= http.StatusBadRequest && responses.Status(status) == nil && responses.Default() == nil {
		return nil
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: status, Header: header, Options: input.Options,
	}
	answer.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(ctx, answer); err != nil {
		return fmt.Errorf("answer %d to %s %s: %w", status, input.Request.Method, input.Request.URL.Path, err)
	}
	return nil
}

func bodyRequired(route *routers.Route) bool {
	body := route.Operation.RequestBody
	return body != nil && body.Value != nil && body.Value.Required
}

// unknownQuery finds parameters that the operation does not have: kin-openapi
// lets them pass, an API ignores them, and the caller believes they worked.
func unknownQuery(route *routers.Route, req *http.Request) error {
	known := map[string]bool{}
	for _, p := range slices.Concat(route.PathItem.Parameters, route.Operation.Parameters) {
		if p.Value != nil && p.Value.In == openapi3.ParameterInQuery {
			known[p.Value.Name] = true
		}
	}
	var unknown []error
	for name := range req.URL.Query() {
		if !known[name] {
			unknown = append(unknown, fmt.Errorf("the operation has no query parameter %q", name))
		}
	}
	return errors.Join(unknown...)
}

func readAll(body io.ReadCloser) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}
