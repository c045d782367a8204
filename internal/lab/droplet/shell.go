package droplet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/versatus/snowdrop/internal/lab/sshd"
)

// session is one login: who it is and what the machine was when it began. A
// session does not outlive the boot.
type session struct {
	m    *Machine
	boot *boot
	user string
	fs   view
	mask fs.FileMode
}

// run runs what a client asked for, as sshd does: the user's shell with -c.
func (m *Machine) run(ctx context.Context, c sshd.Command) int {
	m.mu.Lock()
	b, f := m.boot, m.fs
	m.mu.Unlock()
	if b == nil {
		return 255
	}
	s := &session{m: m, boot: b, user: c.User, fs: view{f, c.User}, mask: 0o022}
	script := c.Line
	stdin := c.Stdin
	if script == "" {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return 255
		}
		script, stdin = string(text), strings.NewReader("")
	}
	return s.shell(ctx, script, nil, s.environment(), "/", stdin, c.Stdout, c.Stderr)
}

func (s *session) home() string {
	if s.user == "root" {
		return "/root"
	}
	return "/home/" + s.user
}

func (s *session) environment() []string {
	return []string{
		"HOME=" + s.home(), "USER=" + s.user, "LOGNAME=" + s.user, "SHELL=/bin/sh", "LANG=C",
		"PATH=/run/wrappers/bin:/run/current-system/sw/bin:/usr/bin:/bin",
	}
}

// shell runs a script with params as $0, $1, … and returns its exit status.
func (s *session) shell(ctx context.Context, script string, params, env []string, dir string, in io.Reader, out, errOut io.Writer) int {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "sh")
	if err != nil {
		fmt.Fprintf(errOut, "sh: %v\n", err)
		return 2
	}
	child := *s // its umask is its own
	s = &child
	stdin, release, err := stdinFile(in)
	if err != nil {
		fmt.Fprintf(errOut, "sh: %v\n", err)
		return 126
	}
	defer release()
	if len(params) > 0 {
		params = params[1:]
	}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron(env...)), interp.Dir("/"), interp.StdIO(stdin, out, errOut),
		interp.Params(append([]string{"--"}, params...)...),
		interp.CallHandler(s.onCall), interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return s.onExec }),
		interp.OpenHandler(s.onOpen), interp.StatHandler(s.onStat), interp.ReadDirHandler2(s.onReadDir),
		interp.AccessHandler(s.onAccess),
	)
	if err != nil {
		fmt.Fprintf(errOut, "sh: %v\n", err)
		return 126
	}
	runner.Reset()
	runner.Dir = dir
	return status(runner.Run(ctx, file))
}

func status(err error) int {
	var code interp.ExitStatus
	if errors.As(err, &code) {
		return int(code)
	}
	if err != nil {
		return 126
	}
	return 0
}

// stdinFile makes a file of a reader, as the interpreter wants one. The goroutine
// behind it ends when the reader does, or when release was called and it reads on.
func stdinFile(r io.Reader) (f *os.File, release func(), err error) {
	if f, ok := r.(*os.File); ok {
		return f, func() {}, nil
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe for stdin: %w", err)
	}
	go func() {
		_, _ = io.Copy(pw, r)
		_ = pw.Close()
	}()
	return pr, func() { _ = pr.Close() }, nil
}

// onCall stands in for the builtins that the interpreter lacks, and lets "command"
// and "type" find the commands of this machine.
func (s *session) onCall(ctx context.Context, args []string) ([]string, error) {
	switch args[0] {
	case "umask":
		if len(args) > 1 {
			if mask, err := strconv.ParseUint(args[1], 8, 9); err == nil {
				s.mask = fs.FileMode(mask)
			}
		} else {
			_, _ = fmt.Fprintf(interp.HandlerCtx(ctx).Stdout, "%04o\n", s.mask)
		}
		return []string{"true"}, nil
	case "ulimit", "hash":
		return []string{"true"}, nil
	case "command":
		if len(args) == 3 && (args[1] == "-v" || args[1] == "-V") && !interp.IsBuiltin(args[2]) {
			return []string{"which", args[2]}, nil
		}
	case "kill":
		return []string{"true"}, nil
	case "trap":
		return trap(args), nil
	}
	return args, nil
}

// trap keeps what the interpreter knows of: the end of the script. Nobody sends
// signals to a process here.
func trap(args []string) []string {
	if len(args) < 3 {
		return args
	}
	for _, name := range args[2:] {
		if name == "EXIT" || name == "0" {
			return []string{"trap", args[1], "EXIT"}
		}
	}
	return []string{"true"}
}

// onExec runs a command of this machine.
func (s *session) onExec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	p := &process{
		session: s, ctx: ctx, name: path.Base(args[0]), path: args[0], args: args[1:], dir: hc.Dir, stdin: hc.Stdin,
		stdout: hc.Stdout, stderr: hc.Stderr,
		environ: hc.Env,
	}
	if hc.Stdin == (*os.File)(nil) {
		p.stdin = strings.NewReader("")
	}
	if code := p.run(); code != 0 {
		return interp.ExitStatus(code) //nolint:gosec,wrapcheck // 0 to 255; the interpreter looks at the type
	}
	return nil
}

func (s *session) onOpen(ctx context.Context, name string, flag int, perm fs.FileMode) (io.ReadWriteCloser, error) {
	hc := interp.HandlerCtx(ctx)
	if !path.IsAbs(name) {
		name = path.Join(hc.Dir, name)
	}
	switch name {
	case "/dev/null":
		return os.OpenFile(os.DevNull, os.O_RDWR, 0) //nolint:wrapcheck // the interpreter wants it bare
	case "/dev/stdout":
		return stream{hc.Stdout}, nil
	case "/dev/stderr":
		return stream{hc.Stderr}, nil
	}
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		n, err := s.fs.create(name, flag&os.O_TRUNC != 0, perm&^s.mask)
		if err != nil {
			return nil, err
		}
		return &writing{s.fs, n}, nil
	}
	data, err := s.fs.readFile(name)
	if err != nil {
		return nil, err
	}
	return unnamedFile(data)
}

// unnamedFile is a real file that nobody else can see, since only a real file can
// be the interpreter's stdin without a goroutine behind it.
func unnamedFile(data []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "snowdrop-lab-*")
	if err != nil {
		return nil, err //nolint:wrapcheck // the interpreter wants it bare
	}
	_ = os.Remove(f.Name())
	if _, err = f.Write(data); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err //nolint:wrapcheck // the interpreter wants it bare
	}
	return f, nil
}

type stream struct{ io.Writer }

func (stream) Read([]byte) (int, error) { return 0, io.EOF }
func (stream) Close() error             { return nil }

// writing is a file that is being written to.
type writing struct {
	fs view
	n  *node
}

func (w *writing) Read([]byte) (int, error) { return 0, io.EOF }
func (w *writing) Close() error             { return nil }

func (w *writing) Write(p []byte) (int, error) {
	w.fs.append(w.n, p)
	return len(p), nil
}

func (s *session) onStat(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
	i, err := s.fs.stat(name, follow)
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (s *session) onReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	return s.fs.readDir(name)
}

func (s *session) onAccess(_ context.Context, name string, mode interp.AccessMode) error {
	i, err := s.fs.stat(name, true)
	if err != nil {
		return err
	}
	for _, a := range []struct {
		mode interp.AccessMode
		bit  fs.FileMode
	}{{interp.AccessRead, 4}, {interp.AccessWrite, 2}, {interp.AccessExec, 1}} {
		if mode&a.mode != 0 && !s.fs.may(i.n, a.bit) || a.bit == 1 && mode&a.mode != 0 && i.n.mode&0o111 == 0 {
			return pathError("access", name, fs.ErrPermission)
		}
	}
	return nil
}

// pause waits, and returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
