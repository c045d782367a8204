package fleet

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DraftInput is what `snowdrop init` found in a flake and in an account.
type DraftInput struct {
	// Flake is the flake's reference; empty is ".".
	Flake string
	// Configurations are the names in nixosConfigurations.
	Configurations []string
	// Images are packages that look like disk images, such as
	// "packages.x86_64-linux.web-image".
	Images   []string
	Droplets []DraftDroplet
	// Bucket and Region are the Space's, where they are known.
	Bucket, Region string
}

// DraftDroplet is what matching looks at in a droplet.
type DraftDroplet struct {
	Name string
	Tags []string
	// Region is its slug; Image is the name of the image that it was made from.
	Region, Image string
}

// Match says in Why what was put together and for which reason, or what was left
// over: Server is empty then.
type Match struct {
	Server      string
	Installable string
	Droplets    []string
	Tag         string
	Why         string
}

// String is the explanation.
func (m Match) String() string { return m.Why }

// Draft writes a commented fleet file that Parse accepts, from what there is:
// images and configurations find their droplets by name, by numbered names
// (web-1), by tag, or by the image that the droplet was made from. Servers
// without a droplet stand in it as comments; where no droplet matches at all,
// they are written out, to be filled in.
func Draft(in DraftInput) (yaml []byte, matches []Match) {
	in.Flake, _, _ = strings.Cut(in.Flake, "#")
	in.Flake = cmp.Or(strings.TrimSpace(in.Flake), ".")
	drafts, left := candidates(in)
	claims := claim(drafts, in.Droplets)
	for _, d := range drafts {
		matches = append(matches, d.match(in.Flake))
	}
	slices.SortStableFunc(matches, func(a, b Match) int {
		// What has no server comes behind what has one.
		return cmp.Compare(min(len(b.Server), 1), min(len(a.Server), 1))
	})
	return writeDraft(in, drafts), append(append(matches, left...), claims...)
}

// draft is a server that may become one of the file.
type draft struct {
	name          string
	configuration string // in nixosConfigurations, or empty
	image         string // the package, or empty
	droplets      []string
	tag           string
	reasons       []string
}

// candidates are the servers that a flake could have, and the images that no
// droplet can run.
func candidates(in DraftInput) (drafts []*draft, left []Match) {
	taken := map[string]bool{}
	add := func(d draft) {
		base := d.name
		for i := 2; taken[d.name]; i++ {
			d.name = fmt.Sprintf("%s-%d", base, i)
		}
		taken[d.name] = true
		drafts = append(drafts, &d)
	}
	for _, name := range unique(in.Configurations) {
		add(draft{name: serverName(name), configuration: name})
	}
	for _, image := range unique(in.Images) {
		system, name := splitPackage(image)
		if system != "" && system != "x86_64-linux" {
			left = append(left, Match{
				Installable: in.Flake + "#" + image,
				Why:         fmt.Sprintf("%s is left out: droplets are x86_64-linux", image),
			})
			continue
		}
		base := serverName(imageBase(name))
		if base == "image" && len(in.Configurations) == 1 {
			base = serverName(in.Configurations[0])
		}
		i := slices.IndexFunc(drafts, func(d *draft) bool { return d.image == "" && flatten(d.name) == flatten(base) })
		if i < 0 {
			add(draft{name: base, image: image})
			continue
		}
		drafts[i].image = image
	}
	slices.SortFunc(drafts, func(a, b *draft) int { return cmp.Compare(a.name, b.name) })
	return drafts, left
}

// unique is the list sorted, without empty and equal items.
func unique(list []string) []string {
	sorted := slices.Sorted(slices.Values(list))
	return slices.DeleteFunc(slices.Compact(sorted), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// splitPackage splits packages.SYSTEM.NAME.
func splitPackage(attribute string) (system, name string) {
	parts := strings.SplitN(attribute, ".", 3)
	if len(parts) == 3 && parts[0] == "packages" {
		return parts[1], strings.Trim(parts[2], `"`)
	}
	return "", attribute
}

// imageBase is "web" of "web-image", "web_digitalocean_image" and "image-web".
func imageBase(name string) string {
	affix := regexp.MustCompile(`(?i)([-_]?(image|img|digital-?ocean))+$|^((image|img|digital-?ocean)[-_])+`)
	if base := affix.ReplaceAllString(name, ""); base != "" {
		return base
	}
	return "image"
}

// serverName makes a server's name of any word.
func serverName(word string) string {
	name := regexp.MustCompile(`[^a-z0-9_-]+`).ReplaceAllString(strings.ToLower(word), "-")
	return cmp.Or(strings.Trim(name, "-_"), "server")
}
