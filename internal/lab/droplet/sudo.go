package droplet

import "fmt"

// allowed says whether sudo lets the user on, and asks for the password where the
// system wants one: of the standard input, which is all that there is.
func (p *process) allowed(asks bool) bool {
	want, locked := p.boot.spec.Sudo[p.user]
	if p.user == "root" || !locked {
		return true
	}
	if !asks {
		p.errf("a password is required")
		return false
	}
	if p.line() != want {
		_, _ = fmt.Fprintln(p.stderr, "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt")
		return false
	}
	return true
}

// line reads one line of the standard input, and nothing behind it.
func (p *process) line() string {
	var text []byte
	one := make([]byte, 1)
	for {
		n, err := p.stdin.Read(one)
		if n == 0 || err != nil || one[0] == '\n' {
			return string(text)
		}
		text = append(text, one[0])
	}
}
