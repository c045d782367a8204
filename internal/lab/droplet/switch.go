package droplet

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/lab/disk"
)

// specFile lies in a system and says what it does; NixOS has no such file.
const specFile = "lab.json"

const systemProfile = "/nix/var/nix/profiles/system"

// Store puts a system into the machine's store, as nix copy does.
func (m *Machine) Store(spec disk.Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boot == nil {
		return fmt.Errorf("droplet %s is off", m.cfg.Name)
	}
	return storeSystem(view{m.fs, "root"}, spec)
}

func storeSystem(root view, spec disk.Spec) error {
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("write the system: %w", err)
	}
	root.put(path.Join(spec.System, specFile), string(text), 0o444)
	root.put(path.Join(spec.System, "nixos-version"), spec.System[strings.LastIndex(spec.System, "-")+1:], 0o444)
	root.put(path.Join(spec.System, "bin/switch-to-configuration"), "", 0o555)
	return root.mkdirAll(path.Join(spec.System, "sw/bin"), 0o555)
}

// switchToConfiguration is the program of a system that activates it.
func (p *process) switchToConfiguration() int {
	system := path.Dir(path.Dir(p.abs(p.path)))
	data, err := p.fs.readFile(path.Join(system, specFile))
	if err != nil {
		p.fail(err)
		return 127
	}
	var spec disk.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return p.fail(err)
	}
	if p.user != "root" {
		return p.fail(errors.New("must be root"))
	}
	switch verb := strings.Join(p.args, " "); verb {
	case "boot":
		p.m.bootsNext(spec)
	case "switch":
		p.m.bootsNext(spec)
		return p.activate(spec)
	case "test":
		return p.activate(spec)
	case "dry-activate":
		_, _ = fmt.Fprintf(p.stderr, "would restart the following units: %s\n", list(spec))
	default:
		_, _ = fmt.Fprintf(p.stderr, "Usage: switch-to-configuration [switch|boot|test|dry-activate], not %q\n", verb)
		return 1
	}
	return 0
}

func list(spec disk.Spec) string {
	var names []string
	for name := range spec.Units {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// bootsNext makes a system the one that the machine starts the next time.
func (m *Machine) bootsNext(spec disk.Spec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spec = &spec
}

// activation is how long the program takes at least: long enough for a connection
// that started it to hear so.
const activation = 50 * time.Millisecond

// activate lets the units of a system run in the boot that is. It exits with 4 where
// units fail, as NixOS's program does.
func (p *process) activate(spec disk.Spec) int {
	m := p.m
	pause(p.ctx, max(p.boot.start, activation))
	_, _ = fmt.Fprintf(p.stderr, "activating the configuration...\nrestarting the following units: %s\n", list(spec))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boot == nil || m.boot.id != p.boot.id {
		return 1
	}
	now := time.Now()
	next := &boot{id: m.boot.id, at: now, spec: spec}
	next.manager = newManager(next, Timings{Restart: m.boot.restart}, view{m.fs, "root"})
	next.at, next.start, next.journal = m.boot.at, m.boot.start, append(slices.Clone(m.boot.journal), next.journal...)
	if err := p.fs.symlink(spec.System, "/run/current-system", true); err != nil {
		return p.fail(err)
	}
	m.boot = next
	m.logf("activates %s (%s)", spec.System, or(spec.Boot, disk.BootOK))
	if spec.Boot == disk.BootNever {
		m.server.Disconnect()
	}
	var failed []string
	for _, u := range next.units {
		if u.user == "" && next.state(u, now).active == "failed" {
			failed = append(failed, u.name)
		}
	}
	if len(failed) > 0 {
		_, _ = fmt.Fprintf(p.stderr, "warning: the following units failed: %s\n", strings.Join(failed, ", "))
		return 4
	}
	return 0
}

// nixEnv sets a profile, goes back in it, and forgets generations.
func (p *process) nixEnv() int {
	options, operands := p.flags("p", "profile", "set", "switch-generation", "delete-generations")
	profile := or(last(options, "p", "profile"), systemProfile)
	if p.user != "root" {
		return p.fail(errors.New("opening lock file: Permission denied"))
	}
	generation := func(n string) string { return profile + "-" + n + "-link" }
	switch {
	case has(options, "set"):
		system := or(last(options, "set"), append(operands, "")[0])
		n := 1
		for {
			if _, err := p.fs.stat(generation(strconv.Itoa(n)), false); err != nil {
				break
			}
			n++
		}
		link := generation(strconv.Itoa(n))
		if err := errors.Join(p.fs.symlink(system, link, true), p.fs.symlink(path.Base(link), profile, true)); err != nil {
			return p.fail(err)
		}
	case has(options, "switch-generation"):
		if err := p.fs.symlink(path.Base(generation(last(options, "switch-generation"))), profile, true); err != nil {
			return p.fail(err)
		}
	case has(options, "delete-generations"):
		_ = p.fs.remove(generation(last(options, "delete-generations")), false)
	}
	return 0
}

// noNix stands for the programs of nix that a simulated droplet lacks: its store is
// filled by the lab.
func (p *process) noNix() int {
	p.errf("this droplet is simulated and has no nix: `snowdrop lab --real` takes machines that may have it")
	return 127
}
