package fleet

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestParseMergesDefaultsResolvesAnchorsAndFillsIn(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/good/everything.golden", string(data)+"\n")
}

func TestLoadSaysHowToMakeTheFileThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "snowdrop.yaml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "snowdrop init") {
		t.Errorf("got %v", err)
	}
}

func TestErrorsCanBeTakenApart(t *testing.T) {
	t.Parallel()
	_, err := Parse("f.yaml", []byte("space: {bucket: acme-nixos, region: nyc3}\nservers:\n  web: {kep: 3, imgae: a}\n"))
	var first *Error
	if !errors.As(err, &first) {
		t.Fatalf("got %T", err)
	}
	want := &Error{
		File: "f.yaml", Line: 3, Column: 9,
		Message: `unknown key "kep" in servers.web`, Hint: `did you mean "keep"?`,
		Source: "  web: {kep: 3, imgae: a}", width: 3,
	}
	if diff := cmp.Diff(want, first, cmp.AllowUnexported(Error{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	f := &Fleet{
		Path:    "snowdrop.yaml",
		Servers: map[string]Server{"web": {Name: "web", Cycle: "nightly"}, "db": {Name: "db"}, "api": {Name: "api", Cycle: "nightly"}},
		Cycles:  map[string]Cycle{"nightly": {}, "weekly": {}},
	}
	tests := map[string]struct {
		names []string
		cycle string
		want  string
		err   []string
	}{
		"all, sorted":              {want: "api db web"},
		"by name, once":            {names: []string{"web", "api", "web"}, want: "api web"},
		"by cycle":                 {cycle: "nightly", want: "api web"},
		"by both":                  {names: []string{"web", "db"}, cycle: "nightly", want: "web"},
		"an empty cycle is fine":   {cycle: "weekly"},
		"every unknown name":       {names: []string{"wbe", "mail", "db"}, cycle: "nightyl", err: []string{`"wbe"`, `did you mean "web"?`, `"mail"`, `"api", "db" or "web"`, `did you mean "nightly"?`}},
		"the empty name is a name": {names: []string{""}, err: []string{`no server ""`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers, err := f.Select(tt.names, tt.cycle)
			if (err != nil) != (tt.err != nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range tt.err {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
			var got []string
			for _, s := range servers {
				got = append(got, s.Name)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestExpandPutsADropletIntoAURL(t *testing.T) {
	t.Parallel()
	vars := HTTPVars{IPv4: "203.0.113.7", Name: "web-1"}
	tests := map[string]struct{ want, err string }{
		"http://{{.IPv4}}/healthz":          {want: "http://203.0.113.7/healthz"},
		"https://{{ .Name }}.example.org:8": {want: "https://web-1.example.org:8"},
		"http://localhost/":                 {want: "http://localhost/"},
		"http://{{.PrivateIPv4}}/":          {err: "the droplet has no value for {{.PrivateIPv4}}"},
		"http://{{.IPv6}}/":                 {err: `did you mean "{{.IPv4}}"?`},
		"{{.IPv4}}":                         {err: "not an http or https URL"},
	}
	for url, tt := range tests {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			got, err := HTTPCheck{URL: url}.Expand(vars)
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q is not in %q", tt.err, err)
			}
		})
	}
}

func TestSpaceURLIsTheEndpointOrTheRegions(t *testing.T) {
	t.Parallel()
	if got := (Space{Region: "nyc3"}).URL(); got != "https://nyc3.digitaloceanspaces.com" {
		t.Error(got)
	}
	if got := (Space{Region: "x", Endpoint: "http://127.0.0.1:9000"}).URL(); got != "http://127.0.0.1:9000" {
		t.Error(got)
	}
}

func TestBatchIsAtLeastOneAndAtMostAll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		batch       Batch
		total, want int
	}{
		{Batch{Count: 1}, 5, 1},
		{Batch{Count: 3}, 5, 3},
		{Batch{Count: 9}, 5, 5},
		{Batch{Percent: 50}, 5, 2},
		{Batch{Percent: 1}, 5, 1},
		{Batch{Percent: 100}, 5, 5},
		{Batch{}, 5, 1},
		{Batch{Count: 2}, 0, 1},
	}
	for _, tt := range tests {
		if got := tt.batch.Size(tt.total); got != tt.want {
			t.Errorf("%s of %d is %d, want %d", tt.batch, tt.total, got, tt.want)
		}
	}
}

func TestRolloutSurvivesYAMLAndJSON(t *testing.T) {
	t.Parallel()
	for _, want := range []Rollout{
		{Batch: Batch{Count: 2}, RebuildTimeout: Duration(90 * time.Minute)},
		{Batch: Batch{Percent: 25}, OnFailure: Rollback, RebuildTimeout: Duration(1500 * time.Millisecond)},
	} {
		var fromYAML, fromJSON Rollout
		asYAML, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(asYAML, &fromYAML); err != nil {
			t.Fatalf("%v in\n%s", err, asYAML)
		}
		asJSON, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(asJSON, &fromJSON); err != nil {
			t.Fatalf("%v in %s", err, asJSON)
		}
		if diff := cmp.Diff([]Rollout{want, want}, []Rollout{fromYAML, fromJSON}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestDurationIsWrittenAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"10s": 10 * time.Second, "20m": 20 * time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute,
		"0s": 0, "1m5s": 65 * time.Second, "1h0m5s": time.Hour + 5*time.Second,
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNearestKnowsTypingErrorsAndOtherSpellings(t *testing.T) {
	t.Parallel()
	known := []string{"host-keys", "host-key-policy", "user", "port", "env", "units", "user-units"}
	for word, want := range map[string]string{
		"hostKeys": "host-keys", "host_key_policy": "host-key-policy", "prot": "port", "usr": "user",
		"unit": "units", "environment": "env", "colour": "", "x": "", "": "",
		strings.Repeat("port", 100): "port",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
