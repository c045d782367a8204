package deploy_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/sshd"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// vmNix has a virtual machine's script in its store, and nothing else.
type vmNix struct {
	deploy.Nix
	path      string
	there     bool
	system    string
	platforms nix.Platforms
	fails     error
	asked     []string
}

func (n *vmNix) Evaluate(_ context.Context, installables []string) ([]nix.Output, error) {
	n.asked = append(n.asked, installables...)
	return []nix.Output{{Installable: installables[0], Path: n.path}}, nil
}

func (n *vmNix) Valid(context.Context, string) (bool, error) { return n.there, nil }

func (n *vmNix) Realise(context.Context, []nix.Output, nix.Progress) error { return n.fails }

func (n *vmNix) System(context.Context, string) (string, error) { return n.system, nil }

func (n *vmNix) Platforms(context.Context) (nix.Platforms, error) { return n.platforms, nil }

// guest is a virtual machine: a script that QEMU is not started by, and an SSH server
// behind the port that is forwarded to it. What it is asked is answered by a droplet of
// the lab.
type guest struct {
	*scene
	dir     string
	nix     *vmNix
	log     string
	droplet remote.Target
	// lets says whose key is let in; nil: that of the credential.
	lets func(ssh.PublicKey) bool
}

const vmServer = `
  web:
    image: .#web-image
    vm: .#web-vm
    droplets: {names: [web-1]}
    verify:
      units: [nginx.service]
      http: [{url: "http://{{.IPv4}}/healthz"}, {url: "https://www.example.com/"}]
      tcp: [80]
      soak: 2s
`

// newGuest makes one that runs an image, with a script of this text.
func newGuest(t *testing.T, image lab.ImageSpec, script string) *guest {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the script is one of a shell's")
	}
	s := open(t, set{servers: vmServer, droplets: []lab.DropletSpec{{Name: "web-1"}}, images: map[string]lab.ImageSpec{"web": image}})
	_, _ = s.run(t.Context()) // a broken image stays there
	droplets, err := s.ocean.Droplets(t.Context())
	check(t, err)
	s.forget()
	g := &guest{scene: s, dir: t.TempDir(), droplet: remote.Target{Name: "web-1", Address: droplets[0].IPv4}}
	g.log = filepath.Join(g.dir, "log")
	check(t, os.Mkdir(filepath.Join(g.dir, "bin"), 0o700))
	text := "#!/bin/sh\ncd '" + g.dir + "'\necho booting\nenv > env.part; echo \"$@\" > args; mv env.part env\n" + script
	exectest.Write(t, filepath.Join(g.dir, "bin", "run-web-vm"), text)
	g.nix = &vmNix{path: g.dir}
	s.nix = g.nix
	return g
}

const runsOn = "trap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n"

// serve waits for the script and listens where it is told to forward from.
func (g *guest) serve(ctx context.Context) error {
	var env []byte
	for {
		var err error
		if env, err = os.ReadFile(filepath.Join(g.dir, "env")); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	port := regexp.MustCompile(`QEMU_NET_OPTS=hostfwd=tcp:127\.0\.0\.1:(\d+)-:22\n`).FindSubmatch(env)
	credential := regexp.MustCompile(`tmpfiles\.extra:(\S+)`).FindSubmatch(env)
	if port == nil || credential == nil {
		return fmt.Errorf("the script got:\n%s", env)
	}
	let := g.lets
	if let == nil {
		lines, err := base64.StdEncoding.DecodeString(string(credential[1]))
		if err != nil {
			return err
		}
		fields := strings.Fields(string(lines))
		text, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
		if err != nil {
			return err
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(text)
		if err != nil {
			return err
		}
		let = func(other ssh.PublicKey) bool { return sshtest.Line(other) == sshtest.Line(key) }
	}
	host := []ssh.Signer{sshtest.NewKey(g.t)}
	server, err := sshd.Serve(ctx, "127.0.0.1:"+string(port[1]), sshd.Config{
		HostKeys:   func() []ssh.Signer { return host },
		Authorized: func(_ string, key ssh.PublicKey) bool { return let(key) },
		Run:        func(ctx context.Context, c sshd.Command) int { return g.answer(ctx, c) },
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			name, port, err := net.SplitHostPort(address)
			if err != nil || name != "10.0.2.15" {
				return nil, fmt.Errorf("connection to %s refused", address)
			}
			return g.dialer.DialTCP(ctx, g.droplet, "tcp", net.JoinHostPort(g.droplet.Address, port))
		},
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return server.Close()
}

func (g *guest) answer(ctx context.Context, c sshd.Command) int {
	if strings.Contains(c.Line, "$SSH_CONNECTION") {
		_, _ = io.WriteString(c.Stdout, "10.0.2.2 50000 10.0.2.15 22\n")
		return 0
	}
	conn, err := g.dialer.Dial(ctx, g.droplet)
	if err != nil {
		return 255
	}
	defer conn.Close()
	res, err := conn.Run(ctx, c.Line, c.Stdin)
	if err != nil {
		return 255
	}
	_, _ = c.Stdout.Write(res.Stdout)
	_, _ = c.Stderr.Write(res.Stderr)
	return res.Exit
}

// verify runs VerifyVM, with an SSH client that has the keys of these variables.
func (g *guest) verify(t *testing.T, env map[string]string) error {
	t.Helper()
	own, err := remote.New(remote.Config{Env: func(name string) string { return env[name] }})
	check(t, err)
	t.Cleanup(func() { check(t, own.Close()) })
	for {
		err, serveErr := g.verifyOnce(t, own)
		if !errors.Is(serveErr, syscall.EADDRINUSE) {
			check(t, serveErr)
			return g.failed(err)
		}
		// Another test got the port that was free a moment ago.
		check(t, os.Remove(filepath.Join(g.dir, "env")))
		g.nix.asked = nil
		g.forget()
	}
}

func (g *guest) verifyOnce(t *testing.T, own *remote.Dialer) (err, serveErr error) {
	t.Helper()
	d := deploy.New(deploy.Config{
		Fleet: g.fleet, Nix: g.nix, SSH: own, Clock: g.clock, Sink: event.SinkFunc(g.told), Getenv: func(string) string { return "" },
	})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- g.serve(ctx) }()
	_, err = d.VerifyVM(t.Context(), deploy.VMRequest{Server: "web", OS: "linux", Arch: "amd64", Log: g.log, Environ: os.Environ()})
	cancel()
	return err, <-served
}

func (g *guest) warnings() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, e := range g.events {
		if w, ok := e.(event.Warning); ok {
			all = append(all, w.Text)
		}
	}
	return strings.Join(all, "\n")
}

// evidence is that of the one verification.
func (g *guest) evidence(t *testing.T) release.Evidence {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if found, ok := e.(event.Evidence); ok {
			return found.Evidence
		}
	}
	t.Fatal("there is no evidence")
	return release.Evidence{}
}

func TestAVirtualMachineIsVerifiedWithAKeyOfItsOwnAndStopped(t *testing.T) {
	t.Parallel()
	g := newGuest(t, web("a"), runsOn)
	check(t, g.verify(t, nil)) // no key of the user's: that of the boot does
	if _, err := os.Stat(g.log); !os.IsNotExist(err) {
		t.Errorf("the log is kept: %v", err)
	}
	if said := g.warnings(); !strings.Contains(said, "http https://www.example.com/ is left out") || strings.Contains(said, "first contact") {
		t.Errorf("the warnings are:\n%s", said)
	}
	evidence := g.evidence(t)
	var names []string
	for _, c := range evidence.Checks {
		names = append(names, c.Name)
	}
	for _, want := range []string{"http http://10.0.2.15/healthz", "tcp 80"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among the checks %v", want, names)
		}
	}
	if !evidence.OK() {
		t.Errorf("the evidence is %+v", evidence)
	}
	if diff := cmp.Diff([]string{".#web-vm"}, g.nix.asked); diff != "" {
		t.Error(diff)
	}
	if asked := g.Requests(); len(asked) > 0 {
		t.Errorf("DigitalOcean or the Space was asked: %v", asked)
	}
}

func TestAFailedUnitOfAVirtualMachineIsNamedWithItsConsole(t *testing.T) {
	t.Parallel()
	g := newGuest(t, webBroken(), runsOn)
	err := g.verify(t, nil)
	for _, want := range []string{"nginx.service", `unknown directive "listn"`, "| booting", g.log} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "look closer") || !strings.Contains(err.Error(), "web is not verified")) {
		t.Errorf("a machine that is gone cannot be looked at: %v", err)
	}
	if deploy.ExitCode(t.Context(), err) != deploy.ExitFailed {
		t.Errorf("exit code %d", deploy.ExitCode(t.Context(), err))
	}
	if _, err := os.Stat(g.log); err != nil {
		t.Error(err)
	}
}

// A configuration that has keys for root does not take ours.
func TestTheServersOwnKeyIsTriedWhereThatOfTheBootIsNotLetIn(t *testing.T) {
	t.Parallel()
	g := newGuest(t, web("a"), runsOn)
	signer, err := ssh.ParsePrivateKey([]byte(g.PrivateKey()))
	check(t, err)
	g.lets = func(key ssh.PublicKey) bool { return sshtest.Line(key) == sshtest.Line(signer.PublicKey()) }
	check(t, g.verify(t, map[string]string{remote.EnvPrivateKey: g.PrivateKey()}))
}

func TestAMachineThatEndsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	g := newGuest(t, web("a"), "echo 'qemu: Could not set up host forwarding rule' >&2\nexit 1\n")
	err := g.verify(t, nil)
	for _, want := range []string{"the virtual machine web ended: exit status 1", "Could not set up host forwarding rule"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestAServerWithoutAVirtualMachineIsWrongUse(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.fleet.Servers["web"] = func() fleet.Server { w := s.fleet.Servers["web"]; w.VM = ""; return w }()
	_, err := s.deployer().BuildVM(t.Context(), deploy.VMRequest{Server: "web", OS: "linux"})
	var usage deploy.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "servers.web.vm") {
		t.Errorf("%v", err)
	}
	_, err = s.deployer().BuildVM(t.Context(), deploy.VMRequest{Server: "wed", OS: "linux"})
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), `"web"`) {
		t.Errorf("%v", err)
	}
}

func TestWhatAMacLacksIsSaidBeforeAnythingIsBuilt(t *testing.T) {
	t.Parallel()
	mac := nix.Platforms{Local: []string{"aarch64-darwin", "x86_64-darwin"}}
	withBuilder := mac
	withBuilder.Builders = []string{"aarch64-linux"}
	for _, c := range []struct {
		name  string
		nix   vmNix
		wants []string
	}{
		{"a script for Linux", vmNix{system: "aarch64-linux", platforms: withBuilder}, []string{
			`virtualisation.vmVariant.virtualisation.host.pkgs = import nixpkgs { system = "aarch64-darwin"; };`,
		}},
		{"no builder", vmNix{system: "aarch64-darwin", platforms: mac}, []string{
			"nix.linux-builder.enable = true;", "nix run nixpkgs#darwin.linux-builder", "ssh-ng://builder@linux-builder aarch64-linux ", "extra-trusted-users",
		}},
		{"no builder, but it is built", vmNix{system: "aarch64-darwin", platforms: mac, there: true}, nil},
		{"a builder", vmNix{system: "aarch64-darwin", platforms: withBuilder}, nil},
		{"a builder of another architecture", vmNix{system: "aarch64-darwin", platforms: withBuilder, fails: errors.New("a 'x86_64-linux' with features {} is required to build '/nix/store/x.drv'")}, []string{
			"required to build", "nix's builders are for aarch64-linux",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, web("a"), runsOn)
			c.nix.path = g.dir
			g.scene.nix = &c.nix
			script, err := g.deployer().BuildVM(t.Context(), deploy.VMRequest{Server: "web", OS: "darwin", Arch: "arm64"})
			for _, want := range c.wants {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if c.wants == nil && (err != nil || script.Name != "web") {
				t.Errorf("%+v, %v", script, err)
			}
		})
	}
}
