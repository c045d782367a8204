package space

import (
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
		t.Error(diff)
	}
}

func TestTheAddressOfAnObjectSuitsItsEndpoint(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cfg    Config
		public string
		region string
	}{
		"a Space": {
			Config{Bucket: "acme", Region: "fra1"},
			"https://acme.fra1.digitaloceanspaces.com/images/a%20b.gz", "fra1",
		},
		"a Space by its endpoint": {
			Config{Bucket: "acme", Endpoint: "nyc3.digitaloceanspaces.com"},
			"https://acme.nyc3.digitaloceanspaces.com/images/a%20b.gz", "nyc3",
		},
		"a prefix without its slash": {
			Config{Bucket: "acme", Region: "fra1", Prefix: "/nix"},
			"https://acme.fra1.digitaloceanspaces.com/nix/images/a%20b.gz", "fra1",
		},
		"a bucket with dots, for which no certificate serves": {
			Config{Bucket: "acme.example", Region: "fra1"},
			"https://fra1.digitaloceanspaces.com/acme.example/images/a%20b.gz", "fra1",
		},
		"loopback":     {Config{Bucket: "acme", Endpoint: "http://127.0.0.1:9000"}, "http://127.0.0.1:9000/acme/images/a%20b.gz", "us-east-1"},
		"localhost":    {Config{Bucket: "acme", Endpoint: "http://localhost:9000/"}, "http://localhost:9000/acme/images/a%20b.gz", "us-east-1"},
		"IPv6":         {Config{Bucket: "acme", Endpoint: "http://[::1]:9000"}, "http://[::1]:9000/acme/images/a%20b.gz", "us-east-1"},
		"another S3":   {Config{Bucket: "acme", Endpoint: "https://s3.example.com", Region: "x"}, "https://s3.example.com/acme/images/a%20b.gz", "x"},
		"Amazon's own": {Config{Bucket: "acme", Endpoint: "https://s3.eu-west-1.amazonaws.com", Region: "eu-west-1"}, "https://acme.s3.eu-west-1.amazonaws.com/images/a%20b.gz", "eu-west-1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.cfg.AccessKey, test.cfg.SecretKey = "a", "s"
			c, err := New(test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.public, c.PublicURL("images/a b.gz")); diff != "" {
				t.Error(diff)
			}
			if c.cfg.Region != test.region {
				t.Errorf("region %q, want %q", c.cfg.Region, test.region)
			}
			signed, err := c.Presign(t.Context(), "images/a b.gz", time.Hour)
			signed = strings.Replace(signed, ".s3.dualstack.", ".s3.", 1) // as the library calls Amazon's
			if err != nil || !strings.HasPrefix(signed, test.public+"?") {
				t.Errorf("presigned %s, %v", signed, err)
			}
		})
	}
}

func TestAllFaultsOfTheConfigurationAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Bucket: "no bucket"})
	if !errors.Is(err, ErrConfig) {
		t.Fatalf("got %v", err)
	}
	golden(t, "config faults", err.Error())
	for name, endpoint := range map[string]string{
		"endpoint with a path":   "https://nyc3.digitaloceanspaces.com/acme",
		"endpoint with a bucket": "https://acme.nyc3.digitaloceanspaces.com",
		"endpoint of a kind":     "ftp://nyc3.digitaloceanspaces.com",
	} {
		_, err := New(Config{Bucket: "acme", AccessKey: "a", SecretKey: "s", Endpoint: endpoint})
		if !errors.Is(err, ErrConfig) {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, name, err.Error())
	}
}

func TestDocumentsComeBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	if err := c.Put(t.Context(), "releases/web/current.json", []byte(`{"a":1}`), "application/json"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "releases/web/current.json"); err != nil || string(got) != `{"a":1}` {
		t.Errorf("got %s, %v", got, err)
	}
	listed, err := c.List(t.Context(), "releases/")
	if err != nil || len(listed) != 1 || listed[0].Key != "releases/web/current.json" || listed[0].Size != 7 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if elsewhere, err := s.client(t, func(cfg *Config) { cfg.Prefix = "" }).List(t.Context(), ""); err != nil ||
		len(elsewhere) != 1 || elsewhere[0].Key != "nix/releases/web/current.json" {
		t.Errorf("the prefix does not stand in the bucket: %+v, %v", elsewhere, err)
	}
	if err := c.Delete(t.Context(), "releases/web/current.json", "never/there"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{second(c.Get(t.Context(), "releases/web/current.json")), second(c.Stat(t.Context(), "x"))} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("an absent object: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAnObjectIsMadePublicAndPrivateAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	if err := c.Put(t.Context(), "a b", []byte("x"), "text/plain"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"public-read", "private"} {
		if err := c.SetPublic(t.Context(), "a b", want == "public-read"); err != nil {
			t.Fatal(err)
		}
		if got := s.acl["/"+bucket+"/nix/a b"]; got != want {
			t.Errorf("ACL %q, want %q", got, want)
		}
	}
	if got, err := c.Get(t.Context(), "a b"); err != nil || string(got) != "x" {
		t.Errorf("the object became %q, %v", got, err)
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if objects, _ := left(t, c); len(objects) > 0 {
		t.Errorf("left %v", objects)
	}
	s.intercept(onlyFor(func(r *http.Request) bool { return r.Method == http.MethodPut }, refuse(403, "AccessDenied")))
	err := c.Check(t.Context())
	if !errors.Is(err, ErrDenied) {
		t.Fatalf("with keys that may only read: %v", err)
	}
	if !strings.Contains(err.Error(), "can list but not write") {
		t.Errorf("does not say what is missing: %v", err)
	}
}

func TestAnErrorSaysWhatWasTriedWhatWasAnsweredAndWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		code   string
		want   error
	}{
		"no bucket":      {404, "NoSuchBucket", ErrNoBucket},
		"denied":         {403, "AccessDenied", ErrDenied},
		"wrong secret":   {403, "SignatureDoesNotMatch", ErrDenied},
		"wrong key":      {403, "InvalidAccessKeyId", ErrDenied},
		"wrong clock":    {403, "RequestTimeTooSkewed", ErrDenied},
		"not there":      {404, "NoSuchKey", ErrNotFound},
		"something else": {400, "InvalidArgument", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.intercept(refuse(test.status, test.code))
			c := s.client(t, func(cfg *Config) { cfg.Region = "nyc3"; cfg.Now = at(3) })
			_, err := c.Get(t.Context(), "releases/web/current.json")
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if strings.Contains(err.Error(), c.cfg.SecretKey) {
				t.Error("the secret key is in the error")
			}
			golden(t, "error "+name, err.Error())
		})
	}
}

func TestAnEndpointThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	s.Close()
	_, err := c.Get(t.Context(), "x")
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), s.URL) {
		t.Errorf("got %v", err)
	}
	_, err = Probe(t.Context(), http.DefaultClient, s.URL+"/x?X-Amz-Signature=secret")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the probe's error is missing, or tells the URL: %v", err)
	}
}

func TestProbeTellsWhatDigitalOceanWillMeet(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		head, get int
		ranges    bool
		readable  bool
	}{
		"a public object":        {200, 206, true, true},
		"no ranges":              {200, 200, false, true},
		"a presigned URL":        {403, 206, true, true},
		"not readable":           {403, 403, false, false},
		"not there":              {404, 404, false, false},
		"a server that is broke": {500, 500, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead:
					w.WriteHeader(test.head)
				case test.get == http.StatusPartialContent:
					w.Header().Set("Content-Range", "bytes 0-0/1234")
					w.WriteHeader(test.get)
					_, _ = w.Write([]byte("x"))
				default:
					w.WriteHeader(test.get)
				}
			}))
			defer s.Close()
			seen, err := Probe(t.Context(), s.Client(), s.URL)
			if err != nil {
				t.Fatal(err)
			}
			if seen.Head != test.head || seen.RangedGet != test.get || seen.AcceptRanges != test.ranges || seen.Readable() != test.readable {
				t.Errorf("got %+v, want %+v", seen, test)
			}
			if test.ranges && seen.Length != 1234 {
				t.Errorf("length %d", seen.Length)
			}
			golden(t, "probe "+name, seen.Explain())
		})
	}
}
