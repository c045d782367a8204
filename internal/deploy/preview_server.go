package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
)

// PreviewServers are the servers that a pull request has of the fleet's, sorted by
// name: under these names they are told. The error says what is wrong with the request.
func PreviewServers(f *fleet.Fleet, req PreviewRequest) ([]fleet.Server, error) {
	servers, _, err := previewServers(f, req)
	return servers, err
}

// previewServers are those servers, and the URLs of the checks that they do without.
func previewServers(f *fleet.Fleet, req PreviewRequest) (servers []fleet.Server, beside []string, err error) {
	if f.Preview == nil {
		return nil, nil, errNoPreviews
	}
	if req.Pull <= 0 {
		return nil, nil, fmt.Errorf("%d is not the number of a pull request", req.Pull)
	}
	for name := range f.Servers {
		if strings.HasPrefix(name, previewPrefix) {
			return nil, nil, fmt.Errorf("server %s has a name that belongs to a preview: give it one that does not begin with %s", name, previewPrefix)
		}
	}
	names := req.Servers
	if allowed := f.Preview.Servers; len(allowed) > 0 {
		for _, name := range names {
			if !slices.Contains(allowed, name) {
				return nil, nil, fmt.Errorf("server %s gets no previews: the fleet file names under preview.servers %s", name, list(allowed))
			}
		}
		if len(names) == 0 {
			names = allowed
		}
	}
	chosen, err := f.Select(names, "")
	if err != nil {
		return nil, nil, fmt.Errorf("choose servers: %w", err)
	}
	if chosen, err = withImages(chosen, names); err != nil {
		return nil, nil, err
	}
	for _, s := range chosen {
		one, left := previewServer(s, *f.Preview, req.Pull)
		servers, beside = append(servers, one), append(beside, left...)
	}
	return servers, beside, nil
}

// previewServer is the server that a pull request has of a real one, and the URLs of
// checks that are left out.
func previewServer(s fleet.Server, limits fleet.Preview, pull int) (fleet.Server, []string) {
	s.Name = previewName(pull, s.Name)
	s.Droplets = fleet.Droplets{Names: []string{s.Name}}
	s.Keep, s.Cycle, s.URL = 1, "", ""
	// Its droplet is new: no key that was pinned for the real one can be its own.
	s.SSH.HostKeyPolicy, s.SSH.HostKeys, s.SSH.CertificateAuthorities = fleet.Rotate, nil, nil
	if !limits.Files {
		s.Files = nil
	}
	s.Rollout.Batch, s.Rollout.OnFailure, s.Rollout.MaxFailures = fleet.Batch{Count: 1}, fleet.Stop, 0
	var asked []fleet.HTTPCheck
	var beside []string
	for _, check := range s.Verify.HTTP {
		if strings.Contains(check.URL, "{{") {
			asked = append(asked, check)
		} else {
			beside = append(beside, check.URL)
		}
	}
	s.Verify.HTTP = asked
	return s, beside
}

// PreviewPull is the number of the pull request whose preview a server of a Result is;
// 0 if it is none.
func PreviewPull(server string) int {
	digits, _, _ := strings.Cut(strings.TrimPrefix(server, previewPrefix), "-")
	pull, err := strconv.Atoi(digits)
	if err != nil || !strings.HasPrefix(server, previewPrefix) {
		return 0
	}
	return pull
}

// previewName is the name of the server and of the droplet; an underscore is none of
// a host's name.
func previewName(pull int, server string) string {
	return previewPrefix + strconv.Itoa(pull) + "-" + strings.ReplaceAll(server, "_", "-")
}

// previewTags are the tags that a droplet must have to be taken for the preview of a
// pull request: pull requests of two repositories have the same numbers, so the
// fleet's Space tells whose it is.
func previewTags(s fleet.Space, pull int) []string {
	return []string{previewTag + strconv.Itoa(pull), fleetTag(s)}
}

// pullOf is the pull request whose preview a droplet is, 0 if it is none of the
// fleet's.
func pullOf(s fleet.Space, d ocean.Droplet) int {
	if !d.Carries(fleetTag(s)) {
		return 0
	}
	for _, tag := range d.Tags {
		if digits, ok := strings.CutPrefix(tag, previewTag); ok {
			if pull, err := strconv.Atoi(digits); err == nil && pull > 0 {
				return pull
			}
		}
	}
	return 0
}

// ours are the fleet's preview droplets, of all pull requests, the oldest first.
func ours(s fleet.Space, droplets []ocean.Droplet) []ocean.Droplet {
	mine := slices.DeleteFunc(slices.Clone(droplets), func(d ocean.Droplet) bool { return pullOf(s, d) == 0 })
	slices.SortFunc(mine, func(a, b ocean.Droplet) int { return a.ID - b.ID })
	return mine
}
