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
	"regexp"
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

func (p *process) grep() int {
	options, operands := p.flags("e", "m")
	pattern := last(options, "e")
	if pattern == "" {
		if len(operands) == 0 {
			return p.fail(errors.New("missing pattern"))
		}
		pattern, operands = operands[0], operands[1:]
	}
	if has(options, "F") {
		pattern = regexp.QuoteMeta(pattern)
	}
	if has(options, "x") {
		pattern = "^(?:" + pattern + ")$"
	}
	if has(options, "i") {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		p.fail(err)
		return 2
	}
	data, err := p.inputs(operands)
	if err != nil && !has(options, "s") {
		p.fail(err)
		return 2
	}
	count := 0
	for _, l := range lines(data) {
		if re.MatchString(l) == has(options, "v") {
			continue
		}
		count++
		switch {
		case has(options, "q", "c"):
		case has(options, "o"):
			p.printf("%s\n", strings.Join(re.FindAllString(l, -1), "\n"))
		default:
			p.printf("%s\n", l)
		}
	}
	if has(options, "c") {
		p.printf("%d\n", count)
	}
	if count == 0 {
		return 1
	}
	return 0
}

func (p *process) cut() int {
	options, operands := p.flags("d", "f", "c")
	data, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	delimiter := or(last(options, "d"), "\t")
	from, to, err := span(or(last(options, "f"), last(options, "c")))
	if err != nil {
		return p.fail(err)
	}
	for _, l := range lines(data) {
		parts, join := strings.Split(l, delimiter), delimiter
		if has(options, "c") {
			parts, join = strings.Split(l, ""), ""
		} else if len(parts) == 1 {
			p.printf("%s\n", l)
			continue
		}
		p.printf("%s\n", strings.Join(parts[min(from-1, len(parts)):min(to, len(parts))], join))
	}
	return 0
}

// span reads N, N-, -M and N-M.
func span(text string) (from, to int, err error) {
	a, b, ranged := strings.Cut(text, "-")
	if from, err = strconv.Atoi(or(a, "1")); err != nil || from < 1 {
		return 0, 0, fmt.Errorf("invalid field %q", text)
	}
	to = from
	if ranged {
		if to, err = strconv.Atoi(or(b, "1000000")); err != nil {
			return 0, 0, fmt.Errorf("invalid field %q", text)
		}
	}
	return from, to, nil
}

func (p *process) sort() int {
	options, operands := p.flags("k", "t")
	data, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	all := lines(data)
	if p.name == "sort" {
		slices.Sort(all)
	}
	if p.name == "uniq" || has(options, "u") {
		all = slices.Compact(all)
	}
	if has(options, "r") {
		slices.Reverse(all)
	}
	for _, l := range all {
		p.printf("%s\n", l)
	}
	return 0
}

// tr knows sets of single characters with the usual escapes and ranges.
func (p *process) tr() int {
	options, operands := p.flags()
	if len(operands) == 0 {
		return p.fail(errors.New("missing operand"))
	}
	data, err := p.input("-")
	if err != nil {
		return p.fail(err)
	}
	from := set(operands[0])
	var to []rune
	if len(operands) > 1 {
		to = set(operands[1])
	}
	p.printf("%s", strings.Map(func(r rune) rune {
		i := slices.Index(from, r)
		switch {
		case i < 0:
			return r
		case has(options, "d") || len(to) == 0:
			return -1
		default:
			return to[min(i, len(to)-1)]
		}
	}, string(data)))
	return 0
}

func set(text string) []rune {
	text = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\0`, "\x00", `\r`, "\r", `\\`, `\`,
		"[:upper:]", "A-Z", "[:lower:]", "a-z", "[:digit:]", "0-9", "[:space:]", " \t\n\r").Replace(text)
	var out []rune
	in := []rune(text)
	for i := 0; i < len(in); i++ {
		if i+2 < len(in) && in[i+1] == '-' {
			for r := in[i]; r <= in[i+2]; r++ {
				out = append(out, r)
			}
			i += 2
			continue
		}
		out = append(out, in[i])
	}
	return out
}

// sed knows s/from/to/[g] and Np, which is what scripts mostly ask of it.
func (p *process) sed() int {
	options, operands := p.flags("e")
	script := last(options, "e")
	if script == "" && len(operands) > 0 {
		script, operands = operands[0], operands[1:]
	}
	data, err := p.inputs(operands)
	if err != nil {
		return p.fail(err)
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(script, "p")); err == nil && has(options, "n") {
		if all := lines(data); n >= 1 && n <= len(all) {
			p.printf("%s\n", all[n-1])
		}
		return 0
	}
	if len(script) < 4 || script[0] != 's' {
		return p.fail(fmt.Errorf("the lab's sed knows s/…/…/ and Np, not %q", script))
	}
	parts := strings.Split(script[2:], script[1:2])
	if len(parts) != 3 {
		return p.fail(fmt.Errorf("unterminated `s' command: %q", script))
	}
	re, err := regexp.Compile(parts[0])
	if err != nil {
		return p.fail(err)
	}
	to := regexp.MustCompile(`\\([0-9])`).ReplaceAllString(strings.ReplaceAll(parts[1], "&", `\0`), "$${$1}")
	for _, l := range lines(data) {
		if loc := re.FindStringIndex(l); loc != nil && parts[2] == "" {
			l = re.ReplaceAllString(l[:loc[1]], to) + l[loc[1]:]
		} else {
			l = re.ReplaceAllString(l, to)
		}
		p.printf("%s\n", l)
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
