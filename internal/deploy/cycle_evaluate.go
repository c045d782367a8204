package deploy

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/git"
)

// evaluates says whether a commit that is not pushed yet evaluates, for all servers of
// the cycle: others pull the branch that it goes to.
func (u updating) evaluates(ctx context.Context, repo *git.Repository, commit string, ref git.Ref) error {
	servers, err := u.Fleet.Select(nil, u.cycle)
	if err != nil {
		return fmt.Errorf("choose servers: %w", err)
	}
	flake, err := u.unpushed(repo)
	if err != nil {
		return err
	}
	asked := *u.Fleet
	asked.Flake, asked.Servers = flake, map[string]fleet.Server{}
	for _, s := range servers {
		if u.Fleet.OwnFlake(s) != nil {
			continue // of another flake, which no commit here changes
		}
		for _, installable := range []*string{&s.Image, &s.System, &s.VM} {
			if _, attribute, ok := strings.Cut(*installable, "#"); ok {
				*installable = flake + "#" + attribute
			}
		}
		asked.Servers[s.Name] = s
	}
	at, err := asked.AtRef(commit, ref.Full)
	if err != nil {
		return fmt.Errorf("take the updated flake: %w", err)
	}
	var installables []string
	for _, s := range servers {
		for _, installable := range []string{at.Servers[s.Name].Image, at.Servers[s.Name].System} {
			if installable != "" {
				installables = append(installables, installable)
			}
		}
	}
	u.tell.Phase("evaluating %s with the update", plural(len(at.Servers), "server"))
	_, err = u.Nix.Evaluate(ctx, installables)
	return err //nolint:wrapcheck // it names the installables
}

// unpushed is the flake as it is reached where a commit lies that is on no branch yet:
// in the clone that it was made in.
func (u updating) unpushed(repo *git.Repository) (string, error) {
	if u.place.repo != nil {
		return u.Fleet.Flake, nil
	}
	_, query, _ := strings.Cut(u.Fleet.Flake, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("read the parameters of the flake %s: %w", u.Fleet.Flake, err)
	}
	parameters.Del("host")
	parameters.Set("shallow", "1")
	clone := url.URL{Scheme: "git+file", Path: filepath.ToSlash(repo.Root), RawQuery: parameters.Encode()}
	return clone.String(), nil
}
