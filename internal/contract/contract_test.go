package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/contract"
)

func TestEveryBreachOfTheDescriptionIsReported(t *testing.T) {
	t.Parallel()
	validator := load(t)
	tests := []struct {
		name, method, path, body string
		status                   int
		answer                   string
		want                     string // part of the report; empty: none
	}{
		{"a proper exchange", "POST", "/v2/things", `{"name":"a"}`, 201, `{"id":1}`, ""},
		{"no such path", "GET", "/v2/other", "", 200, `{}`, "not in the API description"},
		{"no such method", "DELETE", "/v2/things", "", 204, "", "not in the API description"},
		{"request body lacks a field", "POST", "/v2/things", `{}`, 201, `{"id":1}`, "name"},
		{"request without its body", "POST", "/v2/things", "", 201, `{"id":1}`, "request"},
		{"unknown query parameter", "GET", "/v2/things?per_pag=3", "", 200, `{"id":1}`, `"per_pag"`},
		{"parameter of the wrong kind", "GET", "/v2/things?per_page=x", "", 200, `{"id":1}`, "per_page"},
		{"answer of the wrong type", "GET", "/v2/things", "", 200, `{"id":"one"}`, "answer 200"},
		{"undocumented success", "GET", "/v2/things", "", 202, `{}`, "answer 202"},
		{"undocumented failure", "GET", "/v2/things", "", 503, `down`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var gotBody string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				gotBody = string(b)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.answer)
			}))
			defer server.Close()
			var reported []string
			client := http.Client{Transport: validator.Transport(http.DefaultTransport, func(err error) {
				reported = append(reported, err.Error())
			})}
			req, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			answer, _ := io.ReadAll(resp.Body)
			if gotBody != tt.body || string(answer) != tt.answer {
				t.Errorf("the exchange was changed: request %q, answer %q", gotBody, answer)
			}
			all := strings.Join(reported, "\n")
			if (all == "") != (tt.want == "") || !strings.Contains(all, tt.want) {
				t.Errorf("reported %q, want %q", all, tt.want)
			}
		})
	}
}

func TestTheVendorsDescriptionsLoad(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"digitalocean.json", "github.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := contract.Load(contract.SpecFile(t, name)); err != nil {
				t.Error(err)
			}
		})
	}
}

func load(t *testing.T) *contract.Validator {
	t.Helper()
	v, err := contract.Load("testdata/things.json")
	if err != nil {
		t.Fatal(err)
	}
	return v
}
