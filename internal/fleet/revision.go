package fleet

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// AtRevision is the fleet with every flake at a git revision, which Nix demands in
// full (40 hexadecimal digits; 64 in a SHA-256 repository). Store paths and flakes
// that name a revision already are refused, all of them in one error.
func (f *Fleet) AtRevision(revision string) (*Fleet, error) { return f.AtRef(revision, "") }

// AtRef is AtRevision of a commit that a ref (refs/heads/main) leads to: where Nix
// fetches by git, it looks for a commit in the default branch alone, unless it is told
// the ref.
func (f *Fleet) AtRef(revision, ref string) (*Fleet, error) {
	if !fullRevision().MatchString(revision) {
		return nil, fmt.Errorf("%q is not a full git revision: give all of its hexadecimal digits (git rev-parse %s)", revision, revision)
	}
	var fixed []string
	at := func(installable string) string {
		moved, ok := atRevision(installable, revision, ref)
		if !ok {
			fixed = append(fixed, installable)
		}
		return moved
	}
	out := *f
	out.Flake = at(f.Flake)
	out.Servers = maps.Clone(f.Servers)
	for _, name := range sortedKeys(out.Servers) {
		s := out.Servers[name]
		for _, installable := range []*string{&s.Image, &s.System, &s.VM} {
			if *installable != "" {
				*installable = at(*installable)
			}
		}
		out.Servers[name] = s
	}
	if len(fixed) > 0 {
		return nil, fmt.Errorf("revision %s cannot be taken of %s: that names its own", revision, quoteList(fixed))
	}
	return &out, nil
}

func fullRevision() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`) }

// atRevision puts the revision into an installable's flake as a parameter, which
// every kind of git flake takes: ".?rev=…#web".
func atRevision(installable, revision, ref string) (moved string, ok bool) {
	flake, attribute, _ := strings.Cut(installable, "#")
	if strings.HasPrefix(flake, "/nix/store/") || strings.Contains(flake, "rev=") {
		return installable, false
	}
	sign := "?"
	if strings.Contains(flake, "?") {
		sign = "&"
	}
	if ref != "" && strings.HasPrefix(flake, "git+") && !strings.HasPrefix(flake, "git+file:") {
		sign += "ref=" + ref + "&"
	}
	moved = flake + sign + "rev=" + revision
	if attribute != "" {
		moved += "#" + attribute
	}
	return moved, true
}
