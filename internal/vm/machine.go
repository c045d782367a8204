package vm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// noWindows says that windows need a display server here.
const noWindows = runtime.GOOS != "darwin" && runtime.GOOS != "windows"

// Machine is a virtual machine that runs without a window. Whoever started it calls
// Stop, also when it has ended by itself.
type Machine struct {
	script Script
	cmd    *exec.Cmd
	log    string
	work   string
	done   chan struct{}
	err    error // valid once done is closed
}

// Start starts a machine without a window, on a disk of its own that is thrown away
// with it. What the script, QEMU and the machine's console say goes to the file log.
// o.Disk and o.Dir are ignored.
func Start(s Script, o Options, log string, environ []string) (*Machine, error) {
	work, err := os.MkdirTemp("", "snowdrop-vm-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the virtual machine: %w", err)
	}
	m := &Machine{script: s, log: log, work: work, done: make(chan struct{})}
	if err := m.start(o, environ); err != nil {
		return nil, errors.Join(fmt.Errorf("start the virtual machine %s: %w", s.Name, err), os.RemoveAll(work))
	}
	return m, nil
}

func (m *Machine) start(o Options, environ []string) error {
	out, err := os.OpenFile(m.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer out.Close() //nolint:errcheck // the machine has it now
	temporary := filepath.Join(m.work, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		return fmt.Errorf("make its folder: %w", err)
	}
	o.Disk, o.Dir = filepath.Join(m.work, m.script.Name+".qcow2"), m.work
	o.KernelParams = append(o.KernelParams, "console="+m.script.Console)
	o.Headless = false // the console goes to the log instead
	// A second -serial of the configuration's own stays what it is.
	o.Args = append([]string{
		"-display", "none", "-monitor", "none",
		"-chardev", "file,id=snowdrop-console,append=on,path=" + escape(m.log), "-serial", "chardev:snowdrop-console",
	}, o.Args...)
	m.cmd = exec.Command(m.script.Path, o.args()...) //nolint:gosec,noctx // the script was built for that; Stop ends it
	m.cmd.Dir = m.work
	m.cmd.Env = append(o.env(m.script, environ), "TMPDIR="+temporary, "USE_TMPDIR=1")
	m.cmd.Stdout, m.cmd.Stderr = out, out
	group(m.cmd)
	if err := m.cmd.Start(); err != nil {
		return err //nolint:wrapcheck // it names the script
	}
	go func() {
		m.err = m.cmd.Wait()
		close(m.done)
	}()
	return nil
}

// escape is for a value of QEMU's options, in which a comma is written twice.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

// Done is closed when the machine has ended.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Ended is why a machine that nobody stopped is no longer there. It is for who has
// seen Done closed.
func (m *Machine) Ended() error {
	how := "its system was shut down"
	if m.err != nil {
		how = m.err.Error()
	}
	return fmt.Errorf("the virtual machine %s ended: %s", m.script.Name, how)
}

// Stop ends the machine, as by pulling the plug, and removes its disk. It waits until
// nothing is left of it.
func (m *Machine) Stop() error {
	terminate(m.cmd)
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-m.done:
	case <-timer.C:
		kill(m.cmd)
		<-m.done
	}
	kill(m.cmd) // those of its group that did not take the hint
	if err := os.RemoveAll(m.work); err != nil {
		return fmt.Errorf("remove what is left of the virtual machine %s: %w", m.script.Name, err)
	}
	return nil
}

// Tail are the last lines of a log, without what moves a terminal's cursor.
func Tail(log string, lines int) []string {
	text, err := os.ReadFile(log) //nolint:gosec // a log of our own
	if err != nil {
		return nil
	}
	all := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r", "")), "\n")
	if len(all) == 1 && all[0] == "" {
		return nil
	}
	return all[max(0, len(all)-lines):]
}

// AuthorizeRoot is the kernel's parameter with which systemd lets a public key in for
// root: a credential with lines of tmpfiles.d (systemd.system-credentials(7), since
// systemd 252). They make the file that sshd reads where there is none; nothing that the
// configuration has is changed. On NixOS the second one counts where keys in the home
// folder do not.
func AuthorizeRoot(publicKey string) string {
	key := base64.StdEncoding.EncodeToString([]byte(publicKey + "\n"))
	lines := "d /root/.ssh 0700 root root -\n" +
		"f~ /root/.ssh/authorized_keys 0600 root root - " + key + "\n" +
		"f~ /etc/ssh/authorized_keys.d/root 0444 root root - " + key + "\n"
	return "systemd.set_credential_binary=tmpfiles.extra:" + base64.StdEncoding.EncodeToString([]byte(lines))
}

// Address is what a connection that comes in over SSH reaches the machine at, from
// what SSH_CONNECTION holds in a session; empty where it holds none.
func Address(sshConnection string) string {
	fields := strings.Fields(sshConnection)
	if len(fields) != 4 {
		return ""
	}
	return fields[2]
}

// Pull makes a context that ends, with Ended as its cause, when the machine does.
func (m *Machine) Pull(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-m.done:
			cancel(m.Ended())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
