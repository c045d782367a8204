package ocean

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Select picks a server's droplets out of the account's: by name, in the order
// given, or by tag, sorted by name. The error (*FaultsError) lists all names that
// no droplet or more than one has, or says that no droplet has the tag.
func Select(droplets []Droplet, names []string, tag string) ([]Droplet, error) {
	switch {
	case len(names) > 0 && tag != "":
		return nil, asError([]Fault{{
			What: fmt.Sprintf("its droplets are given by name (%s) and by tag (%s)", strings.Join(names, ", "), tag),
			Fix:  "leave one of the two out",
		}})
	case tag != "":
		return byTag(droplets, tag)
	default:
		return byName(droplets, names)
	}
}

func byTag(droplets []Droplet, tag string) ([]Droplet, error) {
	var picked []Droplet
	var known []string
	for _, d := range droplets {
		known = append(known, d.Tags...)
		if slices.Contains(d.Tags, tag) {
			picked = append(picked, d)
		}
	}
	if len(picked) == 0 {
		return nil, asError([]Fault{{
			What: fmt.Sprintf("no droplet of the account has the tag %s%s", tag, didYouMean(tag, known)),
			Fix:  "tag its droplets, or correct droplets.tag",
		}})
	}
	slices.SortFunc(picked, func(a, b Droplet) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return picked, nil
}

func byName(droplets []Droplet, names []string) ([]Droplet, error) {
	all := map[string][]Droplet{}
	var known []string
	for _, d := range droplets {
		all[d.Name] = append(all[d.Name], d)
		known = append(known, d.Name)
	}
	if len(names) == 0 {
		return nil, asError([]Fault{{What: "it has no droplets", Fix: "set droplets.names or droplets.tag"}})
	}
	var picked []Droplet
	var faults []Fault
	taken := map[string]bool{}
	for _, name := range names {
		if taken[name] {
			continue
		}
		taken[name] = true
		switch found := all[name]; len(found) {
		case 0:
			faults = append(faults, Fault{
				What: fmt.Sprintf("no droplet of the account is named %s%s", name, didYouMean(name, known)),
				Fix:  "create it, correct droplets.names, or use the token of the account that has it",
			})
		case 1:
			picked = append(picked, found[0])
		default:
			faults = append(faults, Fault{
				What: fmt.Sprintf("%d droplets are named %s (%s), so which one is meant is not clear", len(found), name, ids(found)),
				Fix:  "rename all but one, or tag those that are meant and set droplets.tag",
			})
		}
	}
	if len(faults) > 0 {
		return nil, asError(faults)
	}
	return picked, nil
}

func ids(droplets []Droplet) string {
	var all []string
	for _, d := range droplets {
		all = append(all, strconv.Itoa(d.ID))
	}
	return strings.Join(all, ", ")
}

// didYouMean is a half sentence that names the nearest known word; empty if none
// is near.
func didYouMean(word string, known []string) string {
	best, distance := "", min(len(word), 1+max(2, len(word)/3))
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := edits(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
