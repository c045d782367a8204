package droplet

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reboot restarts the machine, or switches it off, a moment after the command that
// asked for it, so that the session sees its end.
func (p *process) reboot() int {
	if p.user != "root" {
		return p.fail(errors.New("must be root"))
	}
	to := "reset"
	if p.name == "poweroff" {
		to = "off"
	}
	p.m.later(func() {
		if err := p.m.Power(to); err != nil {
			p.m.logf("%s: %v", p.name, err)
		}
	})
	return 0
}

func (p *process) loginctl() int {
	options, operands := p.flags("p", "property")
	if len(operands) < 2 {
		return 0
	}
	user := operands[1]
	switch operands[0] {
	case "show-user":
		linger := "no"
		if _, err := (view{p.fs.filesystem, "root"}).stat("/var/lib/systemd/linger/"+user, true); err == nil {
			linger = "yes"
		}
		if has(options, "value") {
			p.printf("%s\n", linger)
		} else {
			p.printf("Linger=%s\n", linger)
		}
	case "enable-linger":
		p.fs.put("/var/lib/systemd/linger/"+user, "", 0o644)
	}
	return 0
}

func (p *process) id() int {
	options, operands := p.flags()
	user := append(operands, p.user)[0]
	uid, ok := known(p.boot)[user]
	if !ok {
		p.errf("'%s': no such user", user)
		return 1
	}
	switch {
	case p.name == "whoami", has(options, "n") && has(options, "u"):
		p.printf("%s\n", user)
	case has(options, "n"):
		p.printf("%s\n", group(user))
	case has(options, "u", "g", "G"):
		p.printf("%d\n", uid)
	default:
		p.printf("uid=%d(%s) gid=%d(%s) groups=%d(%s)\n", uid, user, uid, group(user), uid, group(user))
	}
	return 0
}

func (p *process) getent() int {
	if len(p.args) < 2 {
		return 1
	}
	if p.args[0] == "group" {
		if !p.isGroup(p.args[1]) {
			return 2
		}
		p.printf("%s:x:100:\n", p.args[1])
		return 0
	}
	data, err := p.fs.readFile("/etc/passwd")
	if err != nil {
		return p.fail(err)
	}
	for _, l := range lines(data) {
		f := strings.Split(l, ":")
		if f[0] == p.args[1] || f[2] == p.args[1] {
			p.printf("%s\n", l)
			return 0
		}
	}
	return 2
}

// fact prints one thing about the machine.
func (p *process) fact() int {
	switch p.name {
	case "hostname":
		p.printf("%s\n", p.m.cfg.Name)
	case "uname":
		text := "Linux"
		if slices.Contains(p.args, "-a") {
			text = "Linux " + p.m.cfg.Name + " 6.12.30 #1-NixOS SMP x86_64 GNU/Linux"
		} else if slices.Contains(p.args, "-r") {
			text = "6.12.30"
		} else if slices.Contains(p.args, "-m") {
			text = "x86_64"
		}
		p.printf("%s\n", text)
	case "uptime":
		p.printf("up %s\n", time.Since(p.boot.at).Round(time.Second))
	case "nixos-version":
		if p.boot.spec.System == "" {
			p.errf("command not found")
			return 127
		}
		p.printf("%s\n", p.boot.spec.System[strings.LastIndex(p.boot.spec.System, "-")+1:])
	}
	return 0
}

// curl asks the machine's own web servers, and no others.
func (p *process) curl() int {
	options, operands := p.flags("o", "w", "m", "max-time", "retry", "H", "X", "connect-timeout", "output", "write-out")
	if len(operands) != 1 {
		return p.fail(errors.New("no URL specified"))
	}
	link := operands[0]
	if !strings.Contains(link, "://") {
		link = "http://" + link
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, link, nil)
	if err != nil {
		p.errf("(3) URL rejected: %v", err)
		return 3
	}
	host, portText := req.URL.Hostname(), or(req.URL.Port(), "80")
	port, err := strconv.Atoi(portText)
	if host != "localhost" && !strings.HasPrefix(host, "127.") && host != "::1" || err != nil {
		p.errf("(6) Could not resolve host: %s", host)
		return 6
	}
	res, err := p.m.web.get(p.boot, port, req)
	if err != nil {
		p.errf("(7) Failed to connect to %s port %d: Connection refused", host, port)
		return 7
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 400 && has(options, "f", "fail") {
		p.errf("(22) The requested URL returned error: %d", res.StatusCode)
		return 22
	}
	body, _ := io.ReadAll(res.Body)
	switch out := last(options, "o", "output"); out {
	case "":
		_, _ = p.stdout.Write(body)
	case "/dev/null":
	default:
		if err := p.fs.writeFile(p.abs(out), body, 0o644); err != nil {
			return p.fail(err)
		}
	}
	if format := last(options, "w", "write-out"); format != "" {
		_, _ = fmt.Fprint(p.stdout, strings.NewReplacer("%{http_code}", strconv.Itoa(res.StatusCode), `\n`, "\n").Replace(format))
	}
	return 0
}
