package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
	"github.com/versatus/snowdrop/internal/systemd"
)

const debianSystem = "Debian GNU/Linux 12 (bookworm)"

// host is a machine that SSH reaches and that NixOS can be installed on.
type host struct {
	*sshtest.Server
	t     *testing.T
	clock clock

	mu     sync.Mutex
	answer []string // lines that replace others of the look before
	system string   // that runs; empty: no NixOS
	boot   int
	booted time.Time
	shared bool // its uptime is that of another machine
}

func newHost(t *testing.T, c clock) *host {
	t.Helper()
	h := &host{t: t, clock: c, booted: c.Now().Add(-time.Hour)}
	h.Server = sshtest.Start(t, sshtest.Options{Handler: h.run})
	return h
}

// run answers the two looks: that before an installation, and that of a verification.
func (h *host) run(_ context.Context, _ string, stdin io.Reader, stdout, _ io.Writer) int {
	script, _ := io.ReadAll(stdin)
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.Contains(string(script), "snowdrop-install v1") {
		text := fmt.Sprintf(`snowdrop-install v1
os Linux
arch x86_64
uid 0
release PRETTY_NAME="%s"
release ID=debian
boot boot-%d
container none
kexec 0
memory 4000000 kB
device /dev/vda
is /dev/vda
disk {"blockdevices":[{"name":"vda","type":"disk","size":50000000000,"fstype":"ext4","mountpoints":["/"]}]}
end
`, debianSystem, h.boot)
		_, _ = io.WriteString(stdout, strings.NewReplacer(h.answer...).Replace(text))
		return 0
	}
	uptime := h.clock.Now().Sub(h.booted)
	if h.shared {
		uptime = 1000 * time.Hour
	}
	_, _ = stdout.Write(systemd.Render(systemd.State{
		BootID: fmt.Sprintf("boot-%d", h.boot), System: h.system, Uptime: uptime, Word: "running",
		HostKeys: []string{h.HostKey()},
	}))
	return 0
}

// reboot starts a system, with other host keys where keys are given.
func (h *host) reboot(system string, keys ...ssh.Signer) {
	if len(keys) > 0 {
		h.SetHostKeys(keys...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.system, h.booted = system, h.clock.Now()
	h.boot++
}

// configurations is the lab's Nix, which knows how they are installed too.
type configurations struct {
	*lab.Builder
	found nix.Installation
	err   error
}

func (c configurations) Installation(context.Context, string) (nix.Installation, error) {
	return c.found, c.err
}

// installer stands in for nixos-anywhere.
type installer struct {
	jobs []anywhere.Job
	run  func(at func(anywhere.Stage)) error
}

func (i *installer) Command(j anywhere.Job) []string {
	return []string{"nixos-anywhere", "--target-host", j.SSH.User + "@" + j.SSH.Host}
}

func (i *installer) Run(_ context.Context, j anywhere.Job, p anywhere.Progress) error {
	i.jobs = append(i.jobs, j)
	if i.run == nil {
		return nil
	}
	return i.run(func(stage anywhere.Stage) {
		p.Step(fmt.Sprintf("stage %d", stage))
		p.Stage(stage)
	})
}

// bareFleet is a fleet with one host, db-1 of the server db, beside the droplet web-1.
type bareFleet struct {
	*scene
	host      *host
	nix       *configurations
	installer *installer
	toplevel  string
	direct    *remote.Dialer // not through the lab's jump host
}

func openBare(t *testing.T) *bareFleet {
	t.Helper()
	s := open(t, set{
		servers: `
  web: {image: .#web-image, system: .#web-toplevel, droplets: {names: [web-1]}}
  db:
    provider: ssh
    system: .#db-toplevel
    hosts: [{name: db-1, address: 127.0.0.1}]
    verify: {soak: 1s, timeout: 20m}
`,
		droplets: []lab.DropletSpec{{Name: "web-1"}},
		images:   map[string]lab.ImageSpec{"web": web("a"), "db": web("b")},
	})
	b := &bareFleet{scene: s, host: newHost(t, s.clock), installer: &installer{}}
	_, key := sshtest.NewPrivateKey(t)
	var err error
	b.direct, err = remote.New(remote.Config{Env: func(name string) string { return map[string]string{"SSH_PRIVATE_KEY": key}[name] }})
	check(t, err)
	db := s.fleet.Servers["db"]
	db.SSH.Port = b.host.Port
	s.fleet.Servers["db"] = db
	outputs, err := s.builder.Evaluate(t.Context(), []string{".#db-toplevel"})
	check(t, err)
	b.toplevel = outputs[0].Path
	b.nix = &configurations{Builder: s.builder, found: nix.Installation{
		Flake: ".#db", Platform: "x86_64-linux", Disko: true, Devices: []string{"/dev/vda"},
	}}
	s.nix = b.nix
	b.installer.run = b.whole
	return b
}

// whole is an installation that goes well: the new system has a host key of its own.
func (b *bareFleet) whole(at func(anywhere.Stage)) error {
	for _, stage := range []anywhere.Stage{anywhere.Leaving, anywhere.Formatting, anywhere.Installing} {
		at(stage)
	}
	at(anywhere.Rebooting)
	b.host.reboot(b.toplevel, sshtest.NewKey(b.t))
	at(anywhere.Done)
	return nil
}

func (b *bareFleet) deployer() *deploy.Deployer {
	d := b.scene.deployer()
	config := d.Config
	config.Nix, config.Anywhere = b.nix, b.installer
	config.SSH = b.direct
	return deploy.New(config)
}

func request() deploy.InstallRequest {
	return deploy.InstallRequest{Host: "db-1", Job: anywhere.Job{Phases: anywhere.Phases()}}
}

// TestTheInstallersOwnBootIsNotTheNewSystem: the machine may be reached once more
// before it goes down, and has another boot than before the kexec.
func TestTheInstallersOwnBootIsNotTheNewSystem(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	// No uptime helps, as of a machine that shares it with others.
	b.host.shared = true
	b.installer.run = func(at func(anywhere.Stage)) error {
		at(anywhere.Leaving)
		b.host.reboot("/nix/store/00000000000000000000000000000000-installer") // with the keys of before
		at(anywhere.Formatting)
		at(anywhere.Rebooting)
		go func() {
			time.Sleep(300 * time.Millisecond) // some looks later
			b.host.reboot(b.toplevel, sshtest.NewKey(t))
		}()
		at(anywhere.Done)
		return nil
	}
	req := request()
	req.Job.KexecPort = b.host.Port
	result, err := b.install(req)
	if err != nil || result.Servers[0].Outcome != event.Verified {
		t.Errorf("%v%s", err, causes(err))
	}
}

func (b *bareFleet) install(req deploy.InstallRequest) (*deploy.Result, error) {
	b.t.Helper()
	d := b.deployer()
	plan, err := d.PlanInstall(b.t.Context(), req)
	if b.failed(err) != nil {
		return nil, err //nolint:wrapcheck // a test
	}
	result, err := d.Install(b.t.Context(), plan)
	return result, b.failed(err)
}

func (b *bareFleet) mustInstall() {
	b.t.Helper()
	if _, err := b.install(request()); err != nil {
		b.t.Fatalf("install: %v%s", err, causes(err))
	}
}

func TestAnInstalledHostIsLikeAnyOther(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	former := b.host.HostKey()
	b.forget()
	result, err := b.install(request())
	if err != nil {
		t.Fatalf("%v%s", err, causes(err))
	}
	job := b.installer.jobs[0]
	if job.Flake != ".#db" || job.SSH.Host != "db-1" || job.SSH.User != "root" || job.SSH.Port != b.host.Port {
		t.Errorf("the job: %+v", job)
	}
	if result.Servers[0].Outcome != event.Verified || !strings.Contains(result.Servers[0].Droplets[0].State, "runs "+filepath.Base(b.toplevel)) {
		t.Errorf("%+v", result.Servers[0])
	}
	rec := b.record("db")
	if rec.Outcome != release.Verified || rec.Revision != first || rec.Toplevel != b.toplevel {
		t.Errorf("the record: %+v", rec)
	}
	known := rec.Droplets[0]
	if known.Name != "db-1" || known.ID >= 0 || known.Rebuild != nil || known.Address != "127.0.0.1" || !known.Evidence.OK() ||
		known.HostKeys[0] != b.host.HostKey() || known.HostKeys[0] == former {
		t.Errorf("the host's entry: %+v", known)
	}
	status, err := b.deployer().Status(t.Context(), deploy.Request{Servers: []string{"db"}})
	check(t, err)
	if one := status[0].Droplets[0]; one.Drift != "" || one.VerifiedAt.IsZero() {
		t.Errorf("status: %+v", one)
	}
	d := b.deployer()
	plan, err := d.PlanVerify(t.Context(), deploy.Request{Servers: []string{"db"}})
	check(t, err)
	if _, err := d.Verify(t.Context(), plan); err != nil {
		t.Errorf("verify: %v%s", err, causes(err))
	}
	if requests := b.Requests(); len(requests) > 0 {
		for _, r := range requests {
			if strings.HasPrefix(r.Path, "/v2/") && r.Path != "/v2/droplets" { // whether the host is one of them
				t.Errorf("DigitalOcean was asked about a host: %s %s", r.Method, r.Path)
			}
		}
	}
	b.host.SetHostKeys(sshtest.NewKey(t))
	plan, err = d.PlanVerify(t.Context(), deploy.Request{Servers: []string{"db"}})
	check(t, err)
	if _, err := d.Verify(t.Context(), plan); err == nil || !strings.Contains(causes(err), "presented the host key") {
		t.Errorf("another host key: %v", err)
	}
}

// TestNothingIsDoneWhereAnythingIsWrong: all of it is said at once.
func TestNothingIsDoneWhereAnythingIsWrong(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	for name, tc := range map[string]struct {
		change func(*deploy.InstallRequest)
		says   []string
	}{
		"no such host":          {func(r *deploy.InstallRequest) { r.Host = "db-2" }, []string{"no host db-2", "db-1"}},
		"a server of droplets":  {func(r *deploy.InstallRequest) { r.Host = "web" }, []string{"snowdrop deploy web"}},
		"extra files not there": {func(r *deploy.InstallRequest) { r.Job.ExtraFiles, r.Job.BuildOn = "/no/such", "moon" }, []string{"/no/such", "moon"}},
		"no phases":             {func(r *deploy.InstallRequest) { r.Job.Phases = nil }, []string{"no phase"}},
	} {
		req := request()
		tc.change(&req)
		_, err := b.deployer().PlanInstall(t.Context(), req)
		if usage := (deploy.UsageError{}); !errors.As(err, &usage) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, words := range tc.says {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v lacks %q", name, err, words)
			}
		}
	}
	db1 := b.fleet.Servers["db"]
	b.fleet.Servers["db-1"] = fleet.Server{Name: "db-1", Provider: fleet.SSHHosts, Hosts: []fleet.Host{{Name: "rack-7", Address: "192.0.2.7"}}, System: db1.System}
	if _, err := b.install(request()); err == nil || !strings.Contains(err.Error(), "db-1 is a host of server db, and a server of its own") {
		t.Errorf("a name of two machines: %v", err)
	}
	delete(b.fleet.Servers, "db-1")
	b.host.answer = []string{"container none", "container lxc", "is /dev/vda\n", ""}
	b.nix.err = errors.New("attribute 'diskoScript' missing")
	db := b.fleet.Servers["db"]
	db.Files = []fleet.File{{Path: "/key", From: fleet.Source{Env: "NO_SUCH_KEY"}}}
	b.fleet.Servers["db"] = db
	_, err := b.install(request())
	for _, words := range []string{"container (lxc)", "NO_SUCH_KEY", "diskoScript", "nothing was changed on host db-1"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not said: %v", words, err)
		}
	}
	b.nix.err, b.nix.found.Disko = nil, false
	if _, err := b.install(request()); err == nil || !strings.Contains(err.Error(), "import disko's NixOS module") {
		t.Errorf("%v", err)
	}
	if len(b.installer.jobs) > 0 || b.record("db") != nil {
		t.Errorf("%d installations, record %+v", len(b.installer.jobs), b.record("db"))
	}
}

func TestADryRunOfAnInstallationOnlyLooks(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	req := request()
	req.DryRun = true
	plan, err := b.deployer().PlanInstall(t.Context(), req)
	check(t, err)
	if len(plan.Wiped) != 1 || !plan.Certain || plan.Wiped[0].String() != "/dev/vda, 50 GB: vda ext4 on /" || plan.Facts.Distribution != debianSystem {
		t.Errorf("%+v", plan)
	}
	result, err := b.deployer().Install(t.Context(), plan)
	check(t, err)
	if result.Servers[0].Outcome != event.WouldDo || len(b.installer.jobs) > 0 || b.record("db") != nil {
		t.Errorf("%+v, record %+v", result.Servers[0], b.record("db"))
	}
}

// TestAVerifiedHostIsNotWipedByAHabit: --yes may stand in a script.
func TestAVerifiedHostIsNotWipedByAHabit(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	b.mustInstall()
	if _, err := b.install(request()); err == nil || !strings.Contains(err.Error(), "--reinstall") || len(b.installer.jobs) != 1 {
		t.Errorf("%v", err)
	}
	req := request()
	req.Reinstall = true
	if _, err := b.install(req); err != nil || len(b.installer.jobs) != 2 {
		t.Errorf("%v%s", err, causes(err))
	}
}

// TestAMachineOfTheFleetIsKnownUnderAnyName: a host of the fleet file is a name, and
// what answers there may be another machine than the person thinks.
func TestAMachineOfTheFleetIsKnownUnderAnyName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(b *bareFleet)
		says   string
	}{
		"a host that was renamed": {func(b *bareFleet) {
			b.mustInstall()
			db := b.fleet.Servers["db"]
			db.Hosts = []fleet.Host{{Name: "db-one", Address: "127.0.0.1"}}
			b.fleet.Servers["db"] = db
		}, "a host key of db-1 of server db"},
		"one of another server": {func(b *bareFleet) {
			check(t, release.NewStore(recordsIn{b.scene}).Save(t.Context(), &release.Record{Server: "web", Droplets: []release.Droplet{
				{ID: 7, Name: "web-1", HostKeys: []string{b.host.HostKey()}},
			}}))
		}, "a host key of web-1 of server web"},
		"the address of a droplet": {func(b *bareFleet) {
			droplets, err := b.ocean.Droplets(t.Context())
			check(t, err)
			db := b.fleet.Servers["db"]
			db.Hosts, db.SSH.Port = []fleet.Host{{Name: "db-1", Address: droplets[0].IPv4}}, 22
			b.fleet.Servers["db"] = db
			b.direct = b.dialer // the way to droplets
		}, "that of droplet web-1 of server web"},
		"one that failed a later verification": {func(b *bareFleet) {
			b.mustInstall()
			rec := b.record("db")
			rec.Droplets[0].Evidence.Checks[0].OK = false
			check(t, release.NewStore(recordsIn{b.scene}).Save(t.Context(), rec))
		}, "verified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBare(t)
			tc.change(b)
			before := len(b.installer.jobs)
			req := request()
			req.Host = "db"
			_, err := b.install(req)
			if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "--reinstall") || len(b.installer.jobs) != before {
				t.Errorf("%v%s", err, causes(err))
			}
		})
	}
}

// TestTheOtherHostsOfAServerStayAsTheyAre: each is installed by itself.
func TestTheOtherHostsOfAServerStayAsTheyAre(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	b.mustInstall()
	db := b.fleet.Servers["db"]
	db.Hosts = append(db.Hosts, fleet.Host{Name: "db-2", Address: "localhost"})
	b.fleet.Servers["db"] = db
	b.release(second, "db", web("other"))
	outputs, err := b.builder.Evaluate(t.Context(), []string{".#db-toplevel"})
	check(t, err)
	former := b.toplevel
	b.toplevel = outputs[0].Path
	req := request()
	req.Host = "db"
	if _, err := b.install(req); err == nil || !strings.Contains(err.Error(), "db-1, db-2") {
		t.Errorf("which of the two: %v", err)
	}
	req.Host = "db-2"
	b.host.SetHostKeys(sshtest.NewKey(t)) // it is another machine
	plan, err := b.deployer().PlanInstall(t.Context(), req)
	check(t, err)
	if len(plan.Cautions) != 1 || !strings.Contains(plan.Cautions[0], "db-1 runs "+filepath.Base(former)) {
		t.Errorf("cautions: %q", plan.Cautions)
	}
	if _, err := b.deployer().Install(t.Context(), plan); err != nil {
		t.Fatalf("%v%s", err, causes(err))
	}
	status, err := b.deployer().Status(t.Context(), deploy.Request{Servers: []string{"db"}})
	check(t, err)
	one, two := status[0].Droplets[0], status[0].Droplets[1]
	if !strings.Contains(one.Drift, "the release is "+filepath.Base(b.toplevel)) || two.Drift != "" || len(status[0].Record.Droplets) != 2 {
		t.Errorf("status: %q, %q", one.Drift, two.Drift)
	}
}

// TestWhatAnInstallationThatFailedLeftBehind: a record is of the host's former
// system as long as that may be there.
func TestWhatAnInstallationThatFailedLeftBehind(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stages  []anywhere.Stage
		says    string
		outcome release.Outcome // of the record; empty: that of before
		rebuild bool
	}{
		"that said no word":      {nil, "What it did to db-1 is not known", release.Failed, false},
		"before it began":        {nil, "Nothing was changed on the disks of db-1", "", false},
		"in the kexec":           {[]anywhere.Stage{anywhere.Leaving}, "a reset brings its former system back", "", false},
		"while formatting":       {[]anywhere.Stage{anywhere.Leaving, anywhere.Formatting}, "its former system is lost", release.Failed, false},
		"while it was rebooting": {[]anywhere.Stage{anywhere.Leaving, anywhere.Formatting, anywhere.Rebooting}, "its reboot begun", release.Failed, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBare(t)
			b.mustInstall()
			before := b.record("db")
			b.commit(second)
			b.installer.run = func(at func(anywhere.Stage)) error {
				last := anywhere.Preparing
				for _, last = range tc.stages {
					at(last)
				}
				why := errors.New("exit status 1")
				if strings.HasPrefix(tc.says, "What it did") {
					why = anywhere.ErrNoWord
				}
				return &anywhere.FailedError{Stage: last, Err: why}
			}
			req := request()
			req.Reinstall = true
			result, err := b.install(req)
			if err == nil || !strings.Contains(causes(err), tc.says) || result.Servers[0].Outcome != event.Failed {
				t.Fatalf("%v%s", err, causes(err))
			}
			rec := b.record("db")
			if tc.outcome == "" {
				if rec.Revision != first || rec.Outcome != release.Verified || !rec.FinishedAt.Equal(before.FinishedAt) {
					t.Errorf("the record was changed: %+v", rec)
				}
				return
			}
			e := rec.Droplets[0]
			if rec.Revision != second || rec.Outcome != tc.outcome || !e.VerifiedAt.IsZero() || e.Evidence != nil || (e.Rebuild != nil) != tc.rebuild {
				t.Errorf("the record: %+v", rec)
			}
		})
	}
}

// TestHostKeysThatAreTakenOverAreDemanded: then a new one is somebody else's.
func TestHostKeysThatAreTakenOverAreDemanded(t *testing.T) {
	t.Parallel()
	brought, text := sshtest.NewPrivateKey(t)
	extra := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(extra, "etc", "ssh"), 0o700))
	check(t, os.WriteFile(filepath.Join(extra, "etc", "ssh", "ssh_host_ed25519_key"), []byte(text), 0o600))
	for name, tc := range map[string]struct {
		job  anywhere.Job
		key  func(*host) []ssh.Signer
		good bool
	}{
		"copied and the same":     {anywhere.Job{CopyHostKeys: true}, func(*host) []ssh.Signer { return nil }, true},
		"copied and another":      {anywhere.Job{CopyHostKeys: true}, func(h *host) []ssh.Signer { return []ssh.Signer{sshtest.NewKey(h.t)} }, false},
		"brought along":           {anywhere.Job{ExtraFiles: extra}, func(*host) []ssh.Signer { return []ssh.Signer{brought} }, true},
		"brought along, not used": {anywhere.Job{ExtraFiles: extra}, func(h *host) []ssh.Signer { return []ssh.Signer{sshtest.NewKey(h.t)} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBare(t)
			b.installer.run = func(at func(anywhere.Stage)) error {
				at(anywhere.Formatting)
				at(anywhere.Rebooting)
				b.host.reboot(b.toplevel, tc.key(b.host)...)
				at(anywhere.Done)
				return nil
			}
			req := request()
			req.Job.CopyHostKeys, req.Job.ExtraFiles = tc.job.CopyHostKeys, tc.job.ExtraFiles
			_, err := b.install(req)
			if (err == nil) != tc.good {
				t.Fatalf("%v%s", err, causes(err))
			}
			if !tc.good && !strings.Contains(causes(err), "presented the host key") {
				t.Errorf("%v%s", err, causes(err))
			}
		})
	}
}

// TestKeysThatThePolicyRefusesAreFoundBefore: after the reboot it is too late.
func TestKeysThatThePolicyRefusesAreFoundBefore(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	db := b.fleet.Servers["db"]
	db.SSH.HostKeyPolicy = fleet.AcceptNew
	b.fleet.Servers["db"] = db
	if _, err := b.deployer().PlanInstall(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "--copy-host-keys") {
		t.Errorf("accept-new: %v", err)
	}
	req := request()
	req.Job.CopyHostKeys = true
	if _, err := b.deployer().PlanInstall(t.Context(), req); err != nil {
		t.Errorf("accept-new, with the keys taken over: %v", err)
	}
	db.SSH.HostKeyPolicy, db.SSH.HostKeys = fleet.Strict, []string{b.host.HostKey()}
	b.fleet.Servers["db"] = db
	plan, err := b.deployer().PlanInstall(t.Context(), request())
	check(t, err)
	if len(plan.Cautions) != 1 || !strings.Contains(plan.Cautions[0], "pinned") {
		t.Errorf("strict: %q", plan.Cautions)
	}
}

// TestPhasesOneByOne: what was begun is verified once the host is rebooted.
func TestPhasesOneByOne(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	stages := func(all ...anywhere.Stage) {
		b.installer.run = func(at func(anywhere.Stage)) error {
			for _, s := range all {
				at(s)
			}
			return nil
		}
	}
	do := func(phases ...anywhere.Phase) *deploy.Result {
		req := request()
		req.Job.Phases = phases
		result, err := b.install(req)
		if err != nil {
			t.Fatalf("%v: %v%s", phases, err, causes(err))
		}
		return result
	}
	stages(anywhere.Leaving, anywhere.Done)
	if result := do(anywhere.Kexec); result.Servers[0].Outcome != event.Begun || b.record("db") != nil {
		t.Errorf("kexec: %+v", result.Servers[0])
	}
	b.host.answer = []string{"release ID=debian", "release ID=nixos\nrelease VARIANT_ID=installer"}
	stages(anywhere.Formatting, anywhere.Installing, anywhere.Done)
	if result := do(anywhere.Disko, anywhere.Install); result.Servers[0].Outcome != event.Begun || b.record("db").Outcome != release.Pending {
		t.Errorf("disko, install: %+v", result.Servers[0])
	}
	status, err := b.deployer().Status(t.Context(), deploy.Request{Servers: []string{"db"}})
	check(t, err)
	if !strings.Contains(status[0].Droplets[0].Drift, "not followed to its end") {
		t.Errorf("status: %+v", status[0].Droplets[0])
	}
	b.installer.run = func(at func(anywhere.Stage)) error {
		at(anywhere.Rebooting)
		b.host.reboot(b.toplevel, sshtest.NewKey(t))
		at(anywhere.Done)
		return nil
	}
	if result := do(anywhere.Reboot); result.Servers[0].Outcome != event.Verified || b.record("db").Outcome != release.Verified {
		t.Errorf("reboot: %+v", result.Servers[0])
	}
}

// TestHostsGetNoImages: what works on images leaves their servers out, or refuses
// them where they are named.
func TestHostsGetNoImages(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	d := b.deployer()
	named, all := deploy.Request{Servers: []string{"db"}}, deploy.Request{}
	verbs := map[string]func(deploy.Request) (*deploy.Plan, error){
		"plan, deploy, build": func(r deploy.Request) (*deploy.Plan, error) { return d.Plan(t.Context(), r) },
		"rebuild":             func(r deploy.Request) (*deploy.Plan, error) { return d.PlanRebuild(t.Context(), r, 0) },
		"rollback":            func(r deploy.Request) (*deploy.Plan, error) { return d.PlanRollback(t.Context(), r) },
		"prune":               func(r deploy.Request) (*deploy.Plan, error) { return d.PlanPrune(t.Context(), r) },
	}
	for verb, plan := range verbs {
		_, err := plan(named)
		if usage := (deploy.UsageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "snowdrop switch db") {
			t.Errorf("%s db: %v", verb, err)
		}
	}
	b.mustRun() // web alone
	for verb, plan := range verbs {
		p, err := plan(all)
		if verb == "rollback" { // there is no earlier release
			if err == nil || strings.Contains(err.Error(), "db") {
				t.Errorf("%s: %v", verb, err)
			}
			continue
		}
		if err != nil || len(p.Servers) != 1 || p.Servers[0].Server.Name != "web" {
			t.Errorf("%s: %+v, %v", verb, p, err)
		}
	}
	if _, err := d.PlanVerify(t.Context(), named); err == nil || !strings.Contains(err.Error(), "snowdrop install db-1") {
		t.Errorf("verify of a host that was never installed: %v", err)
	}
	b.fleet.Preview = &fleet.Preview{Max: 1, TTL: fleet.Duration(time.Hour)}
	if _, err := d.PreviewUp(t.Context(), deploy.PreviewRequest{Pull: 7, Servers: []string{"db"}}); err == nil || !strings.Contains(err.Error(), "provider ssh") {
		t.Errorf("preview db: %v", err)
	}
	delete(b.fleet.Servers, "web")
	if _, err := d.Plan(t.Context(), all); err == nil || !strings.Contains(err.Error(), "no server gets an image: db is of provider ssh") {
		t.Errorf("a fleet without images: %v", err)
	}
}

func TestAFleetWithoutDropletsNeedsNoAccount(t *testing.T) {
	t.Parallel()
	b := openBare(t)
	delete(b.fleet.Servers, "web")
	config := b.deployer().Config
	config.Ocean = nil
	d := deploy.New(config)
	plan, err := d.PlanInstall(t.Context(), request())
	check(t, err)
	if _, err := d.Install(t.Context(), plan); err != nil {
		t.Fatalf("%v%s", err, causes(err))
	}
	if _, err := d.StatusVerified(t.Context(), deploy.Request{}); err != nil {
		t.Errorf("%v%s", err, causes(err))
	}
	for _, one := range d.Examine(t.Context()) {
		if one.Err != nil {
			t.Errorf("%s: %v", one.What, one.Err)
		}
	}
}
