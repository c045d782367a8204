package toplevel

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// usersFile is the list of users that NixOS's activation is given
// (nixpkgs' nixos/modules/config/users-groups.nix), or userborn's
// (nixos/modules/services/system/userborn.nix). Both have hashes of passwords beside
// the names; only the names are taken.
var usersFile = regexp.MustCompile(`[0-9a-df-np-sv-z]{32}-(?:users-groups|userborn)\.json`)

// users finds the users. There are four ways to make them, by the age of nixpkgs and
// the choice of the configuration.
func (t *taker) users() {
	if names, ok := t.usersOfJSON(); ok {
		t.out.Users = names
		return
	}
	if text, err := t.store.text(t.top+"/etc/sysusers.d/00-nixos.conf", maxFile); err == nil {
		t.out.Users = sorted(sysusers(text))
		return
	}
	// Where users cannot change, userborn may have made the file when it was built.
	if text, err := t.store.text(t.top+"/etc/passwd", maxFile); err == nil {
		t.out.Users = sorted(passwd(text))
		return
	}
	t.unknown("users are not known: the system has none of the lists that NixOS makes (users-groups.json, userborn.json, sysusers.d, passwd)")
}

// usersOfJSON looks where the list is named: in the script that activates the system,
// and in userborn's unit.
func (t *taker) usersOfJSON() ([]string, bool) {
	for _, at := range []string{"/activate", "/etc/systemd/system/userborn.service"} {
		text, err := t.store.text(t.top+at, maxFile)
		if err != nil {
			continue
		}
		file := usersFile.FindString(text)
		if file == "" {
			continue
		}
		list, err := t.store.text(file, maxFile)
		if err != nil {
			continue
		}
		var spec struct {
			Users []struct {
				Name string `json:"name"`
			} `json:"users"`
		}
		if json.Unmarshal([]byte(list), &spec) != nil {
			continue
		}
		var names []string
		for _, u := range spec.Users {
			names = append(names, u.Name)
		}
		return sorted(names), true
	}
	return nil, false
}

// sysusers are the users of a sysusers.d(5) file.
func sysusers(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 1 && strings.HasPrefix(f[0], "u") {
			names = append(names, f[1])
		}
	}
	return names
}

func passwd(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, name)
		}
	}
	return names
}

// sorted are names in order, each once; never nil, which would mean that they are not
// known.
func sorted(names []string) []string {
	slices.Sort(names)
	return append([]string{}, slices.Compact(names)...)
}
