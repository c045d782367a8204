package nspawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// systemd-nspawn --keep-unit ends with this code when the machine wants to
	// reboot, and leaves it to its caller to start it again.
	rebootCode = 133
	// How long systemd-nspawn may take to notice that its machine was killed and to
	// clean up after itself, before it is killed too.
	grace = 2 * time.Second
)

// process is a systemd-nspawn, started again whenever its machine reboots.
type process struct {
	quit chan struct{} // closed: do not start it again
	done chan struct{} // closed: it has ended, with err
	err  error
}

// spawn boots what is mounted at the machine's root and waits until its init runs.
func (m *Machine) spawn(ctx context.Context) error {
	initCommand, err := findInit(m.root())
	if err != nil {
		return err
	}
	m.host.config.log("%s: booting at %s", m.name, m.Address())
	if err := m.host.network.plug(ctx, m.number); err != nil {
		return err
	}
	command := func() (*exec.Cmd, error) { return m.startNspawn(context.WithoutCancel(ctx), initCommand) }
	first, err := command()
	if err != nil {
		return err
	}
	p := &process{quit: make(chan struct{}), done: make(chan struct{})}
	m.process.Store(p)
	go p.supervise(first, command)
	return m.waitForInit(ctx, p)
}

// startNspawn starts systemd-nspawn in the machine's own control group. A shell puts
// itself there first: with two hierarchies no single clone(2) can.
func (m *Machine) startNspawn(ctx context.Context, initCommand []string) (*exec.Cmd, error) {
	if err := m.group.remove(); err != nil {
		return nil, err
	}
	if err := m.group.create(); err != nil {
		return nil, err
	}
	const enter = `while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"`
	name := m.host.id.machine(m.number)
	args := append([]string{"-c", enter, "snowdrop-lab"}, m.group.dirs...)
	args = append(
		args, "--", "systemd-nspawn",
		"--machine="+name, "--hostname="+m.name, "--directory="+m.root(),
		"--network-namespace-path="+filepath.Join(namespaces, name),
		// Nobody but the lab is to know of the machine: no machined, no unit, no .nspawn
		// files. The image is the droplet: nothing of this system is copied into it.
		"--register=no", "--keep-unit", "--settings=no",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
	)
	cmd := exec.CommandContext(ctx, "/bin/sh", append(args, initCommand...)...) //nolint:gosec // The script is a constant; what varies are its arguments.
	cmd.Stdout, cmd.Stderr = &m.console, &m.console
	// TERM=dumb keeps the console free of colours. Version 1 control groups are too
	// old for the systemd of today's images.
	cmd.Env = append(os.Environ(), "TERM=dumb", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	// An interrupt at the terminal is the lab's to handle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start systemd-nspawn: %w", err)
	}
	return cmd, nil
}

func (p *process) supervise(cmd *exec.Cmd, again func() (*exec.Cmd, error)) {
	defer close(p.done)
	for {
		p.err = cmd.Wait()
		if cmd.ProcessState.ExitCode() != rebootCode || p.quitting() {
			return
		}
		if cmd, p.err = again(); p.err != nil {
			return
		}
	}
}

func (p *process) quitting() bool {
	select {
	case <-p.quit:
		return true
	default:
		return false
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// waitForInit returns once a program of the image runs inside of the machine.
func (m *Machine) waitForInit(ctx context.Context, p *process) error {
	err := until(ctx, func() (bool, error) {
		if p.ended() {
			return false, fmt.Errorf("it ended at once (%w); its console: %s", orNil(p.err), m.Console())
		}
		for _, pid := range m.group.payload() {
			exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
			if err == nil && !strings.HasSuffix(exe, "/systemd-nspawn") {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for its init: %w", err)
	}
	return nil
}

func orNil(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

// end kills the machine and waits until systemd-nspawn has gone; what is left of it
// then, or at the end of ctx, is for cgroup.destroy.
func (p *process) end(ctx context.Context, group cgroup) {
	if !p.quitting() {
		close(p.quit)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	_ = until(ctx, func() (bool, error) {
		kill(group.payload())
		return p.ended(), nil
	})
	if !p.ended() {
		kill(group.processes())
		<-p.done
	}
}
