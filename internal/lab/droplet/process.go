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
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// process is one command that a shell runs.
type process struct {
	*session
	ctx            context.Context //nolint:containedctx // a process is a call that is going on
	name           string
	path           string // the word that named the program
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
		// a system is switched by these
		"systemd-run": (*process).systemdRun, "nix-env": (*process).nixEnv, "switch-to-configuration": (*process).switchToConfiguration,
		"nix-daemon": (*process).noNix, "nix-store": (*process).noNix, "nix": (*process).noNix,
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
	return p.shell(p.ctx, script, params, p.environment(), p.dir, p.stdin, p.stdout, p.stderr)
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
	q.name, q.path, q.args = path.Base(args[0]), args[0], args[1:]
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
