package droplet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// process is one command that a shell runs.
type process struct {
	*session
	ctx            context.Context //nolint:containedctx // a process is a call that is going on
	name           string
	args           []string
	dir            string
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        expand.Environ
}

// commands are the programs of a simulated droplet.
func commands() map[string]func(*process) int {
	return map[string]func(*process) int{
		// files
		"cat": (*process).cat, "chmod": (*process).chmod, "chown": (*process).chown, "chgrp": (*process).chown,
		"cp": (*process).cp, "install": (*process).install, "ln": (*process).ln, "ls": (*process).ls, "mkdir": (*process).mkdirs,
		"mktemp": (*process).mktemp, "mv": (*process).mv, "readlink": (*process).readlink, "realpath": (*process).readlink,
		"rm": (*process).rm, "rmdir": (*process).rm, "stat": (*process).statFile, "touch": (*process).touch, "cmp": (*process).cmp,
		// text
		"base64": (*process).base64, "cut": (*process).cut, "grep": (*process).grep, "head": (*process).head, "md5sum": (*process).sum,
		"sha256sum": (*process).sum, "sort": (*process).sort, "tail": (*process).head, "tee": (*process).tee, "tr": (*process).tr,
		"uniq": (*process).sort, "wc": (*process).wc, "basename": (*process).basename, "dirname": (*process).basename,
		"dd": (*process).dd, "sed": (*process).sed,
		// the system
		"systemctl": (*process).systemctl, "journalctl": (*process).journalctl, "loginctl": (*process).loginctl,
		"reboot": (*process).reboot, "poweroff": (*process).reboot, "curl": (*process).curl, "hostname": (*process).fact,
		"nixos-version": (*process).fact, "uname": (*process).fact, "id": (*process).id, "whoami": (*process).id,
		"getent": (*process).getent, "date": (*process).date, "uptime": (*process).fact,
		// other programs run by these
		"env": (*process).env, "sh": (*process).sh, "bash": (*process).sh, "dash": (*process).sh, "sudo": (*process).as,
		"runuser": (*process).as, "su": (*process).su, "timeout": (*process).timeout, "nohup": (*process).wrapped,
		"setsid": (*process).wrapped, "nice": (*process).wrapped, "which": (*process).which, "test": (*process).test,
		"[": (*process).test, "sleep": (*process).sleep, "sync": (*process).nothing, "restorecon": (*process).nothing,
		"xargs": (*process).xargs,
	}
}

// run runs the process: a program of this machine, or a script on its disk.
func (p *process) run() int {
	if do, ok := commands()[p.name]; ok {
		return do(p)
	}
	if interp.IsBuiltin(p.name) {
		return p.shellWith(`"$0" "$@"`, append([]string{p.name}, p.args...))
	}
	if data, err := p.fs.readFile(p.abs(p.name)); err == nil && strings.HasPrefix(string(data), "#!") {
		return p.shellWith(string(data), append([]string{p.name}, p.args...))
	}
	p.errf("command not found")
	return 127
}

// shellWith runs a script in a new shell with this process's streams.
func (p *process) shellWith(script string, params []string) int {
	return p.session.shell(p.ctx, script, params, p.environment(), p.dir, p.stdin, p.stdout, p.stderr)
}

func (p *process) environment() []string {
	var env []string
	for name, v := range p.environ.Each {
		if v.Exported {
			env = append(env, name+"="+v.String())
		}
	}
	return env
}

// exec runs another command in the place of this one.
func (p *process) exec(args []string) int {
	if len(args) == 0 {
		return p.fail(errors.New("missing operand"))
	}
	q := *p
	q.name, q.args = path.Base(args[0]), args[1:]
	return q.run()
}

func (p *process) errf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, p.name+": "+format+"\n", args...)
}

// fail says what went wrong, as programs do, and returns 1.
func (p *process) fail(err error) int {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		what := pe.Err.Error()
		switch {
		case errors.Is(pe.Err, fs.ErrNotExist):
			what = "No such file or directory"
		case errors.Is(pe.Err, fs.ErrPermission):
			what = "Permission denied"
		case errors.Is(pe.Err, fs.ErrExist):
			what = "File exists"
		}
		p.errf("%s: %s", pe.Path, what)
		return 1
	}
	p.errf("%v", err)
	return 1
}

func (p *process) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.stdout, format, args...) }

func (p *process) abs(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(p.dir, name)
}

// flags splits options from operands as getopt does. valued names the options that
// take a value, "n" for -n and "mode" for --mode. Options come as given, without
// dashes; one that is not there has no entry.
func (p *process) flags(valued ...string) (map[string][]string, []string) {
	options := map[string][]string{}
	var operands []string
	args := p.args
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return options, append(operands, args...)
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			if !given && slices.Contains(valued, name) && len(args) > 0 {
				value, args = args[0], args[1:]
			}
			options[name] = append(options[name], value)
		case len(arg) > 1 && arg[0] == '-':
			for i, r := range arg[1:] {
				name := string(r)
				if !slices.Contains(valued, name) {
					options[name] = append(options[name], "")
					continue
				}
				value := arg[1+i+1:]
				if value == "" && len(args) > 0 {
					value, args = args[0], args[1:]
				}
				options[name] = append(options[name], value)
				break
			}
		default:
			operands = append(operands, arg)
		}
	}
	return options, operands
}

func has(options map[string][]string, names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return options[n] != nil })
}

func last(options map[string][]string, names ...string) string {
	for _, n := range names {
		if v := options[n]; len(v) > 0 {
			return v[len(v)-1]
		}
	}
	return ""
}

// input is what a program reads: the file, or stdin for "-" and no name.
func (p *process) input(name string) ([]byte, error) {
	if name == "" || name == "-" || name == "/dev/stdin" {
		data, err := io.ReadAll(p.stdin)
		if err != nil && !errors.Is(err, os.ErrClosed) {
			return nil, fmt.Errorf("read stdin: %w", err)
		}
		return data, nil
	}
	return p.fs.readFile(p.abs(name))
}

// inputs are all that the operands name, or stdin.
func (p *process) inputs(operands []string) ([]byte, error) {
	if len(operands) == 0 {
		operands = []string{"-"}
	}
	var all []byte
	for _, name := range operands {
		data, err := p.input(name)
		if err != nil {
			return all, err
		}
		all = append(all, data...)
	}
	return all, nil
}

func (p *process) nothing() int { return 0 }
func (p *process) wrapped() int { return p.exec(p.args) }

func (p *process) env() int {
	args := p.args
	var pairs []string
	for len(args) > 0 && (strings.Contains(args[0], "=") || strings.HasPrefix(args[0], "-")) {
		if strings.Contains(args[0], "=") {
			pairs = append(pairs, args[0])
		}
		args = args[1:]
	}
	env := append(p.environment(), pairs...)
	if len(args) == 0 {
		p.printf("%s\n", strings.Join(env, "\n"))
		return 0
	}
	q := *p
	q.environ = expand.ListEnviron(env...)
	return q.exec(args)
}

// sh is a shell: -c SCRIPT, a script's file, or a script on stdin.
func (p *process) sh() int {
	args, prefix := p.args, ""
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" && args[0] != "--" {
		flag := args[0]
		args = args[1:]
		if strings.Contains(flag, "e") && !strings.HasPrefix(flag, "--") {
			prefix += "set -e\n"
		}
		if strings.Contains(flag, "u") && !strings.HasPrefix(flag, "--") {
			prefix += "set -u\n"
		}
		switch {
		case strings.HasSuffix(flag, "c") && len(args) > 0:
			return p.shellWith(prefix+args[0], append([]string{}, args[1:]...))
		case strings.HasSuffix(flag, "s"):
			if len(args) > 0 && args[0] == "--" {
				args = args[1:]
			}
			return p.script("-", prefix, append([]string{"sh"}, args...))
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return p.script("-", prefix, []string{"sh"})
	}
	return p.script(args[0], prefix, args)
}

func (p *process) script(name, prefix string, params []string) int {
	data, err := p.input(name)
	if err != nil {
		p.fail(err)
		return 127
	}
	return p.shellWith(prefix+string(data), params)
}

// as runs a command as another user: sudo for anybody, runuser for root.
func (p *process) as() int {
	user, args := "root", p.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		flag := args[0]
		args = args[1:]
		if (flag == "-u" || flag == "--user") && len(args) > 0 {
			user, args = args[0], args[1:]
		}
		if flag == "--" {
			break
		}
	}
	if p.name == "runuser" && p.user != "root" {
		p.errf("may not be used by non-root users")
		return 1
	}
	return p.switchTo(user, func(q *process) int {
		for len(args) > 0 && strings.Contains(args[0], "=") {
			q.environ = expand.ListEnviron(append(q.environment(), args[0])...)
			args = args[1:]
		}
		return q.exec(args)
	})
}

// su runs a shell as another user: su [-] [-s SHELL] USER -c SCRIPT [ARGS].
func (p *process) su() int {
	options, operands := p.flags("c", "s")
	if p.user != "root" {
		p.errf("Authentication failure")
		return 1
	}
	user := "root"
	if len(operands) > 0 && operands[0] == "-" {
		operands = operands[1:]
	}
	if len(operands) > 0 {
		user, operands = operands[0], operands[1:]
	}
	return p.switchTo(user, func(q *process) int { return q.shellWith(last(options, "c"), operands) })
}

func (p *process) switchTo(user string, run func(*process) int) int {
	if _, ok := known(p.boot)[user]; !ok {
		p.errf("user %s does not exist", user)
		return 1
	}
	s := *p.session
	s.user, s.fs.user = user, user
	q := *p
	q.session = &s
	q.environ = expand.ListEnviron(append(p.environment(), "HOME="+s.home(), "USER="+user, "LOGNAME="+user)...)
	return run(&q)
}

func (p *process) timeout() int {
	args := p.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] == "-k" || args[0] == "-s" {
			args = args[1:]
		}
		args = args[1:]
	}
	if len(args) < 2 {
		return p.fail(errors.New("missing operand"))
	}
	d, err := duration(args[0])
	if err != nil {
		return p.fail(err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, d)
	defer cancel()
	q := *p
	q.ctx = ctx
	code := q.exec(args[1:])
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return 124
	}
	return code
}

// duration reads what sleep and timeout take: 5, 0.5, 5s, 2m.
func duration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("invalid time interval %q", text)
	}
	return d, nil
}

func (p *process) sleep() int {
	var all time.Duration
	for _, a := range p.args {
		d, err := duration(a)
		if err != nil {
			return p.fail(err)
		}
		all += d
	}
	if !pause(p.ctx, all) {
		return 130
	}
	return 0
}

func (p *process) which() int {
	code := 0
	for _, name := range p.args {
		if _, ok := commands()[name]; !ok {
			code = 1
			continue
		}
		p.printf("/run/current-system/sw/bin/%s\n", name)
	}
	return code
}

func (p *process) test() int {
	quoted := "[ "
	for _, a := range p.args {
		if a != "]" {
			quoted += "'" + strings.ReplaceAll(a, "'", `'\''`) + "' "
		}
	}
	// Operators must not be quoted to be seen as such by the parser.
	for _, op := range []string{"-e", "-f", "-d", "-r", "-w", "-x", "-s", "-L", "-h", "-n", "-z", "=", "!=", "!", "-eq", "-ne", "-lt", "-gt", "-le", "-ge"} {
		quoted = strings.ReplaceAll(quoted, " '"+op+"' ", " "+op+" ")
	}
	return p.shellWith(quoted+"]", nil)
}

func (p *process) xargs() int {
	data, err := p.input("-")
	if err != nil {
		return p.fail(err)
	}
	_, operands := p.flags()
	return p.exec(append(operands, strings.Fields(string(data))...))
}
