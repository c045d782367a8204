package droplet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

func (p *process) cat() int {
	_, operands := p.flags()
	if len(operands) == 0 {
		operands = []string{"-"}
	}
	code := 0
	for _, name := range operands {
		data, err := p.input(name)
		if err != nil {
			code = p.fail(err)
			continue
		}
		if _, err := p.stdout.Write(data); err != nil {
			return 1
		}
	}
	return code
}

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

// target is where cp, mv and install put a file: below a directory, or there.
func (p *process) target(from, to string) string {
	to = p.abs(to)
	if i, err := p.fs.stat(to, true); err == nil && i.IsDir() {
		return path.Join(to, path.Base(from))
	}
	return to
}

func (p *process) cp() int {
	options, operands := p.flags("t")
	if len(operands) < 2 {
		return p.fail(errors.New("missing operand"))
	}
	to := operands[len(operands)-1]
	for _, from := range operands[:len(operands)-1] {
		data, err := p.input(from)
		if err != nil {
			return p.fail(err)
		}
		name := p.target(from, to)
		i, statErr := p.fs.stat(p.abs(from), true)
		mode := fs.FileMode(0o644)
		if statErr == nil {
			mode = i.Mode().Perm()
		}
		if err := p.fs.writeFile(name, data, mode&^p.mask); err != nil {
			return p.fail(err)
		}
		if has(options, "p", "a") && statErr == nil {
			_ = p.fs.alter(name, func(n *node) { n.mode, n.owner, n.group = i.n.mode, i.n.owner, i.n.group })
		}
	}
	return 0
}

func (p *process) install() int {
	options, operands := p.flags("m", "o", "g", "t", "mode", "owner", "group")
	mode := or(last(options, "m", "mode"), "0755")
	dress := func(name string) error {
		if err := p.setMode(name, mode); err != nil {
			return err
		}
		owner, grp := last(options, "o", "owner"), last(options, "g", "group")
		if owner == "" && grp == "" {
			return nil
		}
		if grp != "" {
			owner += ":" + grp
		}
		return p.setOwner(name, owner)
	}
	if has(options, "d") {
		for _, name := range operands {
			if err := errors.Join(p.fs.mkdirAll(p.abs(name), 0o755), dress(p.abs(name))); err != nil {
				return p.fail(err)
			}
		}
		return 0
	}
	if len(operands) < 2 {
		return p.fail(errors.New("missing operand"))
	}
	to := operands[len(operands)-1]
	for _, from := range operands[:len(operands)-1] {
		data, err := p.input(from)
		if err != nil {
			return p.fail(err)
		}
		name := p.target(from, to)
		if has(options, "D") {
			if err := p.fs.mkdirAll(path.Dir(name), 0o755); err != nil {
				return p.fail(err)
			}
		}
		_ = p.fs.remove(name, false) // install replaces a file
		if err := p.fs.writeFile(name, data, 0o600); err != nil {
			return p.fail(err)
		}
		if err := dress(name); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

func (p *process) ln() int {
	options, operands := p.flags()
	if len(operands) != 2 || !has(options, "s", "symbolic") {
		return p.fail(errors.New("the lab makes symbolic links only"))
	}
	if err := p.fs.symlink(operands[0], p.target(operands[0], operands[1]), has(options, "f", "force")); err != nil {
		return p.fail(err)
	}
	return 0
}

func (p *process) ls() int {
	options, operands := p.flags()
	if len(operands) == 0 {
		operands = []string{p.dir}
	}
	for _, name := range operands {
		i, err := p.fs.stat(p.abs(name), true)
		if err != nil {
			p.fail(err)
			return 2
		}
		if !i.IsDir() || has(options, "d") {
			p.list(options, name, i)
			continue
		}
		entries, err := p.fs.readDir(p.abs(name))
		if err != nil {
			return p.fail(err)
		}
		for _, e := range entries {
			if i, ok := e.(interface{ Info() (fs.FileInfo, error) }); ok {
				if fi, err := i.Info(); err == nil {
					p.list(options, e.Name(), fi)
				}
			}
		}
	}
	return 0
}

func (p *process) list(options map[string][]string, name string, i fs.FileInfo) {
	if !has(options, "l") {
		p.printf("%s\n", name)
		return
	}
	n, _ := i.Sys().(*node)
	p.printf("%s 1 %s %s %d %s %s\n", i.Mode(), n.owner, n.group, i.Size(), i.ModTime().Format("Jan _2 15:04"), name)
}

func (p *process) mkdirs() int {
	options, operands := p.flags("m", "mode")
	for _, name := range operands {
		name = p.abs(name)
		make := p.fs.mkdir
		if has(options, "p", "parents") {
			make = p.fs.mkdirAll
		}
		_, err := p.fs.stat(name, true)
		fresh := err != nil
		if err := make(name, 0o777&^p.mask); err != nil {
			return p.fail(err)
		}
		if mode := last(options, "m", "mode"); mode != "" && fresh {
			if err := p.setMode(name, mode); err != nil {
				return p.fail(err)
			}
		}
	}
	return 0
}

func (p *process) mktemp() int {
	options, operands := p.flags("p", "tmpdir")
	template := append(operands, "tmp.XXXXXXXXXX")[0]
	at := strings.LastIndex(template, "XXX")
	if at < 0 {
		return p.fail(fmt.Errorf("too few X's in template %q", template))
	}
	from := strings.LastIndexFunc(template[:at+3], func(r rune) bool { return r != 'X' }) + 1
	name := template[:from] + rand.Text()[:max(3, at+3-from)] + template[at+3:]
	if dir := or(last(options, "p", "tmpdir"), "/tmp"); len(operands) == 0 || has(options, "p", "tmpdir", "t") {
		name = path.Join(dir, name)
	}
	var err error
	if has(options, "d", "directory") {
		err = p.fs.mkdir(p.abs(name), 0o700)
	} else {
		err = p.fs.writeFile(p.abs(name), nil, 0o600)
	}
	if err != nil {
		return p.fail(err)
	}
	p.printf("%s\n", name)
	return 0
}

func (p *process) mv() int {
	options, operands := p.flags()
	if len(operands) < 2 {
		return p.fail(errors.New("missing operand"))
	}
	to := operands[len(operands)-1]
	for _, from := range operands[:len(operands)-1] {
		name := p.abs(to)
		if !has(options, "T", "no-target-directory") {
			name = p.target(from, to)
		}
		if err := p.fs.rename(p.abs(from), name); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

func (p *process) readlink() int {
	options, operands := p.flags()
	code := 0
	for _, name := range operands {
		if !has(options, "f", "e", "m") && p.name == "readlink" {
			i, err := p.fs.stat(p.abs(name), false)
			if err != nil || i.n.link == "" {
				code = 1
				continue
			}
			p.printf("%s\n", i.n.link)
			continue
		}
		real, err := p.fs.realPath(p.abs(name))
		if err != nil {
			code = 1
			continue
		}
		p.printf("%s\n", real)
	}
	return code
}

func (p *process) rm() int {
	options, operands := p.flags()
	for _, name := range operands {
		i, err := p.fs.stat(p.abs(name), false)
		if err != nil {
			if has(options, "f", "force") {
				continue
			}
			return p.fail(err)
		}
		if i.IsDir() && !has(options, "r", "R", "recursive", "d") && p.name == "rm" {
			return p.fail(pathError("rm", name, errors.New("Is a directory"))) //nolint:staticcheck // the program's words
		}
		if err := p.fs.remove(p.abs(name), p.name == "rm"); err != nil {
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

func (p *process) touch() int {
	_, operands := p.flags("d", "t", "r")
	for _, name := range operands {
		n, err := p.fs.create(p.abs(name), false, 0o666&^p.mask)
		if err != nil {
			return p.fail(err)
		}
		p.fs.append(n, nil)
	}
	return 0
}

func (p *process) cmp() int {
	_, operands := p.flags()
	if len(operands) != 2 {
		return p.fail(errors.New("wants two files"))
	}
	a, errA := p.input(operands[0])
	b, errB := p.input(operands[1])
	if err := errors.Join(errA, errB); err != nil {
		p.fail(err)
		return 2
	}
	if !bytes.Equal(a, b) {
		return 1
	}
	return 0
}

func (p *process) date() int {
	_, operands := p.flags("d")
	now := time.Now().UTC()
	layout := "Mon Jan _2 15:04:05 UTC 2006"
	if len(operands) > 0 {
		layout = strings.NewReplacer("+", "", "%s", strconv.FormatInt(now.Unix(), 10), "%Y", "2006", "%m", "01", "%d", "02",
			"%H", "15", "%M", "04", "%S", "05", "%F", "2006-01-02", "%T", "15:04:05").Replace(operands[0])
	}
	p.printf("%s\n", now.Format(layout))
	return 0
}
