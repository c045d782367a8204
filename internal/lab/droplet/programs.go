package droplet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
)

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
	user, args, asks := "root", p.args, false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		flag := args[0]
		args = args[1:]
		if (flag == "-u" || flag == "--user") && len(args) > 0 {
			user, args = args[0], args[1:]
		}
		if (flag == "-p" || flag == "--prompt") && len(args) > 0 {
			args = args[1:]
		}
		asks = asks || flag == "-S"
		if flag == "--" {
			break
		}
	}
	if p.name == "runuser" && p.user != "root" {
		p.errf("may not be used by non-root users")
		return 1
	}
	if p.name == "sudo" && !p.allowed(asks) {
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
	all = time.Duration(float64(all) * or(p.m.cfg.Timings.Second, time.Second).Seconds())
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
