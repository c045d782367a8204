package droplet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// control is one call of systemctl.
type control struct {
	*process
	options map[string][]string
	user    string // whose manager; "" is the system's
}

func (p *process) systemctl() int {
	options, operands := p.flags("p", "property", "n", "t", "type", "M", "machine", "o", "output", "state", "s", "H", "lines")
	c := &control{process: p, options: options}
	if has(options, "version") {
		p.printf("systemd 257 (257.5)\n")
		return 0
	}
	if has(options, "user") {
		c.user, _, _ = strings.Cut(or(last(options, "M", "machine"), p.user), "@")
		if !slices.Contains(p.boot.userManagers(), c.user) {
			_, _ = fmt.Fprintf(p.stderr, "Failed to connect to user scope bus: No such file or directory\n")
			return 1
		}
	}
	if len(operands) == 0 {
		operands = []string{"list-units"}
	}
	verb, units := operands[0], operands[1:]
	for i, u := range units {
		if !strings.Contains(u, ".") {
			units[i] = u + ".service"
		}
	}
	switch verb {
	case "is-system-running":
		return c.isSystemRunning()
	case "show":
		return c.show(units)
	case "list-units":
		return c.listUnits(units)
	case "list-jobs":
		return c.listJobs()
	case "is-active", "is-failed":
		return c.is(verb, units)
	case "status":
		return c.status(units)
	case "start", "restart", "try-restart", "reload-or-restart", "reload", "stop":
		return c.change(verb, units)
	case "cat", "is-enabled", "enable", "disable", "daemon-reload", "reset-failed", "daemon-reexec":
		return 0
	case "reboot", "poweroff":
		p.name = verb
		return p.reboot()
	}
	_, _ = fmt.Fprintf(p.stderr, "Unknown command verb '%s'.\n", verb)
	return 1
}

func (c *control) isSystemRunning() int {
	for {
		c.m.mu.Lock()
		word := c.boot.word(time.Now())
		c.m.mu.Unlock()
		waits := has(c.options, "wait") && (word == "starting" || word == "initializing")
		if waits && pause(c.ctx, 10*time.Millisecond) {
			continue
		}
		c.printf("%s\n", word)
		if word == "running" {
			return 0
		}
		return 1
	}
}

// properties of a unit as systemctl show names them.
func (c *control) properties(name string) map[string]string {
	all := map[string]string{
		"Id": name, "Names": name, "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "Result": "success",
		"ExecMainStatus": "0", "NRestarts": "0", "Description": name, "UnitFileState": "",
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if t := c.m.transients[name]; t != nil && c.user == "" {
		return t.properties()
	}
	u := c.boot.find(name, c.user)
	if u == nil {
		return all
	}
	s := c.boot.state(u, time.Now())
	all["LoadState"], all["UnitFileState"] = "loaded", "enabled"
	all["ActiveState"], all["SubState"], all["Result"] = s.active, s.sub, s.result
	all["ExecMainStatus"], all["NRestarts"] = strconv.Itoa(s.exit), strconv.Itoa(s.restarts)
	return all
}

func (c *control) show(units []string) int {
	var names []string
	for _, list := range [][]string{c.options["p"], c.options["property"]} {
		for _, v := range list {
			names = append(names, strings.Split(v, ",")...)
		}
	}
	if len(units) == 0 {
		all := map[string]string{"Version": "257.5", "SystemState": c.word(), "Virtualization": "kvm"}
		c.print(all, or(strings.Join(names, ","), "Version,SystemState"))
		return 0
	}
	for i, u := range units {
		if i > 0 {
			c.printf("\n")
		}
		c.print(c.properties(u), or(strings.Join(names, ","), "Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts"))
	}
	return 0
}

func (c *control) print(all map[string]string, names string) {
	for name := range strings.SplitSeq(names, ",") {
		v, ok := all[name]
		switch {
		case !ok:
		case has(c.options, "value"):
			c.printf("%s\n", v)
		default:
			c.printf("%s=%s\n", name, v)
		}
	}
}

func (c *control) word() string {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.boot.word(time.Now())
}

func (c *control) listUnits(patterns []string) int {
	type row struct {
		Unit        string `json:"unit"`
		Load        string `json:"load"`
		Active      string `json:"active"`
		Sub         string `json:"sub"`
		Description string `json:"description"`
	}
	rows := []row{}
	states := strings.Join(c.options["state"], ",")
	c.m.mu.Lock()
	for _, u := range c.boot.units {
		s := c.boot.state(u, time.Now())
		switch {
		case u.user != c.user, has(c.options, "failed") && s.active != "failed",
			states != "" && !slices.Contains(strings.Split(states, ","), s.active),
			s.active == "inactive" && !has(c.options, "all", "a"),
			len(patterns) > 0 && !slices.Contains(patterns, u.name):
		default:
			rows = append(rows, row{u.name, "loaded", s.active, s.sub, u.name})
		}
	}
	c.m.mu.Unlock()
	if last(c.options, "o", "output") == "json" {
		text, _ := json.Marshal(rows) //nolint:errchkjson // strings
		c.printf("%s\n", text)
		return 0
	}
	for _, r := range rows {
		c.printf("%s %s %s %s %s\n", r.Unit, r.Load, r.Active, r.Sub, r.Description)
	}
	if !has(c.options, "no-legend") {
		c.printf("\n%d loaded units listed.\n", len(rows))
	}
	return 0
}

func (c *control) listJobs() int {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	n := 0
	for _, u := range c.boot.units {
		if u.user == c.user && c.boot.state(u, time.Now()).active == "activating" {
			n++
			c.printf("%d %s start running\n", 100+n, u.name)
		}
	}
	if n == 0 && !has(c.options, "no-legend") {
		c.printf("No jobs running.\n")
	}
	return 0
}

func (c *control) is(verb string, units []string) int {
	code := 3
	if verb == "is-failed" {
		code = 1
	}
	for _, u := range units {
		state := c.properties(u)["ActiveState"]
		if state == strings.TrimPrefix(verb, "is-") {
			code = 0
		}
		if !has(c.options, "q", "quiet") {
			c.printf("%s\n", state)
		}
	}
	return code
}

func (c *control) status(units []string) int {
	code := 0
	for _, u := range units {
		all := c.properties(u)
		if all["LoadState"] == "not-found" {
			_, _ = fmt.Fprintf(c.stderr, "Unit %s could not be found.\n", u)
			return 4
		}
		c.printf("* %s\n     Loaded: loaded\n     Active: %s (%s)\n", u, all["ActiveState"], all["SubState"])
		if all["ActiveState"] != "active" {
			code = 3
		}
	}
	return code
}

// change starts, restarts or stops units, and waits until they are there.
func (c *control) change(verb string, units []string) int {
	if c.process.user != "root" && c.user != c.process.user {
		_, _ = fmt.Fprintf(c.stderr, "Failed to %s %s: Interactive authentication required.\n", verb, strings.Join(units, " "))
		return 1
	}
	code := 0
	for _, name := range units {
		if ok, err := c.changeOne(verb, name); err != nil {
			_, _ = fmt.Fprintf(c.stderr, "Failed to %s %s: Unit %s not found.\n", verb, name, name)
			return 5
		} else if !ok {
			_, _ = fmt.Fprintf(c.stderr, "Job for %s failed because the control process exited with error code.\n"+
				"See \"systemctl status %s\" and \"journalctl -xeu %s\" for details.\n", name, name, name)
			code = 1
		}
	}
	if verb != "stop" && !has(c.options, "no-block") {
		pause(c.ctx, c.boot.start)
	}
	return code
}

func (c *control) changeOne(verb, name string) (bool, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	now := time.Now()
	u := c.boot.find(name, c.user)
	switch {
	case u == nil:
		return false, errNoUnit
	case verb == "stop":
		u.active, u.sub, u.result, u.startFor, u.loops = "inactive", "dead", "success", 0, false
		c.boot.log(u, now, 6, "systemd", "Stopped "+name+".")
		return true, nil
	case verb == "start" && c.boot.state(u, now).active == "active",
		verb == "try-restart" && c.boot.state(u, now).active != "active":
		return true, nil
	}
	if name == "sshd.service" {
		c.m.readHostKeys()
	}
	return c.boot.launch(u, now, c.boot.start), nil
}
