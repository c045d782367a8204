package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/vm"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/provision"
)

const verbVM = "vm"

// VMRequest says which server to run as a local virtual machine, and how.
type VMRequest struct {
	Server string
	// Revision is the git revision of the flake to take, in full, instead of what is
	// checked out.
	Revision string
	// OS and Arch are this computer's, as runtime.GOOS and runtime.GOARCH.
	OS, Arch string

	// What follows is for VerifyVM alone.

	// Memory is in MiB; 0 means what the configuration says, as it does for Cores.
	Memory, Cores int
	// Args are handed to QEMU.
	Args []string
	// Files writes the server's files into the machine, which may need secrets.
	Files bool
	// Timeout bounds the boot, and then the checks where their own time is shorter; 0
	// means DefaultVMTimeout.
	Timeout time.Duration
	// Log is the file that takes what the machine's console says. It is removed when
	// all went well.
	Log string
	// Environ is the environment of the machine's script, as os.Environ has it.
	Environ []string
}

// DefaultVMTimeout is long: without KVM a boot takes minutes.
const DefaultVMTimeout = 10 * time.Minute

// BuildVM builds the script that runs a server as a virtual machine, and finds it. It
// asks neither DigitalOcean nor the Space. Errors are those of the nix package, and
// UsageError where the server has no virtual machine, or where this computer lacks
// what building one takes.
func (d *Deployer) BuildVM(ctx context.Context, req VMRequest) (vm.Script, error) {
	server, err := d.vmServer(req)
	if err != nil {
		return vm.Script{}, err
	}
	return steps.Do(ctx, d.steps(false), event.Subject{Server: server.Name}, vmBuild{d, req}, server.VM)
}

// CheckVM says, as a UsageError, what is wrong with a request: nothing is begun.
func (d *Deployer) CheckVM(req VMRequest) error {
	server, err := d.vmServer(req)
	if err != nil {
		return err
	}
	if req.Files {
		if err := provision.Check(server.Name, server.Files, d.Getenv); err != nil {
			return UsageError{Err: err}
		}
	}
	return nil
}

// vmServer is the server of a request, at the revision asked for.
func (d *Deployer) vmServer(req VMRequest) (fleet.Server, error) {
	f := d.Fleet
	if req.Revision != "" {
		var err error
		if f, err = f.AtRevision(req.Revision); err != nil {
			return fleet.Server{}, UsageError{Err: fmt.Errorf("take another revision: %w", err)}
		}
	}
	servers, err := f.Select([]string{req.Server}, "")
	if err != nil {
		return fleet.Server{}, UsageError{Err: err}
	}
	server := servers[0]
	if server.VM == "" {
		return fleet.Server{}, UsageError{Err: fmt.Errorf("server %s has no virtual machine: set servers.%s.vm in %s to the installable of its config.system.build.vm "+
			"(it is found by itself where system is a nixosConfigurations.NAME.config.system.build.toplevel)", server.Name, server.Name, f.Path)}
	}
	return server, nil
}

// vmBuild is the step installable → script.
type vmBuild struct {
	d   *Deployer
	req VMRequest
}

// Name implements steps.Step.
func (vmBuild) Name() string { return "build" }

// Run implements steps.Step.
func (b vmBuild) Run(ctx context.Context, tell event.Teller, installable string) (vm.Script, error) {
	tell.Phase("evaluating %s", installable)
	outputs, err := b.d.Nix.Evaluate(ctx, []string{installable})
	if err != nil {
		return vm.Script{}, err //nolint:wrapcheck // it says what of
	}
	there, err := b.d.Nix.Valid(ctx, outputs[0].Path)
	if err != nil {
		return vm.Script{}, wrap(err, "look for %s in the Nix store", outputs[0].Path)
	}
	host, _ := b.d.Nix.(vmHost)
	if b.req.OS != "linux" && host != nil {
		if err := hostCanRun(ctx, host, b.req, installable, there); err != nil {
			return vm.Script{}, err
		}
	}
	err = b.d.Nix.Realise(ctx, outputs, nix.Progress{
		Count: func(done, total int64) { tell.Progress(done, total, "builds") },
		Phase: func(text string) { tell.Phase("%s", text) },
		Log:   tell.Log,
	})
	if err != nil {
		return vm.Script{}, errors.Join(err, foreignHint(ctx, host, b.req, err))
	}
	script, err := vm.Find(outputs[0].Path)
	return script, err //nolint:wrapcheck // it says where
}
