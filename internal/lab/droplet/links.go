package droplet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

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
