package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/vm"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/provision"
	"github.com/versatus/snowdrop/steps/verify"
)

// VerifyVM builds a server's virtual machine, boots it without a window on a disk of
// its own, verifies it as a droplet would be, and stops it. It asks neither
// DigitalOcean nor the Space. The evidence is returned in any case; the error is that
// of the step that failed. The machine and its disk are gone then, the log is kept
// where it failed.
func (d *Deployer) VerifyVM(ctx context.Context, req VMRequest) (release.Evidence, error) {
	server, err := d.vmServer(req)
	if err != nil {
		return release.Evidence{}, err
	}
	if err := d.CheckVM(req); err != nil { //nolint:contextcheck // it looks at variables and files alone
		return release.Evidence{}, err
	}
	if req.Timeout <= 0 {
		req.Timeout = DefaultVMTimeout
	}
	started := d.Clock.Now()
	d.Sink.Emit(event.RunStarted{Verb: verbVM, Revision: req.Revision, Servers: []event.Planned{{Server: server.Name, Droplets: []string{verbVM}}}})
	t := &vmTrial{d: d, req: req, server: server, on: event.Subject{Server: server.Name, Droplet: verbVM}}
	err = t.run(ctx)

	outcome, state := outcomeOf(ctx, err), "was stopped, its disk is gone"
	if t.machine == nil {
		outcome, state = event.Untouched, "was not started"
		_ = os.Remove(req.Log) //nolint:errcheck // it is empty, and may not be there
	}
	took := d.Clock.Now().Sub(started)
	d.Sink.Emit(event.DropletFinished{Subject: t.on, Outcome: outcome, State: state})
	d.Sink.Emit(event.ServerFinished{Subject: event.Subject{Server: server.Name}, Outcome: outcomeOf(ctx, err), Took: took, Revision: req.Revision, Err: err})
	next := "snowdrop deploy " + server.Name
	switch {
	case err != nil:
		next = "snowdrop vm " + server.Name + " --headless"
	case server.Provider == fleet.SSHHosts:
		next = "snowdrop switch " + server.Name
	}
	d.Sink.Emit(event.RunFinished{Verb: verbVM, Took: took, Next: []string{next}, Err: err})
	return t.evidence, err
}

// vmTrial is one verification of a virtual machine.
type vmTrial struct {
	d        *Deployer
	req      VMRequest
	server   fleet.Server
	on       event.Subject
	machine  *vm.Machine
	dialer   *vmDialer
	evidence release.Evidence
}

func (t *vmTrial) run(ctx context.Context) (err error) {
	script, err := t.d.BuildVM(ctx, t.req)
	if err != nil {
		return err
	}
	target, port, params, cleanup, err := t.wayIn(ctx)
	if err != nil {
		return err
	}
	defer cleanup()
	if vm.Emulated() {
		t.warn("there is no /dev/kvm that may be used: QEMU emulates the processor, ten to fifty times slower, and the boot takes minutes")
	}
	t.machine, err = vm.Start(script, vm.Options{
		Memory: t.req.Memory, Cores: t.req.Cores, Args: t.req.Args, KernelParams: params,
		Forwards: []vm.Forward{{Host: port, Guest: portOf(t.server)}},
	}, t.req.Log, t.req.Environ)
	if err != nil {
		return fmt.Errorf("vm %s: %w", t.server.Name, err)
	}
	alive, done := t.machine.Pull(ctx)
	err = t.prove(alive, target)
	done()
	err = errors.Join(err, t.machine.Stop())
	if err != nil {
		return t.explain(err)
	}
	if err := os.Remove(t.req.Log); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.warn("the log of the virtual machine stays: %v", err)
	}
	return nil
}

// prove waits for SSH, writes the files if they are asked for, and runs the checks.
func (t *vmTrial) prove(ctx context.Context, target remote.Target) error {
	run := t.d.steps(false)
	up, err := steps.Do(ctx, run, t.on, verify.Boot{Dialer: t.dialer, Clock: t.d.Clock}, verify.BootIn{Target: target, Timeout: t.req.Timeout})
	if err != nil {
		return err //nolint:wrapcheck // Do has said which step on what
	}
	target.Keys = demand(target.Keys, up.HostKeys)
	t.dialer.guest = guestAddress(ctx, t.dialer, target)
	if t.req.Files && len(t.server.Files) > 0 {
		written, err := steps.Do(ctx, run, t.on, provision.Step{Dialer: t.dialer, Getenv: t.d.Getenv, Learn: t.d.Learn}, provision.In{Target: target, Files: t.server.Files})
		if err != nil {
			return err //nolint:wrapcheck // Do has said which step on what
		}
		target.Keys = demand(target.Keys, written.HostKeys)
	} else if len(t.server.Files) > 0 {
		t.warn("the server's files are not written into the virtual machine; --files does that")
	}
	t.evidence, err = steps.Do(ctx, run, t.on, vmChecks{verify.Step{Dialer: t.dialer, Clock: t.d.Clock}}, verify.In{
		Target: target, Verify: t.checks(), Server: t.server.Name, Revision: t.req.Revision,
		Droplet: ocean.Droplet{Name: t.server.Name, IPv4: t.dialer.guest, PrivateIPv4: t.dialer.guest},
	})
	t.d.Sink.Emit(event.Evidence{Subject: t.on, Evidence: *t.evidence.Clone()})
	return err //nolint:wrapcheck // Do has said which step on what
}

// vmChecks is the step verify of a machine at which nobody can look closer afterwards.
type vmChecks struct{ verify.Step }

// Run implements steps.Step.
func (c vmChecks) Run(ctx context.Context, tell event.Teller, in verify.In) (release.Evidence, error) {
	evidence, err := c.Step.Run(ctx, tell, in)
	var failed *verify.FailedError
	if errors.As(err, &failed) {
		failed.Target.Address = ""
	}
	return evidence, err //nolint:wrapcheck // the step says what it did
}

// checks are the server's, without those that lead elsewhere than to the machine. That
// there is no metadata service of DigitalOcean's is not the server's fault.
func (t *vmTrial) checks() fleet.Verify {
	v := t.server.Verify
	v.Timeout = fleet.Duration(max(v.Timeout.Std(), t.req.Timeout))
	v.AllowFailed = append([]string{"digitalocean-*.service", "do-agent.service"}, v.AllowFailed...)
	v.HTTP = nil
	for _, check := range t.server.Verify.HTTP {
		if strings.Contains(check.URL, ".IPv4") || strings.Contains(check.URL, ".PrivateIPv4") {
			v.HTTP = append(v.HTTP, check)
			continue
		}
		t.warn("the check http %s is left out: it leads elsewhere than to the virtual machine, since it has neither {{.IPv4}} nor {{.PrivateIPv4}}", check.URL)
	}
	return v
}

// explain adds what the console said last.
func (t *vmTrial) explain(err error) error {
	said := vm.Tail(t.req.Log, consoleLines)
	if len(said) == 0 {
		return fmt.Errorf("%w\nthe console of the virtual machine said nothing (%s)", err, t.req.Log)
	}
	return fmt.Errorf("%w\nlast lines of the virtual machine's console (all of it: %s):\n  | %s", err, t.req.Log, t.d.Redact(strings.Join(said, "\n  | ")))
}

// consoleLines is how much of the console an error shows.
const consoleLines = 15

func (t *vmTrial) warn(format string, args ...any) {
	t.d.Sink.Emit(event.Warning{Subject: t.on, Text: fmt.Sprintf(format, args...)})
}

// guestAddress is the machine's address as others see it: what listens on its loopback
// alone would not be reached on a droplet either.
func guestAddress(ctx context.Context, d verify.Dialer, target remote.Target) string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := d.Dial(ctx, target)
	if err != nil {
		return target.Address
	}
	defer conn.Close() //nolint:errcheck // all was said
	said, err := conn.Run(ctx, `echo "$SSH_CONNECTION"`, nil)
	if address := vm.Address(string(said.Stdout)); err == nil && address != "" {
		return address
	}
	return target.Address
}
