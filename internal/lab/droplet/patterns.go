package droplet

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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
