package verify_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
	"github.com/versatus/snowdrop/internal/systemd"
	"github.com/versatus/snowdrop/steps/verify"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	system = "/nix/store/0000000000000000000000000000000b-nixos-system-web-25.11"
	former = "/nix/store/0000000000000000000000000000000a-nixos-system-web-25.05"
)

// clock goes on only when somebody sleeps.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	wake func(slept time.Duration)
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	if c.wake != nil {
		c.wake(d)
	}
	return ctx.Err()
}

// droplet answers looks with a state that depends on the time since the start.
type droplet struct {
	*sshtest.Server
	clock  *clock
	start  time.Time
	states func(since time.Duration) systemd.State
	run    map[string]int
	dialer *remote.Dialer
	events []string
}

func newDroplet(t *testing.T, states func(since time.Duration) systemd.State) *droplet {
	t.Helper()
	start := time.Date(2025, 11, 23, 12, 0, 0, 0, time.UTC)
	d := &droplet{clock: &clock{now: start}, start: start, states: states, run: map[string]int{}}
	d.Server = sshtest.Start(t, sshtest.Options{Handler: d.handle})
	_, key := sshtest.NewPrivateKey(t)
	dialer, err := remote.New(remote.Config{Env: func(name string) string {
		return map[string]string{remote.EnvPrivateKey: key}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.dialer = dialer
	return d
}

func (d *droplet) handle(_ context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) int {
	if command != systemd.Command {
		_, _ = io.WriteString(stderr, "curl: (7) Failed to connect\n")
		return d.run[command]
	}
	script, err := io.ReadAll(stdin)
	if err != nil {
		return 1
	}
	req, ok := systemd.ParseRequest(string(script))
	if !ok {
		return 2
	}
	s := d.states(d.clock.Now().Sub(d.start))
	if len(req.Units) == 0 {
		s.Units = nil
	}
	s.HostKeys = append(s.HostKeys, d.HostKey()+" root@web", "not a key")
	_, _ = stdout.Write(systemd.Render(s))
	return 0
}

func (d *droplet) target() remote.Target {
	return remote.Target{Name: "web-1", Address: d.Host, Port: d.Port, Keys: remote.HostKeys{AcceptNewSet: true}}
}

func (d *droplet) tell() event.Teller {
	return event.NewTeller(event.SinkFunc(func(e event.Event) {
		switch e := e.(type) {
		case event.Phase:
			d.events = append(d.events, e.Text)
		case event.Warning:
			d.events = append(d.events, "warning: "+e.Text)
		}
	}), event.Subject{Server: "web", Droplet: "web-1"}, "verify")
}

func (d *droplet) verify(t *testing.T, change func(*verify.In)) (release.Evidence, error) {
	t.Helper()
	in := verify.In{
		Target: d.target(), ExpectSystem: system, FormerBootID: "boot-a", RebuiltAt: d.start,
		Verify:  fleet.Verify{Units: []string{"nginx.service"}, Timeout: fleet.Duration(5 * time.Minute)},
		Droplet: ocean.Droplet{Name: "web-1", IPv4: d.Host},
	}
	if change != nil {
		change(&in)
	}
	return verify.Step{Dialer: d.dialer, Clock: d.clock}.Run(t.Context(), d.tell(), in)
}

func healthy() systemd.State {
	return systemd.State{
		BootID: "boot-b", System: system, Uptime: 9 * time.Second, Word: "running",
		Units: []release.Unit{{Name: "nginx.service", Active: "active", Sub: "running", Result: "success"}},
	}
}

func always(s systemd.State) func(time.Duration) systemd.State {
	return func(time.Duration) systemd.State { return s }
}

func with(change func(*systemd.State)) systemd.State {
	s := healthy()
	change(&s)
	return s
}

func failedUnit(name string) release.Unit {
	return release.Unit{
		Name: name, Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1,
		Journal: []string{"bind() to 0.0.0.0:80 failed (98: Address already in use)", name + ": Failed with result 'exit-code'."},
	}
}

func TestVerified(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		states func(time.Duration) systemd.State
		change func(*verify.In)
		took   time.Duration // at most
	}{
		{"at the first look", always(healthy()), nil, 0},
		{"after a soak", always(healthy()), func(in *verify.In) { in.Verify.Soak = fleet.Duration(10 * time.Second) }, 10 * time.Second},
		{"once it has rebooted", func(since time.Duration) systemd.State {
			if since < 20*time.Second {
				return with(func(s *systemd.State) { s.BootID, s.System = "boot-a", former })
			}
			return healthy()
		}, nil, 26 * time.Second},
		{"once it has started", func(since time.Duration) systemd.State {
			if since < 30*time.Second {
				return with(func(s *systemd.State) {
					s.Word, s.Jobs = "starting", []string{"nginx.service start running"}
					s.Units[0].Active, s.Units[0].Sub = "activating", "start"
				})
			}
			return healthy()
		}, nil, 36 * time.Second},
		{"degraded by what is allowed", always(with(func(s *systemd.State) {
			s.Word, s.Failed = "degraded", []release.Unit{failedUnit("systemd-networkd-wait-online.service")}
		})), func(in *verify.In) { in.Verify.AllowFailed = []string{"systemd-networkd-*"} }, 0},
		{"with an unknown system", always(with(func(s *systemd.State) { s.System = former })), func(in *verify.In) { in.ExpectSystem = "" }, 0},
		{"by its uptime where the former boot is not known", always(with(func(s *systemd.State) { s.Uptime = time.Second })), func(in *verify.In) {
			in.FormerBootID, in.RebuiltAt = "", in.RebuiltAt.Add(-time.Minute)
		}, 0},
		{"as the server that it says it is", always(with(func(s *systemd.State) {
			s.Claim = &systemd.Claim{Server: "web", Revision: "0123abcd"}
		})), func(in *verify.In) { in.Server, in.Revision = "web", "0123abcd0123abcd0123abcd0123abcd0123abcd" }, 0},
		{"with the expected system of another commit", always(with(func(s *systemd.State) {
			s.Claim = &systemd.Claim{Server: "web", Revision: "ffffffff"}
		})), func(in *verify.In) { in.Server, in.Revision = "web", "0123abcd" }, 0},
		{"with a revision that is no commit", always(with(func(s *systemd.State) {
			s.Claim = &systemd.Claim{Revision: "v1.2"}
		})), func(in *verify.In) { in.ExpectSystem, in.Server, in.Revision = "", "web", "0123abcd" }, 0},
		{"as any server, where none is expected", always(with(func(s *systemd.State) {
			s.Claim = &systemd.Claim{Server: "web"}
		})), nil, 0},
		{"without a rebuild", always(with(func(s *systemd.State) { s.Uptime = 999 * time.Hour })), func(in *verify.In) {
			in.FormerBootID, in.RebuiltAt = "", time.Time{}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDroplet(t, tt.states)
			got, err := d.verify(t, tt.change)
			if err != nil {
				t.Fatal(err)
			}
			if !got.OK() || got.BootID != "boot-b" && got.BootID != "boot-a" {
				t.Errorf("evidence %+v", got)
			}
			if got.Took > tt.took {
				t.Errorf("took %s, want at most %s", got.Took, tt.took)
			}
			if diff := cmp.Diff([]string{d.HostKey()}, got.HostKeys); diff != "" {
				t.Errorf("host keys (-want +got)\n%s", diff)
			}
		})
	}
}

func TestFailedSaysWhatAndWhatToDo(t *testing.T) {
	t.Parallel()
	crashLoop := func(since time.Duration) systemd.State {
		return with(func(s *systemd.State) {
			s.Units[0].Restarts = int(since / (2500 * time.Millisecond))
			s.Units[0].Journal = []string{"panic: no configuration", "nginx.service: Scheduled restart job."}
		})
	}
	soak := func(in *verify.In) { in.Verify.Soak = fleet.Duration(10 * time.Second) }
	tests := []struct {
		name   string
		states func(time.Duration) systemd.State
		change func(*verify.In)
		took   time.Duration
	}{
		{"another-system", always(with(func(s *systemd.State) { s.System = former })), nil, 0},
		{"another-server", always(with(func(s *systemd.State) {
			s.System, s.Claim = former, &systemd.Claim{Server: "api", Revision: "0123abcd"}
		})), func(in *verify.In) { in.Server, in.Revision = "web", "0123abcd" }, 0},
		{"another-commit", always(with(func(s *systemd.State) {
			s.Claim = &systemd.Claim{Server: "web", Revision: "ffffffff"}
		})), func(in *verify.In) { in.ExpectSystem, in.Server, in.Revision = "", "web", "0123abcd" }, 0},
		{"failed-unit", always(with(func(s *systemd.State) {
			s.Word, s.Units[0] = "degraded", failedUnit("nginx.service")
			s.Failed = []release.Unit{failedUnit("nginx.service")}
		})), nil, 0},
		{"failed-user-unit", always(with(func(s *systemd.State) {
			u := failedUnit("node-start.service")
			u.User, u.ExitStatus = "deploy", 4
			s.Units, s.Failed = append(s.Units, u), []release.Unit{u}
			s.Notes = []string{"user deploy does not linger: their units do not start at boot (NixOS: users.users.deploy.linger = true)"}
		})), func(in *verify.In) { in.Verify.UserUnits = map[string][]string{"deploy": {"node-start.service"}} }, 0},
		{"other-unit-failed", always(with(func(s *systemd.State) {
			s.Word, s.Failed = "degraded", []release.Unit{failedUnit("backup.service")}
		})), nil, 0},
		{"not-found", always(with(func(s *systemd.State) {
			s.Units[0] = release.Unit{Name: "ngimx.service", Load: "not-found", Active: "inactive", Sub: "dead", Result: "success"}
			s.Loaded = []string{"nginx.service", "sshd.service"}
		})), func(in *verify.In) { in.Verify.Units = []string{"ngimx.service"} }, 0},
		{"inactive", always(with(func(s *systemd.State) { s.Units[0].Active, s.Units[0].Sub = "inactive", "dead" })), nil, 20 * time.Second},
		{"never-started", always(with(func(s *systemd.State) {
			s.Word, s.Jobs = "starting", []string{"slow.service start running", "multi-user.target start waiting"}
			s.Units[0].Active, s.Units[0].Sub = "inactive", "dead"
		})), nil, 5 * time.Minute},
		{"never-rebooted", always(with(func(s *systemd.State) { s.BootID, s.System = "boot-a", former })), nil, 5 * time.Minute},
		{"maintenance", always(with(func(s *systemd.State) { s.Word = "maintenance" })), nil, 0},
		{"crash-loop", crashLoop, soak, 10 * time.Second},
		{"crash-loop-of-another", func(since time.Duration) systemd.State {
			return with(func(s *systemd.State) {
				s.Restarted = []release.Unit{{Name: "agent.service", Restarts: 1 + int(since/time.Second)}}
			})
		}, soak, 10 * time.Second},
		{"reboot-in-soak", func(since time.Duration) systemd.State {
			return with(func(s *systemd.State) {
				if since > 0 {
					s.BootID = "boot-c"
				}
			})
		}, soak, 10 * time.Second},
		{"failed-in-soak", func(since time.Duration) systemd.State {
			return with(func(s *systemd.State) {
				if since > 0 {
					s.Word, s.Failed = "degraded", []release.Unit{failedUnit("backup.service")}
				}
			})
		}, soak, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDroplet(t, tt.states)
			got, err := d.verify(t, tt.change)
			var failed *verify.FailedError
			if !errors.As(err, &failed) {
				t.Fatalf("error %v, want a FailedError", err)
			}
			if got.OK() || !cmp.Equal(got, failed.Evidence) {
				t.Errorf("evidence %+v", got)
			}
			if got.Took > tt.took {
				t.Errorf("took %s, want at most %s", got.Took, tt.took)
			}
			text := strings.ReplaceAll(err.Error(), strconv.Itoa(d.Port), "PORT")
			golden(t, tt.name+".txt", text+"\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +got)\n%s", file, diff)
	}
}

func TestChecksFromOutside(t *testing.T) {
	t.Parallel()
	var asked int
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/warm": // answers once it has warmed up
			if asked++; asked < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		default:
			http.Error(w, "no such page", http.StatusNotFound)
		}
	}))
	t.Cleanup(web.Close)
	u, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := int(netip.MustParseAddrPort(u.Host).Port())
	page := func(path string, status int) fleet.HTTPCheck {
		return fleet.HTTPCheck{URL: fmt.Sprintf("http://{{.IPv4}}:%d%s", port, path), Status: status}
	}

	d := newDroplet(t, always(healthy()))
	d.run["curl -fsS localhost"] = 0
	got, err := d.verify(t, func(in *verify.In) {
		in.Verify.HTTP = []fleet.HTTPCheck{page("/warm", 0), page("/moved", 301)}
		in.Verify.TCP = []int{port}
		in.Verify.Run = []string{"curl -fsS localhost"}
		in.Verify.Soak = fleet.Duration(time.Second)
	})
	if err != nil || !got.OK() || len(got.Checks) != 10 {
		t.Errorf("evidence %+v, %v", got, err)
	}

	d = newDroplet(t, always(healthy()))
	d.run["curl -fsS localhost"] = 7
	got, err = d.verify(t, func(in *verify.In) {
		in.Verify.HTTP = []fleet.HTTPCheck{page("/gone", 0), {URL: "http://{{.IPv6}}/"}, {URL: "http://{{"}}
		in.Verify.TCP = []int{1}
		in.Verify.Run = []string{"curl -fsS localhost"}
	})
	if err == nil {
		t.Fatalf("evidence %+v", got)
	}
	for _, part := range []string{
		"status 404: no such page (expected: status 200)", "{{.IPv6}} is not known: did you mean", "http http://{{:",
		"tcp 1: ", "connection refused", "run curl -fsS localhost: exit 7: curl: (7) Failed to connect (expected: exit 0)",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
}

func TestUnitThatCrashesWhileACheckFromOutsideFailsIsTheEvidence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unit release.Unit
		took time.Duration // at most
	}{
		"failed":     {failedUnit("nginx.service"), 10 * time.Second},
		"activating": {release.Unit{Name: "nginx.service", Active: "activating", Sub: "auto-restart", Journal: []string{"cannot bind"}}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			d := newDroplet(t, func(time.Duration) systemd.State {
				if looks++; looks == 1 {
					return healthy() // between two crashes
				}
				return with(func(s *systemd.State) { s.Units = []release.Unit{test.unit} })
			})
			got, err := d.verify(t, func(in *verify.In) {
				in.Verify.TCP = []int{1}
				in.Verify.HTTP = []fleet.HTTPCheck{{URL: "http://{{.IPv4}}:1/"}}
			})
			if err == nil || got.Took > test.took {
				t.Fatalf("after %s: %v", got.Took, err)
			}
			for _, part := range append(test.unit.Journal, "unit nginx.service: "+test.unit.Active, "tcp 1: ", "http http://") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q:\n%v", part, err)
				}
			}
		})
	}
}

func TestOldHostKeyDoesNotUseUpTheNewSet(t *testing.T) {
	t.Parallel()
	after := sshtest.NewKey(t)
	rebooted := false
	d := newDroplet(t, nil)
	d.states = func(time.Duration) systemd.State {
		if !rebooted {
			return with(func(s *systemd.State) { s.BootID, s.System = "boot-a", former })
		}
		return healthy()
	}
	before := d.HostKey()
	d.clock.wake = func(time.Duration) {
		if !rebooted {
			rebooted = true
			d.SetHostKeys(after)
		}
	}
	in := verify.BootIn{Target: d.target(), FormerBootID: "boot-a"}
	in.Target.Keys.Known = []string{before}
	out, err := verify.Boot{Dialer: d.dialer, Clock: d.clock}.Run(t.Context(), d.tell(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.BootID != "boot-b" || out.Trust != remote.NewSet || out.HostKeys[0] != sshtest.Line(after.PublicKey()) {
		t.Errorf("out %+v", out)
	}
	if diff := cmp.Diff([]string{"not rebooted yet"}, d.events); diff != "" {
		t.Errorf("events (-want +got)\n%s", diff)
	}
}

func TestSecondNewSetIsRefused(t *testing.T) {
	t.Parallel()
	d := newDroplet(t, always(healthy()))
	d.clock.wake = func(time.Duration) { d.SetHostKeys(sshtest.NewKey(t)) }
	_, err := d.verify(t, func(in *verify.In) { in.Verify.Soak = fleet.Duration(10 * time.Second) })
	var key *remote.HostKeyError
	if !errors.As(err, &key) {
		t.Errorf("error %v, want a HostKeyError within", err)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	d := newDroplet(t, always(healthy()))
	nobody := d.target()
	nobody.Port = 1
	got, err := d.verify(t, func(in *verify.In) { in.Target = nobody })
	if !errors.Is(err, remote.ErrRefused) || got.Took != 5*time.Minute {
		t.Errorf("took %s, error %v", got.Took, err)
	}
	_, err = verify.Boot{Dialer: d.dialer, Clock: d.clock}.Run(t.Context(), d.tell(), verify.BootIn{Target: nobody})
	if !errors.Is(err, remote.ErrRefused) || !strings.Contains(err.Error(), "no new boot of web-1 (127.0.0.1) within 10m0s") {
		t.Errorf("error %v", err)
	}
	if _, err := verify.Identify(t.Context(), d.dialer, nobody); !errors.Is(err, remote.ErrRefused) {
		t.Errorf("error %v", err)
	}
}

func TestRefusedLoginIsGivenUpBeforeTheTimeout(t *testing.T) {
	t.Parallel()
	d := newDroplet(t, always(healthy()))
	stranger := sshtest.NewKey(t)
	s := sshtest.Start(t, sshtest.Options{Authorized: []ssh.PublicKey{stranger.PublicKey()}})
	got, err := d.verify(t, func(in *verify.In) { in.Target.Port = s.Port })
	if !errors.Is(err, remote.ErrAuth) || got.Took < 90*time.Second || got.Took > 100*time.Second {
		t.Errorf("took %s, error %v", got.Took, err)
	}
}

func TestCancelledVerificationIsNoVerdict(t *testing.T) {
	t.Parallel()
	d := newDroplet(t, always(with(func(s *systemd.State) { s.Word = "starting" })))
	ctx, cancel := context.WithCancel(t.Context())
	d.clock.wake = func(time.Duration) { cancel() }
	in := verify.In{Target: d.target(), Verify: fleet.Verify{Units: []string{"nginx.service"}}}
	_, err := verify.Step{Dialer: d.dialer, Clock: d.clock}.Run(ctx, d.tell(), in)
	var failed *verify.FailedError
	if !errors.Is(err, context.Canceled) || errors.As(err, &failed) {
		t.Errorf("error %v", err)
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	d := newDroplet(t, always(healthy()))
	got, err := verify.Identify(t.Context(), d.dialer, d.target())
	if err != nil {
		t.Fatal(err)
	}
	want := verify.Identity{BootID: "boot-b", System: system, HostKeys: []string{d.HostKey()}, Trust: remote.NewSet}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
