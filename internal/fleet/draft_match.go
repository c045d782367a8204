package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rule is a reason to believe that a droplet runs a server.
type rule struct {
	fits func(server string, d DraftDroplet) bool
	// because is the reason, said of droplets.
	because string
	byTag   bool
}

// rules are in the order of their weight: a droplet goes with the first one that
// fits any server.
func rules() []rule {
	return []rule{
		{fits: func(server string, d DraftDroplet) bool {
			return plain(d.Name) == server || label(d.Name) == server
		}, because: "by its name"},
		{fits: func(server string, d DraftDroplet) bool {
			return numbered(server, plain(d.Name)) || numbered(server, label(d.Name))
		}, because: "by numbered names"},
		{fits: func(server string, d DraftDroplet) bool {
			return slices.ContainsFunc(d.Tags, func(tag string) bool { return plain(tag) == server })
		}, because: "by the tag", byTag: true},
		{fits: func(server string, d DraftDroplet) bool {
			return strings.Contains("-"+words(d.Image)+"-", "-"+server+"-")
		}, because: "by the image that it was made from"},
	}
}

// claim gives each droplet to at most one server, and explains those that went
// to none.
func claim(drafts []*draft, droplets []DraftDroplet) (left []Match) {
	droplets = slices.Clone(droplets)
	slices.SortStableFunc(droplets, func(a, b DraftDroplet) int { return natural(a.Name, b.Name) })
	// DigitalOcean allows several droplets of one name; a fleet file cannot tell
	// them apart, so the first one stands for all.
	droplets = slices.CompactFunc(droplets, func(a, b DraftDroplet) bool { return a.Name == b.Name })
	// The longest name first: web-api is no web.
	longest := slices.Clone(drafts)
	slices.SortStableFunc(longest, func(a, b *draft) int { return len(b.name) - len(a.name) })

	byTag := map[*draft]string{}
	others := map[*draft]bool{}
	done := make([]bool, len(droplets))
	for _, r := range rules() {
		for i, d := range droplets {
			if done[i] || !validDroplet.MatchString(d.Name) {
				continue
			}
			for _, s := range longest {
				if !r.fits(plain(s.name), d) {
					continue
				}
				done[i] = true
				s.take(d, r)
				if r.byTag {
					byTag[s] = tagOf(s, d)
				} else {
					others[s] = true
				}
				break
			}
		}
	}
	for s, tag := range byTag {
		if !others[s] && validTag.MatchString(tag) && slices.Equal(s.droplets, tagged(droplets, tag)) {
			s.tag = tag
		}
	}
	for i, d := range droplets {
		if !done[i] {
			left = append(left, Match{Droplets: []string{d.Name}, Why: fmt.Sprintf(
				"droplet %s is left alone: neither its name, nor a tag, nor its image names a server of the flake", d.Name)})
		}
	}
	return left
}

// take notes a droplet and the reason.
func (s *draft) take(d DraftDroplet, r rule) {
	if !slices.Contains(s.droplets, d.Name) {
		s.droplets = append(s.droplets, d.Name)
		slices.SortStableFunc(s.droplets, natural)
	}
	because := r.because
	switch {
	case r.byTag:
		because += " " + tagOf(s, d)
	case d.Image != "" && r.because == "by the image that it was made from":
		because += ", " + d.Image
	}
	if !slices.Contains(s.reasons, because) {
		s.reasons = append(s.reasons, because)
	}
}

// tagOf is the droplet's tag that names the server, as it is written.
func tagOf(s *draft, d DraftDroplet) string {
	for _, tag := range d.Tags {
		if plain(tag) == plain(s.name) {
			return tag
		}
	}
	return ""
}

// tagged are the names of all droplets with a tag, which are those that a
// server with that tag would run on.
func tagged(droplets []DraftDroplet, tag string) []string {
	var names []string
	for _, d := range droplets {
		if slices.Contains(d.Tags, tag) {
			names = append(names, d.Name)
		}
	}
	return names
}

// match puts the server into words.
func (s *draft) match(flake string) Match {
	m := Match{Server: s.name, Installable: s.installable(flake), Droplets: s.droplets, Tag: s.tag}
	source := "nixosConfigurations." + s.configuration
	switch {
	case s.image != "" && s.configuration != "":
		source += " with the image " + s.image
	case s.image != "":
		source = s.image
	}
	if len(s.droplets) == 0 {
		m.Server = ""
		m.Why = fmt.Sprintf("%s has no droplet: none is called %s or %s-1, has the tag %s or was made from such an image",
			source, s.name, s.name, s.name)
		return m
	}
	m.Why = fmt.Sprintf("server %s is %s, on %s: found %s",
		s.name, source, strings.Join(s.droplets, ", "), strings.Join(s.reasons, " and "))
	return m
}

// plain makes Web_1 and web-1 the same name.
func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// label is the first label of a host name such as web.example.org.
func label(name string) string {
	first, _, _ := strings.Cut(plain(name), ".")
	return first
}

// numbered says whether a name is the server's with a number: web-1, web02.
func numbered(server, name string) bool {
	rest, ok := strings.CutPrefix(name, server)
	return ok && regexp.MustCompile(`^-?[0-9]+$`).MatchString(rest)
}

// words joins the words of a text with hyphens.
func words(text string) string {
	return regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(text), "-")
}

// natural compares names so that web-10 comes after web-2.
func natural(a, b string) int {
	number := regexp.MustCompile(`[0-9]+`)
	pad := func(s string) string {
		return number.ReplaceAllStringFunc(s, func(n string) string { return fmt.Sprintf("%020s", n) })
	}
	return strings.Compare(pad(a)+"\x00"+a, pad(b)+"\x00"+b)
}
