package droplet

import (
	"bytes"
	"errors"
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
