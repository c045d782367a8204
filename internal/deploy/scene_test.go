package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/internal/systemd"
)

// TestMain runs more tests at once than there are processors: they wait most of
// the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// What no event, error or record may ever hold.
const (
	secretToken = "canary-token-5f1e9b2c77"
	secretSpace = "canary-space-secret-83ad01ce55"
	secretFile  = "canary-content-of-a-file-b7d2"
	accessKey   = "CANARYACCESSKEY00001"
)

// speed is how much faster the time of a scene passes.
const speed = 200

// unhurried is the speed of a deploy whose machines have clocks as fast as speed. Those
// clocks are late on a busy computer, which shall not be taken for a machine that is
// not heard of any more.
const unhurried = speed / 5

// clock passes the time of a deploy faster than the machine's, so that a soak of
// ten seconds is over in a moment.
type clock struct {
	start time.Time
	speed time.Duration
}

func (c clock) Now() time.Time { return c.start.Add(time.Since(c.start) * c.speed) }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / c.speed)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// scene is a fleet in a lab of its own.
type scene struct {
	*lab.Lab
	t       *testing.T
	fleet   *fleet.Fleet
	builder *lab.Builder
	nix     deploy.Nix
	space   *space.Client
	store   deploy.Space // what the deploys see of the space
	ocean   *ocean.Client
	dialer  *remote.Dialer
	clock   clock
	env     map[string]string

	mu     sync.Mutex
	events []event.Event
	errs   []error
	// on sees every event while the run is at it.
	on func(event.Event)
}

// set says what a scene starts with.
type set struct {
	// servers is the YAML below "servers:".
	servers  string
	droplets []lab.DropletSpec
	images   map[string]lab.ImageSpec
	faults   []string
	space    string
	// slow is how long an import and a rebuild take at least, so that a run can be
	// cut off meanwhile; 0 means a moment.
	slow time.Duration
	// second is how long a second is for the programs of a droplet; 0 means a second.
	second time.Duration
}

const first, second, third = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222", "3333333333333333333333333333333333333333"

// commitTime is when a revision was committed.
func commitTime(revision string) time.Time {
	return time.Date(2026, 3, int(revision[0]-'0'), 9, 0, 0, 0, time.UTC)
}

// web is a server with nginx; change tells one release from another.
func web(change string) lab.ImageSpec {
	return lab.ImageSpec{
		SizeMiB: 2, Users: []string{change},
		Units: map[string]string{"nginx.service": "active"},
		HTTP:  map[string]lab.Answer{"/healthz": {Status: 200, Body: "ok", Unit: "nginx.service"}},
	}
}

// webBroken is a release of it whose nginx fails.
func webBroken() lab.ImageSpec {
	s := web("broken")
	s.Boot = "failed-unit"
	s.Units = map[string]string{"nginx.service": "failed"}
	s.Failed = []release.Unit{{
		Name: "nginx.service", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1,
		Journal: []string{`unknown directive "listn" in nginx.conf:14`},
	}}
	return s
}

const webServer = `
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1, web-2]}
    keep: 1
    rollout: {batch: 1, on-failure: %s}
    verify: {units: [nginx.service], http: [{url: "http://{{.IPv4}}/healthz"}], soak: 2s, timeout: 10m}
`

// oneWeb is the server web on two droplets.
func oneWeb(onFailure string) set {
	return set{
		servers:  fmt.Sprintf(webServer, onFailure),
		droplets: []lab.DropletSpec{{Name: "web-1"}, {Name: "web-2"}},
		images:   map[string]lab.ImageSpec{"web": web("a")},
	}
}

// open starts the lab of a scene. When the test ends it is checked that nothing
// that was told or written holds a secret.
func open(t *testing.T, s set) *scene {
	t.Helper()
	cfg := lab.Config{
		Token: secretToken, Bucket: "acme", AccessKey: accessKey, SecretKey: secretSpace, StateDir: t.TempDir(),
		Droplets: s.droplets, Timings: lab.Instant(), RequestsPerHour: 1_000_000, RequestsPerMinute: 1_000_000,
	}
	cfg.Timings.Rebuild = max(cfg.Timings.Rebuild, s.slow)
	cfg.Timings.Create = max(cfg.Timings.Create, s.slow)
	cfg.Timings.Pending = max(cfg.Timings.Pending, s.slow)
	if cfg.Timings.Second = s.second; s.second > 0 {
		cfg.Timings.Start = 400 * time.Millisecond // also a busy computer sees an activation that long
	}
	for _, text := range s.faults {
		f, err := lab.ParseFault(text)
		check(t, err)
		cfg.Faults = append(cfg.Faults, f)
	}
	// Not the test's own context: the lab is looked at after its end.
	l, err := lab.Start(context.WithoutCancel(t.Context()), cfg)
	check(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "snowdrop.yaml")
	text := "space: {bucket: acme, region: nyc3" + s.space + "}\nservers:" + s.servers
	check(t, os.WriteFile(file, []byte(text), 0o600))
	f, err := fleet.Load(file)
	check(t, err)
	c := &scene{
		Lab: l, t: t, fleet: f, clock: clock{time.Now(), speed}, env: map[string]string{"API_KEY": secretFile},
		builder: &lab.Builder{Dir: dir, Servers: s.images},
	}
	if s.second > 0 {
		c.clock.speed = unhurried
	}
	c.nix = c.builder
	c.commit(first)
	c.connect()
	t.Cleanup(func() {
		c.noSecretIsTold()
		check(t, c.dialer.Close())
		check(t, l.Close())
	})
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) connect() {
	s.t.Helper()
	var err error
	s.ocean, err = ocean.New(ocean.Config{Token: s.Token(), BaseURL: s.APIURL(), Clock: s.clock})
	check(s.t, err)
	access, secret := s.Keys()
	s.space, err = space.New(space.Config{Bucket: s.Bucket(), Region: "nyc3", Endpoint: s.SpaceURL(), AccessKey: access, SecretKey: secret})
	check(s.t, err)
	s.store = s.space
	s.dialer, err = remote.New(remote.Config{Env: s.Getenv})
	check(s.t, err)
}

// deployer makes a Deployer without any redaction: what the steps say must be
// clean by itself.
func (s *scene) deployer() *deploy.Deployer {
	return deploy.New(deploy.Config{
		Fleet: s.fleet, Nix: s.nix, Space: s.store, Ocean: s.ocean, SSH: s.dialer, Clock: s.clock,
		Sink:   event.SinkFunc(s.told),
		Getenv: func(name string) string { return s.env[name] },
		RunURL: "https://example.com/runs/1",
	})
}

func (s *scene) told(e event.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	on := s.on
	s.mu.Unlock()
	if on != nil {
		on(e)
	}
}

// commit makes a revision the one that is checked out.
func (s *scene) commit(revision string) {
	s.builder.Revision, s.builder.At = revision, commitTime(revision)
}

// release makes a revision the one that is checked out, with another image.
func (s *scene) release(revision, server string, image lab.ImageSpec) {
	s.commit(revision)
	s.builder.Servers = maps.Clone(s.builder.Servers)
	s.builder.Servers[server] = image
}

// forget forgets the events and requests so far.
func (s *scene) forget() {
	s.noSecretIsTold()
	s.mu.Lock()
	s.events = nil
	s.mu.Unlock()
	s.ResetRequests()
}

// failed keeps an error for the check of secrets, and returns it.
func (s *scene) failed(err error) error {
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.errs = append(s.errs, err)
	}
	return err
}

// plan plans a deploy, which must work.
func (s *scene) plan(req deploy.Request) *deploy.Plan {
	s.t.Helper()
	plan, err := s.deployer().Plan(s.t.Context(), req)
	if s.failed(err) != nil {
		s.t.Fatalf("plan: %v", err)
	}
	return plan
}

// run plans and deploys everything.
func (s *scene) run(ctx context.Context) (*deploy.Result, error) {
	s.t.Helper()
	d := s.deployer()
	result, err := d.Deploy(ctx, s.plan(deploy.Request{}))
	return result, s.failed(err)
}

// mustRun is run that must work.
func (s *scene) mustRun() *deploy.Result {
	s.t.Helper()
	result, err := s.run(s.t.Context())
	if err != nil {
		s.t.Fatalf("deploy: %v%s", err, causes(err))
	}
	return result
}

// causes are the servers' own errors.
func causes(err error) string {
	var text strings.Builder
	var failed *deploy.FailedError
	if errors.As(err, &failed) {
		for _, f := range failed.Failed {
			fmt.Fprintf(&text, "\n%s: %v", f.Server, f.Err)
		}
	}
	return text.String()
}

// record is what is kept of a server; nil if there is nothing.
func (s *scene) record(server string) *release.Record {
	s.t.Helper()
	data, err := s.space.Get(s.t.Context(), "releases/"+server+"/current.json")
	if errors.Is(err, space.ErrNotFound) {
		return nil
	}
	check(s.t, err)
	var rec release.Record
	check(s.t, json.Unmarshal(data, &rec))
	return &rec
}

// runs is the name of the image that a droplet was last rebuilt from.
func (s *scene) runs(droplet string) string {
	s.t.Helper()
	d := s.State().Droplet(droplet)
	if d == nil {
		s.t.Fatalf("no droplet %s", droplet)
	}
	return d.Image.Name
}

// imageName is the name of the custom image of a server as it is checked out.
func (s *scene) imageName(server string) string {
	s.t.Helper()
	outputs, err := s.builder.Evaluate(s.t.Context(), []string{".#" + server + "-image"})
	check(s.t, err)
	hash, _, _ := strings.Cut(filepath.Base(outputs[0].Path), "-")
	return ocean.ImageName(server, hash)
}

// imagesNamed is how many usable images have that name.
func (s *scene) imagesNamed(name string) int {
	n := 0
	for _, i := range s.State().Images {
		if i.Name == name && i.Status == "available" {
			n++
		}
	}
	return n
}

// posts are the POSTs to DigitalOcean, without those that only look.
func (s *scene) posts(path string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Service == "api" && r.Method == "POST" && (path == "" || strings.HasPrefix(r.Path, path)) {
			n++
		}
	}
	return n
}

// rebuilds are the rebuild actions that a droplet ever had.
func (s *scene) rebuilds(droplet string) int {
	s.t.Helper()
	id, n := s.State().Droplet(droplet).ID, 0
	for _, a := range s.State().Actions {
		if a.Type == "rebuild" && a.ResourceID == id {
			n++
		}
	}
	return n
}

// outcomes are how a result says that servers and droplets ended.
func outcomes(r *deploy.Result) map[string]event.Outcome {
	all := map[string]event.Outcome{}
	for _, server := range r.Servers {
		all[server.Server] = server.Outcome
		for _, d := range server.Droplets {
			all[d.Droplet.Name] = d.Outcome
		}
	}
	return all
}

// steps are "step subject" of what was begun, sorted; skipped ones too.
func (s *scene) steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, e := range s.events {
		if e, ok := e.(event.StepStarted); ok {
			all = append(all, e.Step+" "+e.Subject.String())
		}
	}
	slices.Sort(all)
	return all
}

// cutOff runs a deploy whose context ends at the first event that at names.
func (s *scene) cutOff(at func(event.Event) bool) (*deploy.Result, error) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	s.mu.Lock()
	s.on = func(e event.Event) {
		if at(e) {
			cancel()
		}
	}
	s.mu.Unlock()
	result, err := s.run(ctx)
	s.mu.Lock()
	s.on = nil
	s.mu.Unlock()
	if !errors.Is(err, context.Canceled) {
		s.t.Fatalf("a deploy that was cut off ended as %v%s", err, causes(err))
	}
	return result, err
}

// stepStarts is an event: a step begins to work on any subject.
func stepStarts(step string) func(event.Event) bool {
	return func(e event.Event) bool {
		started, ok := e.(event.StepStarted)
		return ok && started.Step == step
	}
}

// leftovers are the images' objects and unfinished uploads in the Space.
func (s *scene) leftovers() []string {
	var left []string
	state := s.State()
	for _, o := range state.Objects {
		if strings.HasPrefix(o.Key, "images/") {
			left = append(left, o.Key)
		}
	}
	for _, u := range state.Uploads {
		left = append(left, "upload of "+u.Key)
	}
	return left
}

// bootNow is the boot that a droplet is in, read as root over SSH with any host key.
func (s *scene) bootNow(droplet string) systemd.State {
	s.t.Helper()
	conn, err := s.dialer.Dial(s.t.Context(), remote.Target{
		Name: droplet, Address: s.State().Droplet(droplet).IPv4(), Keys: remote.HostKeys{Policy: fleet.AcceptNew},
	})
	check(s.t, err)
	defer func() { _ = conn.Close() }()
	state, err := systemd.Look(s.t.Context(), conn, systemd.Request{})
	check(s.t, err)
	return state
}

// sh runs a command on a droplet.
func (s *scene) sh(droplet, command string) {
	s.t.Helper()
	conn, err := s.dialer.Dial(s.t.Context(), remote.Target{
		Name: droplet, Address: s.State().Droplet(droplet).IPv4(), Keys: remote.HostKeys{Policy: fleet.AcceptNew},
	})
	check(s.t, err)
	defer func() { _ = conn.Close() }()
	result, err := conn.Run(s.t.Context(), command, nil)
	check(s.t, err)
	if result.Exit != 0 {
		s.t.Fatalf("%s on %s: exit %d: %s", command, droplet, result.Exit, result.Stderr)
	}
}

// noSecretIsTold looks through all events, errors and records so far.
func (s *scene) noSecretIsTold() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		data, err := json.Marshal(e)
		check(s.t, err)
		s.clean(fmt.Sprintf("event %s", e.Kind()), fmt.Sprintf("%s\n%+v", data, e))
	}
	for _, err := range s.errs {
		s.clean("error", err.Error()+causes(err))
	}
	objects, err := s.space.List(context.WithoutCancel(s.t.Context()), "releases/")
	check(s.t, err)
	for _, o := range objects {
		data, err := s.space.Get(context.WithoutCancel(s.t.Context()), o.Key)
		check(s.t, err)
		s.clean("record "+o.Key, string(data))
	}
}

func (s *scene) clean(what, text string) {
	s.t.Helper()
	secrets := []string{secretToken, secretSpace, secretFile, accessKey, "X-Amz-Signature", "X-Amz-Credential", "PRIVATE KEY"}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			s.t.Errorf("%s holds a secret (%s): %s", what, secret, text)
		}
	}
}
