package fleet

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// FlakeSource is where a flake's git repository is.
type FlakeSource struct {
	// Path is a folder in a clone on this machine; empty for a repository elsewhere.
	Path string
	// Address is what git clones a repository elsewhere from.
	Address string
	// Dir is the flake's folder below Path, or below the repository's top.
	Dir string
}

// FlakeSource finds out where the git repository of `flake:` is, whose branches and
// tags a cycle's `ref:` means. The error says how to write a flake that has one.
func (f *Fleet) FlakeSource() (FlakeSource, error) {
	reference, query, _ := strings.Cut(f.Flake, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return FlakeSource{}, fmt.Errorf("read the parameters of the flake %s: %w", f.Flake, err)
	}
	if parameters.Has("ref") || parameters.Has("rev") {
		return FlakeSource{}, fmt.Errorf("the flake %s names its own revision: leave `ref=` and `rev=` out of `flake:`, the cycle's `ref:` says what to take", f.Flake)
	}
	source := FlakeSource{Dir: parameters.Get("dir")}
	kind, rest, remote := strings.Cut(reference, ":")
	switch {
	case strings.HasPrefix(reference, "/nix/store/"):
	case reference == "", strings.HasPrefix(reference, "."), strings.HasPrefix(reference, "/"):
		source.Path = reference
	case kind == "git+file":
		source.Path = "/" + strings.TrimLeft(rest, "/")
	case strings.HasPrefix(kind, "git+"):
		source.Address = strings.TrimPrefix(reference, "git+")
	case remote:
		if source.Address, err = hosted(kind, rest, parameters.Get("host")); err != nil {
			return FlakeSource{}, fmt.Errorf("the flake %s: %w", f.Flake, err)
		}
	}
	switch {
	case source.Address != "":
		return source, nil
	case source.Path == "" && reference != "":
		return FlakeSource{}, fmt.Errorf("the flake %s has no git repository that is known: write a path in a clone, or github:OWNER/NAME, or git+https://…", f.Flake)
	case !filepath.IsAbs(source.Path):
		source.Path = filepath.Join(filepath.Dir(f.Path), filepath.FromSlash(source.Path))
	}
	return source, nil
}

// hosted is the address of a repository that Nix has a short form for.
func hosted(kind, path, host string) (string, error) {
	hosts := map[string]string{"github": "github.com", "gitlab": "gitlab.com", "sourcehut": "git.sr.ht"}
	standard, ok := hosts[kind]
	switch {
	case !ok:
		return "", fmt.Errorf("it has no git repository that is known: write a path in a clone, or github:OWNER/NAME, or git+https://…")
	case strings.Count(path, "/") != 1:
		return "", fmt.Errorf("write %s:OWNER/NAME alone, the cycle's `ref:` says what to take", kind)
	case host == "":
		host = standard
	}
	// GitLab's groups within groups are written with %2F.
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return "https://" + host + "/" + plain, nil
}

// OwnFlake reports a server whose installables are of another flake than `flake:`, so
// that a revision of that is none of theirs.
func (f *Fleet) OwnFlake(s Server) error {
	for _, installable := range []string{s.Image, s.System, s.VM} {
		flake, _, _ := strings.Cut(installable, "#")
		if installable != "" && flake != f.Flake && !(local(flake) && local(f.Flake)) {
			return fmt.Errorf("server %s: %s is not of the flake %s, whose `ref:` its cycle %s takes: give it a cycle without `ref:`", s.Name, installable, f.Flake, s.Cycle)
		}
	}
	return nil
}

// local says whether a reference is the fleet file's own folder.
func local(flake string) bool { return flake == "" || flake == "." || flake == "./" || flake == "./." }
