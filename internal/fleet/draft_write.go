package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// writeDraft writes the file.
func writeDraft(in DraftInput, drafts []*draft) []byte {
	var b strings.Builder
	b.WriteString("# yaml-language-server: $schema=" + schemaID + "\n")
	b.WriteString("# What runs where. `snowdrop deploy --dry-run` says what a deploy would do.\n")
	fmt.Fprintf(&b, "flake: %s\n\n", scalar(in.Flake))
	writeSpace(&b, in)
	b.WriteString(`
# Every server key may stand here, for all servers.
defaults:
  keep: 3                  # how many custom images of a server stay
  rollout:
    batch: 1               # droplets at a time: a number or a percentage
    on-failure: stop       # or rollback, to the image before

servers:
`)
	matched := slices.ContainsFunc(drafts, func(d *draft) bool { return len(d.droplets) > 0 })
	if len(drafts) == 0 {
		b.WriteString("  # Neither nixosConfigurations nor an image was found in the flake: CHANGE this one.\n")
		drafts = []*draft{{name: "web", configuration: "web"}}
	}
	for i, d := range drafts {
		if i > 0 {
			b.WriteString("\n")
		}
		d.write(&b, in.Flake, matched && len(d.droplets) == 0)
	}
	b.WriteString(`
# When servers are deployed without being asked; name one as a server's ` + "`cycle:`" + `.
cycles:
  nightly: {cron: "0 3 * * *"}
`)
	return []byte(b.String())
}

func writeSpace(b *strings.Builder, in DraftInput) {
	b.WriteString("# Images pass through this Space on their way, and the records live in it.\nspace:\n")
	if validBucket.MatchString(in.Bucket) {
		fmt.Fprintf(b, "  bucket: %s\n", scalar(in.Bucket))
	} else {
		b.WriteString("  bucket: my-nixos-images   # CHANGE: the name of your Space\n")
	}
	region, why := in.region()
	fmt.Fprintf(b, "  region: %s%s\n", scalar(region), why)
}

// region is where the Space is, or the region of most droplets if it has Spaces.
func (in DraftInput) region() (region, comment string) {
	if validRegion.MatchString(in.Region) {
		return in.Region, ""
	}
	spaces := []string{
		"ams3", "atl1", "blr1", "fra1", "lon1", "nyc3", "ric1", "sfo2", "sfo3", "sgp1", "syd1", "tor1",
	}
	counts := map[string]int{}
	for _, d := range in.Droplets {
		if slices.Contains(spaces, d.Region) {
			counts[d.Region]++
		}
	}
	best := ""
	for _, r := range slices.Sorted(maps.Keys(counts)) {
		if best == "" || counts[r] > counts[best] {
			best = r
		}
	}
	if best != "" {
		return best, "              # CHANGE if the Space is elsewhere: most droplets are there"
	}
	return "nyc3", "              # CHANGE: where the Space is"
}

// write writes one server, as a comment where it has no droplet yet.
func (s *draft) write(b *strings.Builder, flake string, comment bool) {
	lines := []string{"  " + scalar(s.name) + ":"}
	isDefault := s.image == "" && s.configuration == s.name
	if isDefault {
		lines = append(lines, "    # image: "+oneLine(s.installable(flake)))
	} else {
		lines = append(lines, "    image: "+scalar(s.installable(flake)))
	}
	switch {
	case isDefault:
	case s.configuration != "":
		lines = append(lines, "    system: "+scalar(flake+"#"+s.attribute("toplevel")))
	default:
		lines = append(lines,
			"    # system: the toplevel's installable; with it a deploy proves that this very system runs")
	}
	lines = append(lines, s.dropletLine(), "    verify:", "      units: [sshd.service]   # add the units that the server is for")
	if comment {
		b.WriteString("  # No droplet was found for this one.\n")
	}
	for _, line := range lines {
		if comment {
			line = "  # " + strings.TrimPrefix(line, "  ")
		}
		b.WriteString(line + "\n")
	}
}

func (s *draft) dropletLine() string {
	switch {
	case s.tag != "":
		return fmt.Sprintf("    droplets: {tag: %s}   # now %s", scalar(s.tag), oneLine(strings.Join(s.droplets, ", ")))
	case len(s.droplets) > 0:
		names := make([]string, len(s.droplets))
		for i, name := range s.droplets {
			names[i] = scalar(name)
		}
		return "    droplets: {names: [" + strings.Join(names, ", ") + "]}   # found " + oneLine(strings.Join(s.reasons, " and "))
	default:
		return "    # droplets: {names: [" + plain(s.name) + "-1]}   # or {tag: " + plain(s.name) + "}; default: the server's name"
	}
}

// installable is the image's.
func (s *draft) installable(flake string) string {
	if s.image == "" {
		return flake + "#" + s.attribute("digitalOceanImage")
	}
	if system, name := splitPackage(s.image); system != "" {
		return flake + "#packages." + system + "." + attributeName(name)
	}
	if regexp.MustCompile(`^[A-Za-z0-9_.'-]+$`).MatchString(s.image) {
		return flake + "#" + s.image
	}
	return flake + "#" + attributeName(s.image)
}

// attribute is an output of the configuration's build.
func (s *draft) attribute(output string) string {
	return "nixosConfigurations." + attributeName(s.configuration) + ".config.system.build." + output
}

// attributeName quotes what Nix would not read as one name.
func attributeName(name string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_'-]*$`).MatchString(name) {
		return name
	}
	quoted, _ := json.Marshal(name) //nolint:errchkjson // a string can always be written
	return string(quoted)
}

// scalar writes a string so that YAML reads it as that string.
func scalar(s string) string {
	word := regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_./:+-]*|\.)(#[A-Za-z0-9_./-]+)?$`)
	reserved := []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
	if word.MatchString(s) && !strings.HasSuffix(s, ":") && !slices.Contains(reserved, strings.ToLower(s)) {
		return s
	}
	quoted, _ := json.Marshal(s) //nolint:errchkjson // a string can always be written
	return cmp.Or(string(quoted), `""`)
}

// oneLine keeps a foreign text from ending the comment that it stands in.
func oneLine(text string) string { return strings.Join(strings.Fields(printable(text)), " ") }
