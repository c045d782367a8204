package connect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
)

func load(t *testing.T) *fleet.Fleet {
	t.Helper()
	name := filepath.Join(t.TempDir(), "snowdrop.yaml")
	text := `space: {bucket: acme, region: nyc3}
servers:
  web: {image: .#web, files: [{path: /key, from: {env: WEB_KEY}}]}
`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := fleet.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func whole() map[string]string {
	return map[string]string{
		"DIGITALOCEAN_ACCESS_TOKEN": "canary-token", "SPACES_ACCESS_KEY_ID": "CANARYKEY", "SPACES_SECRET_ACCESS_KEY": "canary-secret",
		"GITHUB_TOKEN": "canary-github", "WEB_KEY": "canary-web-key",
	}
}

func TestAllThatIsMissingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := connect.Connect(load(t), connect.Options{Getenv: getenv(nil)})
	if err == nil {
		t.Fatal("connected without credentials")
	}
	for _, name := range []string{"DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_TOKEN", "SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY", "acme"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

func TestEitherNameOfTheTokenServes(t *testing.T) {
	t.Parallel()
	env := whole()
	env["DIGITALOCEAN_TOKEN"] = env["DIGITALOCEAN_ACCESS_TOKEN"]
	delete(env, "DIGITALOCEAN_ACCESS_TOKEN")
	if _, err := connect.Connect(load(t), connect.Options{Getenv: getenv(env)}); err != nil {
		t.Error(err)
	}
}

func TestPollMustBeADuration(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{"": true, "20ms": true, "2": false, "-1s": false, "soon": false} {
		_, err := connect.Ocean(getenv(map[string]string{"DIGITALOCEAN_TOKEN": "x", "SNOWDROP_POLL": text}))
		if (err == nil) != good {
			t.Errorf("SNOWDROP_POLL=%q: %v", text, err)
		}
	}
}

// TestCredentialsAndFilesAreSecrets: whatever says them, nobody hears them.
func TestCredentialsAndFilesAreSecrets(t *testing.T) {
	t.Parallel()
	outside, err := connect.Connect(load(t), connect.Options{Getenv: getenv(whole())})
	if err != nil {
		t.Fatal(err)
	}
	var told []event.Event
	sink := outside.Redact.Sink(event.SinkFunc(func(e event.Event) { told = append(told, e) }))
	for name, secret := range whole() {
		if got := outside.Redact.String("said: " + secret); strings.Contains(got, secret) {
			t.Errorf("%s is told: %s", name, got)
		}
		told = nil
		sink.Emit(event.Log{Line: "builder says " + secret})
		if len(told) != 1 || strings.Contains(told[0].(event.Log).Line, secret) {
			t.Errorf("%s is in an event: %v", name, told)
		}
	}
}

func TestVersionIsNeverEmpty(t *testing.T) {
	t.Parallel()
	if connect.Version() == "" {
		t.Error("no version")
	}
}

func TestAFleetWithoutDropletsNeedsNoToken(t *testing.T) {
	t.Parallel()
	env := whole()
	delete(env, "DIGITALOCEAN_ACCESS_TOKEN")
	for text, needs := range map[string]bool{
		"servers:\n  db: {provider: ssh, hosts: [{name: db-1}]}\n":              false,
		"servers:\n  db: {provider: ssh, hosts: [{name: db-1}]}\n  web:\n":      true,
		"preview: {}\nservers:\n  db: {provider: ssh, hosts: [{name: db-1}]}\n": true,
		"defaults: {provider: ssh}\nservers:\n  db: {hosts: [{name: db-1}]}\n":  false,
		"defaults: {keep: 2}\nservers:\n  web: {droplets: {names: [web-1]}}\n":  true,
	} {
		f, err := fleet.Parse("snowdrop.yaml", []byte("space: {bucket: acme, region: nyc3}\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		outside, err := connect.Connect(f, connect.Options{Getenv: getenv(env)})
		if (err != nil) != needs {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil && outside.Deployer(f, connect.Options{Getenv: getenv(env)}).Ocean != nil {
			t.Errorf("%s: a client of DigitalOcean without a token", text)
		}
	}
}

// TestWhatFilesHoldIsSecret: they are read here, so that a report of a run that writes
// none of them is without it too.
func TestWhatFilesHoldIsSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"key": "canary-in-a-file\n", "data": strings.Repeat("canary-of-data\n", 2000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := fleet.Parse("snowdrop.yaml", []byte("space: {bucket: acme, region: nyc3}\nservers:\n  web:\n    files:\n"+
		"      - {path: /a, from: {file: '"+filepath.Join(dir, "key")+"'}}\n"+
		"      - {path: /b, from: {file: '"+filepath.Join(dir, "data")+"'}}\n"+
		"      - {path: /c, from: {file: '"+filepath.Join(dir, "not-there")+"'}}\n"+
		"      - {path: /d, from: {file: '"+dir+"'}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	shared := connect.Secrets(getenv(whole()))
	var learned []string
	options := connect.Options{Getenv: getenv(whole()), Redact: shared, Learn: func(s string) { learned = append(learned, s) }}
	outside, err := connect.Connect(f, options)
	if err != nil {
		t.Fatal(err)
	}
	d := outside.Deployer(f, options)
	d.Learn("canary-of-a-command\n")
	const said = "canary-in-a-file canary-of-a-command canary-of-data"
	if got := shared.String(said); got != "*** *** canary-of-data" || d.Redact(said) != got {
		t.Errorf("it is told as %q", got)
	}
	if len(learned) != 1 || learned[0] != "canary-of-a-command\n" {
		t.Errorf("the front end learned %q", learned)
	}
}
