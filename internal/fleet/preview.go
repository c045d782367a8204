package fleet

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Preview lets pull requests have droplets of their own. It stands once for the
// fleet and not at each server: what it bounds is what all of them cost together,
// and the servers' own keys say all that differs between them.
type Preview struct {
	// Size is the size of the droplets; default: s-1vcpu-1gb.
	Size string `yaml:"size" json:"size,omitempty"`
	// Region is where they are made; default: the Space's region.
	Region string `yaml:"region" json:"region,omitempty"`
	// TTL is how long a preview stays after its last update; default: 48h.
	TTL Duration `yaml:"ttl" json:"ttl,omitempty"`
	// Max is how many preview droplets the fleet has at most, of all pull requests
	// together; default: 3.
	Max int `yaml:"max" json:"max,omitempty"`
	// Label is the pull request's label that asks for a preview; default:
	// snowdrop:preview.
	Label string `yaml:"label" json:"label,omitempty"`
	// Servers are those that get one; default: all of the fleet.
	Servers []string `yaml:"servers" json:"servers,omitempty"`
	// Files gives previews the servers' files, secrets among them; default: false.
	Files bool `yaml:"files" json:"files,omitempty"`
	// SSHKeys are fingerprints of the account's SSH keys that the droplets let in;
	// default: all of the account.
	SSHKeys []string `yaml:"ssh-keys" json:"ssh-keys,omitempty"`
}

const (
	sizePattern        = `^[a-z0-9][a-z0-9._-]*$`
	fingerprintPattern = `^([0-9a-f]{2}:){15}[0-9a-f]{2}$`
	labelPattern       = `\S`
)

//nolint:gochecknoglobals // regexps cannot be constants
var (
	validSize        = regexp.MustCompile(sizePattern)
	validFingerprint = regexp.MustCompile(fingerprintPattern)
	validLabel       = regexp.MustCompile(labelPattern)
)

// complete gives values to what is not written; a zero that is written stays, to be
// refused.
func (p *Preview) complete(n *node, space Space) {
	if p.Size == "" {
		p.Size = "s-1vcpu-1gb"
	}
	if p.Region == "" && space.Endpoint == "" {
		p.Region = space.Region
	}
	if n.get("ttl") == nil {
		p.TTL = Duration(48 * time.Hour)
	}
	if n.get("max") == nil {
		p.Max = 3
	}
	if p.Label == "" {
		p.Label = "snowdrop:preview"
	}
}

// preview reports what is wrong with the previews.
func (s *source) preview(n *node, f *Fleet, servers *node) {
	if n == nil || n.bad || f.Preview == nil {
		return
	}
	p := f.Preview
	s.matches(n.get("size"), validSize, "write a size such as s-1vcpu-1gb")
	s.matches(n.get("region"), validRegion, "write a region such as nyc3")
	if n.get("region") == nil && f.Space.Endpoint != "" && !n.mistyped("region") {
		s.fault(n.head(), "write `region: nyc3`", "%s.region is missing: the Space's endpoint does not say where droplets are made", n.path)
	}
	s.positive(n.get("ttl"), p.TTL)
	s.atLeast(n.get("max"), p.Max, 1)
	s.matches(n.get("label"), validLabel, "leave it out for snowdrop:preview")
	if at := n.get("ssh-keys"); at != nil && !at.bad {
		for _, item := range at.items {
			s.matches(item, validFingerprint, "write the fingerprint that DigitalOcean shows, such as 3b:16:bf:…")
		}
	}
	if at := n.get("servers"); at != nil && !at.bad && servers != nil {
		for i, name := range p.Servers {
			if _, known := f.Servers[name]; !known && !at.item(i).bad {
				s.fault(at.item(i), didYouMean(name, sortedKeys(f.Servers)), "there is no server %q", name)
			}
		}
	}
	s.previewNames(n, p, f)
}

// previewNames reports servers whose droplets would have the same name: a droplet's
// name has no underscore.
func (s *source) previewNames(n *node, p *Preview, f *Fleet) {
	taken := map[string]string{}
	for _, name := range sortedKeys(f.Servers) {
		if len(p.Servers) > 0 && !slices.Contains(p.Servers, name) {
			continue
		}
		host := strings.ReplaceAll(name, "_", "-")
		if first, ok := taken[host]; ok {
			s.fault(n.head(), "name under `servers:` those that get a preview", "the previews of %q and %q would have one name", first, name)
		}
		taken[host] = name
	}
}

func (r *refiner) preview() {
	r.pattern("Preview", "size", sizePattern, "s-1vcpu-1gb", "s-2vcpu-2gb")
	r.preset("Preview", "size", "s-1vcpu-1gb")
	r.pattern("Preview", "region", regionPattern, "nyc3", "fra1", "ams3")
	r.preset("Preview", "ttl", "48h")
	r.number("Preview", "max", 1, -1, 3)
	r.pattern("Preview", "label", labelPattern)
	r.preset("Preview", "label", "snowdrop:preview")
	r.items("Preview", "servers", namePattern, "web")
	r.preset("Preview", "files", false)
	r.items("Preview", "ssh-keys", fingerprintPattern, "3b:16:bf:e4:8b:00:8b:b8:59:8c:a9:d3:f0:19:45:fa")
}
