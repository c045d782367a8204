package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/cli"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/space"
)

// What no output may ever hold.
const (
	secretToken = "canary-token-5f1e9b2c77"
	secretSpace = "canary-space-secret-83ad01ce55"
	secretFile  = "canary-content-of-a-file-b7d2"
)

const fleetFile = `space: {bucket: acme, region: nyc3}
defaults:
  rollout: {on-failure: rollback}
  verify: {soak: 100ms, timeout: 2m}
servers:
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1]}
    cycle: nightly
    files: [{path: /var/lib/key, from: {env: API_KEY}}]
    verify: {units: [nginx.service]}
cycles:
  nightly: {cron: "0 3 * * *"}
`

// place is a folder with a fleet file, and a lab if there is one.
type place struct {
	t   *testing.T
	dir string
	lab *lab.Lab
	env map[string]string
}

// empty is a place without anything.
func empty(t *testing.T) *place {
	t.Helper()
	return &place{t: t, dir: t.TempDir(), env: map[string]string{}}
}

// acme is a place with a fleet, in a lab.
func acme(t *testing.T) *place {
	t.Helper()
	p := empty(t)
	l, err := lab.Start(context.WithoutCancel(t.Context()), lab.Config{
		Token: secretToken, SecretKey: secretSpace, Bucket: "acme", StateDir: t.TempDir(), Timings: lab.Instant(),
		Droplets: []lab.DropletSpec{{Name: "web-1"}},
	})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	p.lab = l
	for _, line := range l.Env() {
		name, value, _ := strings.Cut(line, "=")
		p.env[name] = value
	}
	p.env["SNOWDROP_POLL"], p.env["API_KEY"] = "20ms", secretFile
	p.write("snowdrop.yaml", fleetFile)
	p.commit("1", web(""))
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func web(boot string) lab.ImageSpec {
	s := lab.ImageSpec{SizeMiB: 2, Users: []string{"u" + boot}, Units: map[string]string{"nginx.service": "active"}}
	if boot == "broken" {
		s.Boot, s.Units["nginx.service"] = "failed-unit", "failed"
	}
	return s
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.t.Helper()
	check(p.t, os.WriteFile(p.path(name), []byte(text), 0o600))
}

// commit makes a release the one that is checked out.
func (p *place) commit(digit string, image lab.ImageSpec) {
	p.t.Helper()
	data, err := json.Marshal(lab.Builder{
		Servers: map[string]lab.ImageSpec{"web": image}, Revision: strings.Repeat(digit, 40),
		At: time.Date(2026, 3, int(digit[0]-'0'), 9, 0, 0, 0, time.UTC),
	})
	check(p.t, err)
	p.write("lab.json", string(data))
}

// run runs a command line on the fleet file, and checks that no secret is told.
func (p *place) run(args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	return p.runIn(p.t.Context(), args...)
}

func (p *place) runIn(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(ctx, append([]string{"--config", p.path("snowdrop.yaml")}, args...), cli.IO{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string { return p.env[name] },
	})
	for _, secret := range []string{secretToken, secretSpace, secretFile, "X-Amz-Signature=", "PRIVATE KEY"} {
		if strings.Contains(out.String()+errs.String(), secret) {
			p.t.Errorf("%v tells a secret (%s):\n%s\n%s", args, secret, &out, &errs)
		}
	}
	return code, out.String(), errs.String()
}

// want runs a command line that must end with a code, and returns all it said.
func (p *place) want(code int, args ...string) string {
	p.t.Helper()
	got, out, errs := p.run(args...)
	if got != code {
		p.t.Fatalf("snowdrop %s ended with %d; want %d\n%s\n%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out + errs
}

func hasAll(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

func TestDayOfAFleet(t *testing.T) {
	t.Parallel()
	p := acme(t)
	hasAll(t, p.want(0, "deploy", "--dry-run"), "would")
	hasAll(t, p.want(2, "deploy"), "will be wiped", "web-1", "add --yes")
	if len(p.lab.State().Actions) > 0 {
		t.Fatal("a droplet was touched without --yes")
	}
	p.want(0, "deploy", "--yes")
	p.want(0, "deploy") // nothing is wiped, so nothing is asked
	hasAll(t, p.want(0, "status"), "web-1", "verified", "1111111")
	p.want(0, "verify", "web")
	hasAll(t, p.want(0, "status", "--verify"), "SINCE", "ago")
	hasAll(t, p.want(1, "rollback", "web", "--yes"), "no way back")

	p.commit("2", web("broken"))
	hasAll(t, p.want(3, "deploy", "-y"), "rolled back", "nginx.service")
	hasAll(t, p.want(0, "status"), "rolled-back")

	p.commit("3", web("again"))
	p.want(0, "deploy", "--yes", "--server", "web", "--cycle", "nightly")
	p.want(0, "rollback", "web", "--yes")
	p.want(0, "rebuild", "-s", "web", "--yes")
	hasAll(t, p.want(2, "prune"), "add --yes")
	p.want(0, "prune", "--dry-run")
	p.want(0, "prune", "--yes")
	p.want(0, "build")
}

func TestJSONIsOneObjectALine(t *testing.T) {
	t.Parallel()
	p := acme(t)
	code, out, errs := p.run("deploy", "--yes", "--json")
	if code != 0 || errs != "" {
		t.Fatalf("deploy --json ended with %d\n%s\n%s", code, out, errs)
	}
	kinds := map[string]bool{}
	for line := range strings.Lines(out) {
		var e struct{ Kind, Time string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Kind == "" || e.Time == "" {
			t.Errorf("not an event: %v: %s", err, line)
		}
		kinds[e.Kind] = true
	}
	for _, kind := range []string{"run.started", "step.started", "step.finished", "droplet.finished", "server.finished", "run.finished"} {
		if !kinds[kind] {
			t.Errorf("no %s", kind)
		}
	}
	for _, args := range [][]string{{"status", "--json"}, {"status", "--verify", "--json"}, {"doctor", "--json"}} {
		_, out, _ := p.run(args...)
		if !json.Valid([]byte(out)) {
			t.Errorf("%v: not JSON: %s", args, out)
		}
		namedAlike(t, out)
	}
}

// namedAlike demands that a document names all its fields in one way, whatever part of
// snowdrop they come from.
func namedAlike(t *testing.T, document string) {
	t.Helper()
	if odd := regexp.MustCompile(`"[A-Z]\w*"\s*:`).FindAllString(document, -1); len(odd) > 0 {
		t.Errorf("%v is named as none of the others in\n%s", odd, document)
	}
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	p := acme(t)
	hasAll(t, p.want(1, "verify"), "never released")
	delete(p.env, "API_KEY")
	hasAll(t, p.want(1, "deploy", "--yes"), "API_KEY")
	p.env["DIGITALOCEAN_ACCESS_TOKEN"] = "not-the-token"
	hasAll(t, p.want(1, "status"), "401", "DIGITALOCEAN_ACCESS_TOKEN")
}

// TestSecretInAJournalIsNeitherToldNorRecorded: a unit that fails may print what
// it was given.
func TestSecretInAJournalIsNeitherToldNorRecorded(t *testing.T) {
	t.Parallel()
	p := acme(t)
	broken := web("broken")
	broken.Failed = []release.Unit{{
		Name: "nginx.service", Active: "failed", Result: "exit-code", Journal: []string{"cannot read the key '" + secretFile + "' at line 1"},
	}}
	p.commit("1", broken)
	hasAll(t, p.want(1, "deploy", "--yes"), "cannot read the key", "***")
	access, secret := p.lab.Keys()
	s, err := space.New(space.Config{Bucket: "acme", Region: "nyc3", Endpoint: p.lab.SpaceURL(), AccessKey: access, SecretKey: secret})
	check(t, err)
	records, err := s.List(t.Context(), "releases/")
	check(t, err)
	if len(records) < 2 {
		t.Errorf("%d records", len(records))
	}
	for _, r := range records {
		text, err := s.Get(t.Context(), r.Key)
		check(t, err)
		if strings.Contains(string(text), secretFile) {
			t.Errorf("%s holds the secret: %s", r.Key, text)
		}
		hasAll(t, string(text), "cannot read the key")
	}
}

func TestCancelledCommandEndsWith130(t *testing.T) {
	t.Parallel()
	p := acme(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, out, errs := p.runIn(ctx, "deploy", "--yes"); code != deploy.ExitCancelled {
		t.Errorf("ended with %d\n%s\n%s", code, out, errs)
	}
}

func TestWrongUseEndsWith2AndSaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	p := acme(t)
	for name, tc := range map[string]struct {
		args []string
		says []string
	}{
		"unknown server":        {[]string{"deploy", "wbe"}, []string{`no server "wbe"`, "did you mean"}},
		"several unknown":       {[]string{"verify", "wbe", "xyz"}, []string{`"wbe"`, `"xyz"`}},
		"unknown cycle":         {[]string{"deploy", "--cycle", "nightl"}, []string{"nightl", "did you mean"}},
		"unknown command":       {[]string{"depoly"}, []string{"depoly", "deploy"}},
		"unknown flag":          {[]string{"deploy", "--yse"}, []string{"--yse", "--help"}},
		"rebuild of everything": {[]string{"rebuild", "--yes"}, []string{"name the servers"}},
		"arguments to schema":   {[]string{"schema", "web"}, []string{"web"}},
		"unknown fault":         {[]string{"lab", "--fault", "moon-phase"}, []string{"moon-phase", "api-lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &place{t: t, dir: p.dir, env: p.env}
			hasAll(t, p.want(deploy.ExitUsage, tc.args...), tc.says...)
		})
	}
}

func TestBrokenFleetFileShowsAllItsFaults(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.write("snowdrop.yaml", "space: {bucket: acme}\nservers:\n  web:\n    dorplets: {names: [web-1]}\n    rollout: {on-failure: explode}\n")
	hasAll(t, p.want(2, "status"), "dorplets", "droplets", "explode", "snowdrop.yaml:4", "snowdrop.yaml:5")
	check(t, os.Remove(p.path("snowdrop.yaml")))
	hasAll(t, p.want(2, "status"), "snowdrop.yaml", "snowdrop init")
}

func TestMissingCredentialsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.env = map[string]string{}
	hasAll(t, p.want(2, "status"), "DIGITALOCEAN_ACCESS_TOKEN", "SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY")
	p.env["SNOWDROP_POLL"], p.env["DIGITALOCEAN_TOKEN"] = "soon", "x"
	hasAll(t, p.want(2, "status"), `SNOWDROP_POLL="soon"`)
}

func TestSchemaIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../snowdrop.schema.json")
	check(t, err)
	code, out, _ := empty(t).run("schema")
	if diff := cmp.Diff(string(want), out); code != 0 || diff != "" {
		t.Errorf("schema (-committed +told):\n%s", diff)
	}
}

func TestInitWritesOnceAndNeverOverwrites(t *testing.T) {
	t.Parallel()
	p := acme(t)
	check(t, os.Remove(p.path("snowdrop.yaml")))
	hasAll(t, p.want(0, "init", "--bucket", "acme", "--region", "nyc3"), "Wrote", "web-1")
	text, err := os.ReadFile(p.path("snowdrop.yaml"))
	check(t, err)
	hasAll(t, string(text), "web:", "web-1")
	p.want(0, "status") // what was written can be loaded
	hasAll(t, p.want(2, "init"), "not overwritten")
	if again, _ := os.ReadFile(p.path("snowdrop.yaml")); !bytes.Equal(text, again) {
		t.Error("it was overwritten")
	}
	// Without a token the droplets are left open.
	check(t, os.Remove(p.path("snowdrop.yaml")))
	p.env = map[string]string{}
	hasAll(t, p.want(0, "init"), "DIGITALOCEAN_ACCESS_TOKEN is not set")
}

func TestDoctorLooksAtEverythingWhateverItFinds(t *testing.T) {
	t.Parallel()
	p := acme(t)
	hasAll(t, p.want(0, "doctor"), "nix", "2.26.3", "DigitalOcean", "Space", "ssh web/web-1", "answers")
	check(t, p.lab.Fault(lab.Fault{Kind: "ssh-refuse", Target: "web-1", Count: -1}))
	p.env["SPACES_SECRET_ACCESS_KEY"] = "not-the-secret"
	hasAll(t, p.want(1, "doctor"), "checks failed", "failed", "DigitalOcean", "Space")
}

func TestCompletionKnowsTheFleet(t *testing.T) {
	t.Parallel()
	p := acme(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := p.want(0, "completion", shell); !strings.Contains(out, "snowdrop") {
			t.Errorf("%s: %s", shell, out)
		}
	}
	hasAll(t, p.want(0, "__complete", "--config", p.path("snowdrop.yaml"), "deploy", ""), "web")
	hasAll(t, p.want(0, "__complete", "--config", p.path("snowdrop.yaml"), "deploy", "--cycle", ""), "nightly")
	hasAll(t, p.want(0, "__complete", "--config", p.path("snowdrop.yaml"), "rollback", "--server", ""), "web")
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	p := empty(t)
	hasAll(t, p.want(0, "--help"), "Exit codes", "deploy", "rollback", "demo")
	hasAll(t, p.want(0, "--version"), "snowdrop ")
	hasAll(t, p.want(0, "lab", "--help"), "boot-failed-unit")
}

func TestLabTellsTheWayToItAndEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	p := empty(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &waiting{word: "interrupted", then: cancel}
	code := cli.Run(ctx, []string{"lab", "--droplet", "a@ams3", "--state-dir", p.dir}, cli.IO{
		In: strings.NewReader(""), Out: out, Err: &bytes.Buffer{}, Getenv: func(string) string { return "" },
	})
	hasAll(t, out.String(), "DIGITALOCEAN_API_URL", "SSH_PRIVATE_KEY")
	if code != 0 {
		t.Errorf("ended with %d", code)
	}
	if left, _ := os.ReadDir(p.dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// waiting does something when it is told a word.
type waiting struct {
	bytes.Buffer
	word string
	then func()
}

func (w *waiting) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.word) {
		w.then()
	}
	return w.Buffer.Write(p) //nolint:wrapcheck // a buffer does not fail
}

func TestAKeptPlanIsDeployedOnceAndOnlyReadByItsOwner(t *testing.T) {
	t.Parallel()
	p := acme(t)
	file := p.path("plan.json")
	p.write("plan.json", "an older file")
	check(t, os.Chmod(file, 0o644))
	hasAll(t, p.want(deploy.ExitChanges, "plan", "--out", file, "--detailed-exitcode"), "snowdrop deploy --plan "+file)
	info, err := os.Stat(file)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the plan's mode is %v", info.Mode())
	}
	p.want(deploy.ExitDone, "deploy", "--plan", file, "--yes")
	if out := p.want(deploy.ExitFailed, "deploy", "--plan", file, "--yes"); !strings.Contains(out, "the plan is out of date") || !strings.Contains(out, "there was none") {
		t.Errorf("the second time: %s", out)
	}
}

func TestAPlanThatIsKeptInADeviceLeavesTheDevice(t *testing.T) {
	t.Parallel()
	p := acme(t)
	file := p.path("null") // as /dev/stdout, which is a link, too
	check(t, os.Symlink(os.DevNull, file))
	p.want(deploy.ExitDone, "plan", "--out", file)
	info, err := os.Stat(file)
	check(t, err)
	if info.Mode().IsRegular() {
		t.Errorf("the device was replaced by a file, %v", info.Mode())
	}
}

func TestAPlanFileSaysWhichServers(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.write("plan.json", `{"version": 1, "servers": [{"server": "web"}]}`)
	for _, args := range [][]string{{"web"}, {"--server", "web"}, {"--cycle", "nightly"}, {"--revision", strings.Repeat("1", 40)}, {"--force"}} {
		p.want(deploy.ExitUsage, append([]string{"deploy", "--yes", "--plan", p.path("plan.json")}, args...)...)
	}
	p.want(deploy.ExitUsage, "deploy", "--yes", "--plan", p.path("nowhere.json"))
	p.write("plan.json", "{}")
	p.want(deploy.ExitUsage, "deploy", "--yes", "--plan", p.path("plan.json"))
}

func TestAPlanShowsWhatChangesOnEveryServer(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.want(deploy.ExitDone, "deploy", "--yes")
	next := web("")
	next.Units = map[string]string{"nginx.service": "active", "worker.service": "active"}
	p.commit("2", next)
	// The test's flake says the same at every revision.
	hasAll(t, p.want(deploy.ExitDone, "plan", "--no-build", "--json"), `"estimate":true`, "nothing was built")
	cached := p.want(deploy.ExitDone, "plan", "--no-build", "--store", "https://me:sesame@cache.acme.example", "--json")
	if hasAll(t, cached, `"name":"units"`, "a binary cache tells of packages alone"); strings.Contains(cached, `"estimate":true`) || strings.Contains(cached, "sesame") {
		t.Errorf("with a binary cache:\n%s", cached)
	}
	base := strings.Repeat("3", 40)
	hasAll(t, p.want(deploy.ExitDone, "plan", "--base", base, "--json"), `"fromBase":{"revision":"`+base+`"`)
	hasAll(t, p.want(deploy.ExitUsage, "plan", "--base", "main"), "compare with --base", "git rev-parse main")
	hasAll(t, p.want(deploy.ExitDone, "plan"), "build and rebuild", "worker.service")
	hasAll(t, p.want(deploy.ExitDone, "plan", "--json"), `"kind":"server.planned"`, `"name":"units"`, `"kind":"fleet.planned"`)
}
