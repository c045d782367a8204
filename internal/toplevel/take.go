package toplevel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Take reads a system from the store on this machine. root is where the store lies if
// it does not lie at its own path (nix --store ROOT), else empty. It errors if the
// toplevel is not there; a part that cannot be read is named in Unknown. Links are
// followed within the store only.
func Take(root, toplevel string) (Snapshot, error) {
	st, err := openStore(root, toplevel)
	if err != nil {
		return Snapshot{}, fmt.Errorf("look at the system %s: %w", toplevel, err)
	}
	defer st.close()
	t := taker{store: st, top: path.Base(toplevel), marks: map[string]string{}, paths: storePaths(st.dir)}
	_, info, err := st.resolve(t.top)
	if err != nil {
		return Snapshot{}, fmt.Errorf("look at the system %s: it is not in the store; build it first: %w", toplevel, errors.Join(err, fs.ErrNotExist))
	}
	t.out = Snapshot{Format: format, Toplevel: toplevel, Components: map[string]string{}}
	if !info.IsDir() { // as those of examples/lab
		t.unknown("units, ports and users are not known: the system is a file, and one of NixOS is a folder")
		return t.out, nil
	}
	t.units("system", "")
	t.units("user", " (user)")
	t.components()
	t.firewall()
	t.users()
	slices.Sort(t.out.Unknown)
	t.out.Unknown = slices.Compact(t.out.Unknown)
	return t.out, nil
}

// taker fills a snapshot.
type taker struct {
	store *store
	top   string // the toplevel's name in the store
	out   Snapshot
	paths *regexp.Regexp
	// marks are those of files that units name, by the files' names.
	marks map[string]string
	// full is set when no more may be read.
	full bool
}

func (t *taker) unknown(format string, args ...any) {
	t.out.Unknown = append(t.out.Unknown, fmt.Sprintf(format, args...))
}

func (t *taker) components() {
	if text, err := t.store.text(t.top+"/nixos-version", maxFile); err == nil {
		// A label of one word in all that NixOS makes (system.nixos.label).
		word, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		t.component("nixos", cut(word, 0))
	}
	for _, name := range []string{"kernel", "initrd", "systemd"} {
		t.component(name, versionOf(t.store.link(t.top+"/"+name)))
	}
	t.component("openssh", t.openssh())
	text, err := t.store.text(t.top+"/kernel-params", maxFile)
	if err != nil {
		return // A system without a kernel of its own, as in a container, has none.
	}
	for _, param := range strings.Fields(text) {
		t.out.KernelParams = append(t.out.KernelParams, t.short(maskedWords(param), ""))
	}
}

func (t *taker) component(name, version string) {
	if version != "" {
		t.out.Components[name] = version
	}
}

// openssh is the version of the server that runs, which sshd.service names, or else
// that of the client, which is from the same package.
func (t *taker) openssh() string {
	for _, unit := range []string{"sshd.service", "sshd@.service"} {
		for _, m := range shortPath.FindAllStringSubmatch(t.out.Units[unit].Text, -1) {
			if name, version := split(m[2]); name == "openssh" {
				return version
			}
		}
	}
	if name, version := split(t.store.link(t.top + "/sw/bin/ssh")); name == "openssh" {
		return version
	}
	return ""
}
