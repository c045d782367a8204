package droplet

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// parseMode reads 0600 and the symbolic u=rw,go= or +x forms, relative to old.
func parseMode(text string, old fs.FileMode) (fs.FileMode, error) {
	if m, err := strconv.ParseUint(text, 8, 12); err == nil {
		return fs.FileMode(m) & fs.ModePerm, nil
	}
	mode := old.Perm()
	for clause := range strings.SplitSeq(text, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 {
			return 0, fmt.Errorf("invalid mode: %q", text)
		}
		var bits, who fs.FileMode
		for _, r := range clause[i+1:] {
			n := strings.IndexRune("xwr", r)
			if n < 0 {
				return 0, fmt.Errorf("invalid mode: %q", text)
			}
			bits |= 0o111 << n
		}
		for _, r := range clause[:i] {
			who |= map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[r]
		}
		who = or(who, 0o777)
		switch clause[i] {
		case '+':
			mode |= bits & who
		case '-':
			mode &^= bits & who
		default:
			mode = mode&^who | bits&who
		}
	}
	return mode, nil
}

func (p *process) setMode(name, text string) error {
	var bad error
	err := p.fs.alter(name, func(n *node) {
		m, err := parseMode(text, n.mode)
		if bad = err; err == nil {
			n.mode = n.mode&^fs.ModePerm | m
		}
	})
	return errors.Join(err, bad)
}

func (p *process) chmod() int {
	args := p.args
	for len(args) > 0 && (args[0] == "-R" || args[0] == "-f" || args[0] == "-v" || args[0] == "--") {
		args = args[1:]
	}
	if len(args) < 2 {
		return p.fail(errors.New("missing operand"))
	}
	for _, name := range args[1:] {
		if err := p.setMode(p.abs(name), args[0]); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

// setOwner takes USER, USER:GROUP, USER: and :GROUP. Who is not known is an error.
func (p *process) setOwner(name, who string) error {
	user, grp, grouped := strings.Cut(who, ":")
	if user != "" && !p.isUser(user) {
		return fmt.Errorf("invalid user: %q", who)
	}
	if grp != "" && !p.isGroup(grp) {
		return fmt.Errorf("invalid group: %q", who)
	}
	if p.user != "root" {
		return pathError("chown", name, errors.New("Operation not permitted")) //nolint:staticcheck // the program's words
	}
	return p.fs.alter(name, func(n *node) {
		if user != "" {
			n.owner = user
		}
		if grouped {
			n.group = or(grp, group(user))
		}
	})
}

func (p *process) isUser(name string) bool {
	for user, uid := range known(p.boot) {
		if name == user || name == strconv.Itoa(uid) {
			return true
		}
	}
	return false
}

func (p *process) isGroup(name string) bool {
	for _, g := range []string{"root", "wheel", "users", "keys", "nogroup", "systemd-journal", "docker", "0"} {
		if name == g {
			return true
		}
	}
	return p.isUser(name)
}

func (p *process) chown() int {
	_, operands := p.flags()
	if len(operands) < 2 {
		return p.fail(errors.New("missing operand"))
	}
	who := operands[0]
	if p.name == "chgrp" {
		who = ":" + who
	}
	for _, name := range operands[1:] {
		if err := p.setOwner(p.abs(name), who); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

func (p *process) statFile() int {
	options, operands := p.flags("c", "format")
	for _, name := range operands {
		i, err := p.fs.stat(p.abs(name), has(options, "L"))
		if err != nil {
			return p.fail(err)
		}
		uid, gid := known(p.boot)[i.n.owner], known(p.boot)[i.n.group]
		p.printf("%s\n", strings.NewReplacer(
			"%a", strconv.FormatUint(uint64(i.Mode().Perm()), 8), "%U", i.n.owner, "%G", i.n.group, "%u", strconv.Itoa(uid),
			"%g", strconv.Itoa(gid), "%s", strconv.FormatInt(i.Size(), 10), "%n", name, "%Y", strconv.FormatInt(i.n.at.Unix(), 10),
		).Replace(or(last(options, "c", "format"), "%n %s %a %U %G")))
	}
	return 0
}
