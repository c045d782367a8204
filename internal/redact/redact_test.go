package redact

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"strings"
	"testing"
)

const secret = `p?ss/w+rd "é" & co%7`

// key is a fresh private key in PEM.
func key(t testing.TB) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func quoted(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestASecretIsHiddenInEveryForm(t *testing.T) {
	t.Parallel()
	std, raw := base64.StdEncoding, base64.RawURLEncoding
	tests := map[string]struct{ text, want string }{
		"plain":                    {"password: " + secret + "!", "password: ***!"},
		"twice":                    {secret + secret, "***"},
		"in a query":               {"https://x/?p=" + url.QueryEscape(secret) + "&q=1", "https://x/?p=***&q=1"},
		"in a path":                {"https://x/" + url.PathEscape(secret) + "/y", "https://x/***/y"},
		"in a URL's user":          {(&url.URL{Scheme: "https", User: url.UserPassword("me", secret), Host: "x"}).String(), "https://me:***@x"},
		"all escapes lower-case":   {lowerEscapes(url.QueryEscape(secret)), "***"},
		"in JSON":                  {quoted(t, secret), `"***"`},
		"in Go's quotes":           {fmt.Sprintf("%q", secret), `"***"`},
		"in a shell's quotes":      {`'p?ss/w+rd "é" & co%7'`, `'***'`},
		"base64":                   {std.EncodeToString([]byte(secret)), "***"},
		"base64 for URLs":          {raw.EncodeToString([]byte(secret)), "***"},
		"base64 behind one byte":   {std.EncodeToString([]byte("u" + secret)), ""},
		"base64 behind two bytes":  {std.EncodeToString([]byte("u:" + secret + "  ")), ""},
		"base64 of basic auth":     {std.EncodeToString([]byte("user:" + secret)), ""},
		"base64 of basic auth, 4":  {std.EncodeToString([]byte("use:" + secret + "more")), ""},
		"in HTML":                  {html.EscapeString(secret), "***"},
		"hex":                      {fmt.Sprintf("%x", secret), "***"},
		"nothing secret":           {"all is well", "all is well"},
		"with space around it":     {"\n" + secret + " \n", "\n*** \n"},
		"beginning, not the whole": {secret[:8], secret[:8]},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := New(secret + "\n").String(tt.text)
			if tt.want != "" && got != tt.want {
				t.Errorf("String(%q) = %q, want %q", tt.text, got, tt.want)
			}
			if strings.HasPrefix(name, "base64") && !strings.Contains(got, Mask) {
				t.Errorf("%q stays as it is", tt.text)
			}
			if strings.HasPrefix(name, "base64") && len(got) > len(Mask)+16 {
				t.Errorf("too much of %q is left: %q", tt.text, got)
			}
		})
	}
}

func TestAKeyOfSeveralLinesIsHiddenLineByLine(t *testing.T) {
	t.Parallel()
	k := key(t)
	r := New(k)
	body := strings.Split(strings.TrimSpace(k), "\n")[1]
	for name, text := range map[string]string{
		"a line":         "debug: " + body + "!",
		"a line in JSON": quoted(t, map[string]string{"key": k}),
		"with CRLF":      strings.ReplaceAll(k, "\n", "\r\n"),
		"base64":         base64.StdEncoding.EncodeToString([]byte(k)),
		"in a query":     url.QueryEscape(k),
		"indented":       strings.ReplaceAll(k, "\n", "\n      "),
	} {
		got := r.String(text)
		if strings.Contains(got, body[8:]) || strings.Contains(got, url.QueryEscape(body)) || !strings.Contains(got, Mask) {
			t.Errorf("%s: %q", name, got)
		}
		if len(got) > 80 {
			t.Errorf("%s: too much is left: %q", name, got)
		}
	}
}

func TestASecretIsHiddenByItsLooks(t *testing.T) {
	t.Parallel()
	k := key(t)
	const token = "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := map[string]struct{ text, want string }{
		"presigned URL": {
			"GET https://b.nyc3.digitaloceanspaces.com/images/x.qcow2.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=DO00ABC%2F20250601%2Fnyc3%2Fs3%2Faws4_request&X-Amz-Date=20250601T120405Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=0a1b2c3d: 403",
			"GET https://b.nyc3.digitaloceanspaces.com/images/x.qcow2.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=***&X-Amz-Date=20250601T120405Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=***: 403",
		},
		"in JSON":          {`{"url":"https://x/y?a=1\u0026X-Amz-Signature=0a1b\u0026X-Amz-Security-Token=FwoG%2F%2F\u0026b=2"}`, `{"url":"https://x/y?a=1\u0026X-Amz-Signature=***\u0026X-Amz-Security-Token=***\u0026b=2"}`},
		"in a URL":         {"https://x/?to=https%3A%2F%2Fy%3FX-Amz-Signature%3D0a1b%26z%3D1&k=v", "https://x/?to=https%3A%2F%2Fy%3FX-Amz-Signature%3D***%26z%3D1&k=v"},
		"version 2":        {`open "https://x/y?AWSAccessKeyId=AKIA123&Expires=1&Signature=a%2Bb%3D"`, `open "https://x/y?AWSAccessKeyId=***&Expires=1&Signature=***"`},
		"a signed request": {"Authorization: AWS4-HMAC-SHA256 Credential=DO00/20250601/nyc3/s3/aws4_request, SignedHeaders=host, Signature=0a1b", "Authorization: AWS4-HMAC-SHA256 Credential=***, SignedHeaders=host, Signature=***"},
		"token":            {"token " + token + " expired", "token *** expired"},
		"bearer":           {`{"Authorization":["Bearer abcdefgh12345678"]}`, `{"Authorization":["***"]}`},
		"bearer elsewhere": {"sent Bearer abcdefghijklmnopqrstuvwxyz", "sent Bearer ***"},
		"bearer of news":   {"401: bearer authentication required", "401: bearer authentication required"},
		"GitHub":           {"ghs_0123456789abcdefghijABCDEFGHIJ012345", "***"},
		"age":              {"AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQ", "***"},
		"private key":      {"a\n" + k + "b", "a\n***\nb"},
		"cut-off key":      {"a\n" + k[:60], "a\n***"},
		"key in JSON":      {quoted(t, k), `"***\n"`},
		"password in URL":  {"cannot fetch 'git+https://oauth2:a%2Bb.c-d@gitlab.example/a?ref=x': 403", "cannot fetch 'git+https://oauth2:***@gitlab.example/a?ref=x': 403"},
		"token in URL":     {"clone https://0123456789abcdefghij@forge.example:3000/a", "clone https://***@forge.example:3000/a"},
		"user in URL":      {"copy to ssh-ng://builder@forge.example:2222 and http://forge.example:8080/@scope/a", "copy to ssh-ng://builder@forge.example:2222 and http://forge.example:8080/@scope/a"},
		"port and mail":    {"see http://forge.example:8080 or mail ops@example.com", "see http://forge.example:8080 or mail ops@example.com"},
		"certificate":      {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := New().String(tt.text)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if again := New().String(got); again != got {
				t.Errorf("done twice it is %s", again)
			}
		})
	}
}

func TestAShortSecretIsIgnoredWithAReason(t *testing.T) {
	t.Parallel()
	r := New("web", "", " \n", "four")
	if got := r.String("web is up by four"); got != "web is up by ***" {
		t.Errorf("got %q", got)
	}
	ignored := r.Ignored()
	if len(ignored) != 1 || !strings.Contains(ignored[0], "3 characters") || strings.Contains(ignored[0], "web") {
		t.Errorf("Ignored() = %q", ignored)
	}
}

func TestSecretsThatOverlapLeaveNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		secrets    []string
		text, want string
	}{
		{[]string{"abcdef", "defghi"}, "-abcdefghi-", "-***-"},
		{[]string{"abcd", "abcdefgh"}, "abcdefgh abcdef", "*** ***ef"},
		{[]string{"cret", "secretly"}, "secrets", "se***s"},
		{[]string{"aaaa"}, "aaaaaaaaa", "***"},
		{[]string{"hidden", "x***y"}, "xhiddeny", "***"}, // the mask makes up another secret
	}
	for _, tt := range tests {
		if got := New(tt.secrets...).String(tt.text); got != tt.want {
			t.Errorf("%q in %q: got %q, want %q", tt.secrets, tt.text, got, tt.want)
		}
	}
}

func TestAnErrorIsStillTheErrorThatItWas(t *testing.T) {
	t.Parallel()
	r := New(secret)
	if r.Error(nil) != nil {
		t.Error("an error out of nothing")
	}
	harmless := errors.New("harmless")
	if got := r.Error(harmless); got != harmless { //nolint:errorlint // the very same is meant
		t.Error("an error without secrets changed")
	}
	inner := &fs.PathError{Op: "open", Path: "/" + secret, Err: context.Canceled}
	err := r.Error(fmt.Errorf("upload: %w", inner))
	var path *fs.PathError
	if !errors.As(err, &path) || !errors.Is(err, context.Canceled) {
		t.Error("errors.As and errors.Is do not see through it")
	}
	for _, format := range []string{"%s", "%v", "%+v", "%#v", "%q", "%d"} {
		if got := fmt.Sprintf(format, err); strings.Contains(got, secret) || strings.Contains(got, "co%7") {
			t.Errorf("%s: %s", format, got)
		}
	}
	if got := fmt.Errorf("more: %w", err).Error(); got != "more: upload: open /***: context canceled" {
		t.Errorf("got %q", got)
	}
}

func FuzzNoSecretIsInTheOutput(f *testing.F) {
	f.Add(secret, "another secret", "before ", " between ", " after", 3)
	f.Add("abcd", "d***", "", "", "", 1)
	f.Add("line one\nline two", "Signature=", "-----BEGIN RSA PRIVATE KEY-----\n", "\n", "\n-----END", 7)
	f.Fuzz(func(t *testing.T, one, two, before, between, after string, size int) {
		r := New(one, two)
		text := before + one + between + two + one + after + two
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text; rest != ""; {
			n := min(max(size, 1), len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for how, got := range map[string]string{"String": r.String(text), "Writer": out.String()} {
			for _, s := range []string{one, two} {
				if s = strings.TrimSpace(s); len(s) >= leastSecret && strings.Contains(got, s) {
					t.Errorf("%s lets %q through: %q", how, s, got)
				}
			}
		}
	})
}

func BenchmarkString(b *testing.B) {
	r := New(key(b), secret, "dop_v1_0123456789abcdef", "another one")
	line := strings.Repeat("building '/nix/store/xxxxxxxx-nginx.conf.drv' on nothing ", 4)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		r.String(line)
	}
}
