package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/versatus/snowdrop/internal/deploy"
)

// origin is the flake as another machine fetches it: the one that was given, the
// fleet's own where that is not a folder, or the folder's git origin.
func (s *session) origin(ctx context.Context, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	flake := s.fleet.Flake
	dir, _, _ := strings.Cut(flake, "?")
	if !isFolder(dir) {
		return flake, nil
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(s.fleet.Path), dir)
	}
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output() //nolint:gosec // our own arguments
		return strings.TrimSpace(string(out)), err                                                    //nolint:wrapcheck // wrapped below
	}
	remote, err := git("remote", "get-url", "origin")
	if err != nil || remote == "" {
		return "", deploy.UsageError{Err: fmt.Errorf("--on-server: %s has no git origin that a machine could fetch (git remote get-url origin): "+
			"name the flake with --flake, such as github:acme/infra", dir)}
	}
	ref, err := flakeRef(remote)
	if err != nil {
		return "", deploy.UsageError{Err: fmt.Errorf("--on-server: %w", err)}
	}
	if below, err := git("rev-parse", "--show-prefix"); err == nil && below != "" {
		ref += "?dir=" + strings.TrimSuffix(below, "/")
	}
	return ref, nil
}

// isFolder says whether a flake is a folder here.
func isFolder(flake string) bool {
	return flake == "" || strings.HasPrefix(flake, ".") || strings.HasPrefix(flake, "/")
}

// flakeRef writes a git remote's address as nix does.
func flakeRef(remote string) (string, error) {
	scheme, _, found := strings.Cut(remote, "://")
	if !found {
		host, path, scp := strings.Cut(remote, ":")
		if !scp || strings.Contains(host, "/") {
			return "", errors.New("the git origin " + remote + " is a folder of this machine: name the flake as the servers fetch it, with --flake")
		}
		return "git+ssh://" + host + "/" + strings.TrimPrefix(path, "/"), nil
	}
	switch scheme {
	case "https", "http", "ssh":
		return "git+" + remote, nil
	case "git":
		return remote, nil
	default:
		return "", errors.New("the git origin " + remote + " is not one that the servers can fetch: name the flake with --flake")
	}
}
