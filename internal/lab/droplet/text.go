package droplet

import (
	"bytes"
	"crypto/md5" //nolint:gosec // md5sum is what it is
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

func lines(data []byte) []string {
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" && len(data) == 0 {
		return nil
	}
	return strings.Split(text, "\n")
}

func (p *process) head() int {
	options, operands := p.flags("n", "c", "lines", "bytes")
	data, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	if text := last(options, "c", "bytes"); text != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(text, "-"))
		if err != nil {
			return p.fail(err)
		}
		n = min(n, len(data))
		if p.name == "tail" {
			data = data[len(data)-n:]
		} else {
			data = data[:n]
		}
		_, _ = p.stdout.Write(data)
		return 0
	}
	count := or(last(options, "n", "lines"), "10")
	for name := range options {
		if _, err := strconv.Atoi(name); err == nil {
			count = name // head -5
		}
	}
	n, err := strconv.Atoi(strings.TrimPrefix(count, "+"))
	if err != nil {
		return p.fail(err)
	}
	all := lines(data)
	switch {
	case p.name == "head":
		all = all[:min(n, len(all))]
	case strings.HasPrefix(count, "+"):
		all = all[min(max(n-1, 0), len(all)):]
	default:
		all = all[len(all)-min(n, len(all)):]
	}
	for _, l := range all {
		p.printf("%s\n", l)
	}
	return 0
}

func (p *process) tee() int {
	options, operands := p.flags()
	data, err := p.input("-")
	if err != nil {
		return p.fail(err)
	}
	for _, name := range operands {
		if name == "/dev/null" {
			continue
		}
		n, err := p.fs.create(p.abs(name), !has(options, "a"), 0o666&^p.mask)
		if err != nil {
			return p.fail(err)
		}
		p.fs.append(n, data)
	}
	_, _ = p.stdout.Write(data)
	return 0
}

// dd copies if= (or stdin) to of= (or stdout).
func (p *process) dd() int {
	operands := map[string]string{}
	for _, a := range p.args {
		name, value, _ := strings.Cut(a, "=")
		operands[name] = value
	}
	data, err := p.input(operands["if"])
	if err != nil {
		return p.fail(err)
	}
	if operands["of"] == "" {
		_, _ = p.stdout.Write(data)
		return 0
	}
	if err := p.fs.writeFile(p.abs(operands["of"]), data, 0o666&^p.mask); err != nil {
		return p.fail(err)
	}
	return 0
}

func (p *process) sum() int {
	options, operands := p.flags()
	if has(options, "c", "check") {
		return p.checkSums(operands)
	}
	if len(operands) == 0 {
		operands = []string{"-"}
	}
	for _, name := range operands {
		data, err := p.input(name)
		if err != nil {
			return p.fail(err)
		}
		p.printf("%s  %s\n", p.hash(data), name)
	}
	return 0
}

func (p *process) hash(data []byte) string {
	if p.name == "md5sum" {
		return fmt.Sprintf("%x", md5.Sum(data)) //nolint:gosec // md5sum is what it is
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func (p *process) checkSums(operands []string) int {
	list, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	code := 0
	for _, l := range lines(list) {
		want, name, _ := strings.Cut(l, " ")
		name = strings.TrimLeft(name, " *")
		data, err := p.input(name)
		if err != nil || p.hash(data) != want {
			code = 1
			p.printf("%s: FAILED\n", name)
			continue
		}
		p.printf("%s: OK\n", name)
	}
	return code
}

func (p *process) base64() int {
	options, operands := p.flags("w", "wrap")
	data, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	if has(options, "d", "D", "decode") {
		plain, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(data)))
		_, _ = p.stdout.Write(plain)
		if err != nil {
			return p.fail(errors.New("invalid input"))
		}
		return 0
	}
	text := base64.StdEncoding.EncodeToString(data)
	if last(options, "w", "wrap") == "0" {
		p.printf("%s", text)
		return 0
	}
	for chunk := range slices.Chunk([]byte(text), 76) {
		p.printf("%s\n", chunk)
	}
	return 0
}

func (p *process) wc() int {
	options, operands := p.flags()
	data, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	switch {
	case has(options, "l"):
		p.printf("%d\n", bytes.Count(data, []byte("\n")))
	case has(options, "c"):
		p.printf("%d\n", len(data))
	case has(options, "w"):
		p.printf("%d\n", len(bytes.Fields(data)))
	default:
		p.printf("%d %d %d\n", bytes.Count(data, []byte("\n")), len(bytes.Fields(data)), len(data))
	}
	return 0
}

func (p *process) basename() int {
	_, operands := p.flags("s")
	if len(operands) == 0 {
		return p.fail(errors.New("missing operand"))
	}
	if p.name == "dirname" {
		p.printf("%s\n", path.Dir(operands[0]))
		return 0
	}
	base := path.Base(operands[0])
	if len(operands) > 1 && base != operands[1] {
		base = strings.TrimSuffix(base, operands[1])
	}
	p.printf("%s\n", base)
	return 0
}
