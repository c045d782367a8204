package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/vm"
)

// vmFlags are what 'snowdrop vm' is told.
type vmFlags struct {
	reset, headless, verify, files bool
	forwards                       []string
	memory                         string
	cores                          int
	timeout                        time.Duration
	revision                       string
}

func (a *app) vmCommand() *cobra.Command {
	var f vmFlags
	c := &cobra.Command{
		Use:     "vm SERVER [-- QEMU-ARGS...]",
		Short:   "Run a server as a virtual machine on this computer, or verify it in one",
		GroupID: groupStart,
		Long: `Builds config.system.build.vm of a server, as 'nixos-rebuild build-vm' does, and runs
it. The machine's disk stays from one run to the next, unless --reset removes it.

With --verify it is booted without a window and on a new disk, verified as a droplet
would be after a deploy, and stopped: a proof before any droplet is touched.

It needs neither DigitalOcean nor the Space, and no credentials. What stands behind --
goes to QEMU.`,
		Args: func(c *cobra.Command, args []string) error {
			if at := c.ArgsLenAtDash(); len(args) == 0 || at == 0 || at < 0 && len(args) > 1 || at > 1 {
				return deploy.UsageError{Err: fmt.Errorf("%s: name one server; what is meant for QEMU stands behind --", c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.vm(c.Context(), c, &f, args[0], args[1:])
		},
		ValidArgsFunction: a.completeServers,
	}
	flags := c.Flags()
	flags.BoolVar(&f.reset, "reset", false, "remove the machine's disk (.qcow2) and what else it has of state first")
	flags.StringArrayVar(&f.forwards, "forward", nil, "HOST:GUEST: a port of this computer's loopback that leads to one of the machine (may be given several times)")
	flags.StringVar(&f.memory, "memory", "", "the machine's memory, such as 2G, instead of virtualisation.memorySize")
	flags.IntVar(&f.cores, "cores", 0, "the machine's processors, instead of virtualisation.cores")
	flags.BoolVar(&f.headless, "headless", false, "no window: this terminal is the machine's console (Ctrl-A X ends it)")
	flags.BoolVar(&f.verify, "verify", false, "boot it on a new disk, run the server's checks in it, and stop it")
	flags.BoolVar(&f.files, "files", false, "with --verify: write the server's files into it, as a deploy does")
	flags.DurationVar(&f.timeout, "timeout", deploy.DefaultVMTimeout, "with --verify: how long the boot, and then the checks, may take")
	flags.StringVar(&f.revision, "revision", "", "the flake at this git revision, given in full, instead of what is checked out")
	a.addJSON(c, "with --verify: tell what happens as JSON, one event a line")
	for _, other := range []string{"reset", "forward", "headless"} {
		c.MarkFlagsMutuallyExclusive("verify", other)
	}
	return c
}

// options are what the flags say of the machine; all faults are in one error.
func (f *vmFlags) options(c *cobra.Command) (vm.Options, error) {
	var o vm.Options
	var faults []error
	var err error
	if o.Forwards, err = vm.ParseForwards(f.forwards); err != nil {
		faults = append(faults, fmt.Errorf("--forward: %w", err))
	}
	if f.memory != "" {
		if o.Memory, err = vm.ParseMemory(f.memory); err != nil {
			faults = append(faults, fmt.Errorf("--memory: %w", err))
		}
	}
	if o.Cores = f.cores; o.Cores < 0 || o.Cores == 0 && c.Flags().Changed("cores") {
		faults = append(faults, fmt.Errorf("--cores: %d is no number of processors", o.Cores))
	}
	if f.timeout <= 0 {
		faults = append(faults, fmt.Errorf("--timeout: %s is no time to wait", f.timeout))
	}
	for _, name := range []string{"files", "timeout", "json"} {
		if c.Flags().Changed(name) && !f.verify {
			faults = append(faults, fmt.Errorf("--%s is for --verify alone", name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return o, deploy.UsageError{Err: err}
	}
	o.Headless = f.headless
	return o, nil
}

func (a *app) vm(ctx context.Context, c *cobra.Command, f *vmFlags, server string, qemu []string) error {
	o, err := f.options(c)
	if err != nil {
		return err
	}
	o.Args = qemu
	loaded, err := fleet.Load(a.config)
	if err != nil {
		return deploy.UsageError{Err: err}
	}
	if _, err := loaded.Select([]string{server}, ""); err != nil {
		return deploy.UsageError{Err: err}
	}
	if err := vm.CheckFree(ctx, o.Forwards); err != nil {
		return err //nolint:wrapcheck // it says which ports
	}
	report := a.newReport()
	defer report.Close()
	outside, deployer, err := connect.Here(loaded, connect.Options{Getenv: a.io.Getenv, Sink: report, Redact: a.redact})
	if err != nil {
		return deploy.UsageError{Err: err}
	}
	defer outside.SSH.Close() //nolint:errcheck // all was said
	req := deploy.VMRequest{Server: server, Revision: f.revision, OS: runtime.GOOS, Arch: runtime.GOARCH}
	if f.verify {
		return a.verifyVM(ctx, deployer, f, o, req)
	}
	script, err := deployer.BuildVM(ctx, req)
	report.Close() // the terminal is the machine's from now on
	if err != nil {
		return err //nolint:wrapcheck // the use case says what it did
	}
	return a.runVM(ctx, script, o, f, loaded.Servers[server])
}

func (a *app) verifyVM(ctx context.Context, d *deploy.Deployer, f *vmFlags, o vm.Options, req deploy.VMRequest) error {
	req.Memory, req.Cores, req.Args = o.Memory, o.Cores, o.Args
	req.Files, req.Timeout, req.Environ = f.files, f.timeout, os.Environ()
	err := d.CheckVM(req) //nolint:contextcheck // it looks at variables and files alone
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong with the request
	}
	if req.Log, err = vmLog(req.Server); err != nil {
		return err
	}
	_, err = d.VerifyVM(ctx, req)
	return a.shown(err)
}

// vmLog is a new file beside those of Nix.
func vmLog(server string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "snowdrop", "logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder for the log: %w", err)
	}
	file, err := os.CreateTemp(dir, "vm-"+server+"-*.log")
	if err != nil {
		return "", fmt.Errorf("make the log: %w", err)
	}
	return file.Name(), file.Close() //nolint:wrapcheck // it names the file
}

// runVM runs the machine attached to the terminal.
func (a *app) runVM(ctx context.Context, script vm.Script, o vm.Options, f *vmFlags, server fleet.Server) (err error) {
	state, err := vm.OpenState(a.io.Getenv, a.config, server.Name)
	if errors.Is(err, vm.ErrRunning) {
		return fmt.Errorf("server %s: %w; shut it down first, or look at it from another terminal", server.Name, err)
	}
	if err != nil {
		return err //nolint:wrapcheck // it says what was tried
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	if f.reset {
		gone, err := state.Reset()
		for _, path := range gone {
			_, _ = fmt.Fprintf(a.io.Err, "removed %s\n", path)
		}
		if err != nil {
			return err //nolint:wrapcheck // it says what was tried
		}
		if len(gone) == 0 {
			_, _ = fmt.Fprintf(a.io.Err, "nothing to remove: there is no %s\n", state.Disk)
		}
	}
	o.Disk, o.Dir, o.Lock = state.Disk, state.Dir, state.Lock()
	a.announce(o, server)
	defer a.keepTerminal()()
	return vm.Run(ctx, script, o, vm.Terminal{In: a.io.In, Out: a.io.Out, Err: a.io.Err, Environ: os.Environ()}) //nolint:wrapcheck // it says what ran
}

// keepTerminal remembers how the terminal is set, and returns what sets it so again: a
// QEMU that was killed leaves it without an echo.
func (a *app) keepTerminal() func() {
	in, ok := a.io.In.(*os.File)
	if !ok {
		return func() {}
	}
	was, err := term.GetState(int(in.Fd())) //nolint:gosec // a file descriptor is a small number
	if err != nil {
		return func() {} // it is no terminal
	}
	return func() {
		_ = term.Restore(int(in.Fd()), was) //nolint:errcheck,gosec // the terminal may be closed; see above
	}
}

// announce says where the state is, how to get in, and how it will be.
func (a *app) announce(o vm.Options, server fleet.Server) {
	_, _ = fmt.Fprintf(a.io.Err, "disk: %s (--reset removes it)\n", o.Disk)
	port, user := server.SSH.Port, server.SSH.User
	if port == 0 {
		port = 22
	}
	if user == "" {
		user = "root"
	}
	for _, forward := range o.Forwards {
		if forward.Guest == port {
			_, _ = fmt.Fprintf(a.io.Err, "SSH: ssh -p %d %s@127.0.0.1\n", forward.Host, user)
			continue
		}
		_, _ = fmt.Fprintf(a.io.Err, "port %d: 127.0.0.1:%d\n", forward.Guest, forward.Host)
	}
	if vm.Emulated() {
		_, _ = fmt.Fprintln(a.io.Err, "there is no /dev/kvm that may be used: QEMU emulates the processor, ten to fifty times slower")
	}
}
