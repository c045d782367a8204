package closure

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Compare says what is different between two closures. Paths that both have only
// count where another path of the same package differs.
func Compare(before, after []Path) Diff {
	d := Diff{Changes: compare(itemsOf(before), itemsOf(after))}
	for _, p := range before {
		d.SizeBefore += p.NarSize
	}
	for _, p := range after {
		d.SizeAfter += p.NarSize
	}
	return d
}

// key tells packages apart.
type key struct{ name, output string }

// item is one path of a package.
type item struct {
	path string
	key
	version string
	size    int64
}

func itemsOf(paths []Path) []item {
	items := make([]item, len(paths))
	for i, p := range paths {
		name, version, output := split(p.Path)
		items[i] = item{path: p.Path, key: key{name, output}, version: version, size: p.NarSize}
	}
	return items
}

// group is all paths of one package where one of them differs.
type group struct {
	// gone, come and kept are the versions of paths that only the first closure has,
	// only the second, and both; a version as often as it has paths.
	gone, come, kept      []string
	sizeBefore, sizeAfter int64
}

// compare sorts both lists by path.
func compare(before, after []item) []Change {
	groups := map[key]*group{}
	of := func(k key) *group {
		g := groups[k]
		if g == nil {
			g = &group{}
			groups[k] = g
		}
		return g
	}
	var kept []item
	merge(before, after, func(i item) {
		g := of(i.key)
		g.gone = append(g.gone, i.version)
		g.sizeBefore += i.size
	}, func(i item) {
		g := of(i.key)
		g.come = append(g.come, i.version)
		g.sizeAfter += i.size
	}, func(i item) {
		kept = append(kept, i)
	})
	for _, i := range kept {
		if g := groups[i.key]; g != nil {
			g.kept = append(g.kept, i.version)
			g.sizeBefore += i.size
			g.sizeAfter += i.size
		}
	}
	changes := make([]Change, 0, len(groups))
	for _, k := range slices.SortedFunc(maps.Keys(groups), key.compare) {
		changes = append(changes, groups[k].change(k))
	}
	return changes
}

func (k key) compare(other key) int {
	if k.name != other.name {
		return strings.Compare(k.name, other.name)
	}
	return strings.Compare(k.output, other.output)
}

// merge walks through both lists in the order of their paths, each path once.
func merge(before, after []item, gone, come, kept func(item)) {
	before, after = byPath(before), byPath(after)
	for len(before) > 0 || len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = strings.Compare(before[0].path, after[0].path)
		}
		switch {
		case order < 0:
			gone(before[0])
			before = before[1:]
		case order > 0:
			come(after[0])
			after = after[1:]
		default:
			kept(after[0])
			before, after = before[1:], after[1:]
		}
	}
}

// byPath sorts items and leaves one of each path.
func byPath(items []item) []item {
	order := func(a, b item) int { return strings.Compare(a.path, b.path) }
	if !slices.IsSortedFunc(items, order) {
		slices.SortFunc(items, order)
	}
	return slices.CompactFunc(items, func(a, b item) bool { return a.path == b.path })
}

// change says what happened to the package. Versions that both closures have are
// told only where no other version changed.
func (g *group) change(k key) Change {
	c := Change{Name: k.name, Output: k.output, SizeBefore: g.sizeBefore, SizeAfter: g.sizeAfter}
	went := without(g.gone, g.come, g.kept)
	came := without(g.come, g.gone, g.kept)
	switch {
	case len(went) == 0 && len(came) == 0:
		c.Kind = Rebuilt
		went = without(slices.Concat(g.gone, g.come))
		came = went
	case len(went) == 0:
		c.Kind = Added
	case len(came) == 0:
		c.Kind = Removed
	default:
		c.Kind = direction(went[len(went)-1], came[len(came)-1])
	}
	c.Before, c.After = told(went), told(came)
	return c
}

// direction compares the newest version that went with the newest that came.
func direction(went, came string) Kind {
	switch compareVersions(went, came) {
	case -1:
		return Upgraded
	case 1:
		return Downgraded
	default: // 1.0 and 1-0: written differently, and the same to Nix
		return Rebuilt
	}
}

// without are the versions that are in none of the others, oldest first, each once.
func without(versions []string, others ...[]string) []string {
	var left []string
	for _, v := range versions {
		in := func(other []string) bool { return slices.Contains(other, v) }
		if !slices.ContainsFunc(others, in) && !slices.Contains(left, v) {
			left = append(left, v)
		}
	}
	if len(left) > 1 {
		slices.SortFunc(left, func(a, b string) int { return cmp.Or(compareVersions(a, b), strings.Compare(a, b)) })
	}
	return left
}

// told leaves out the version of a package that has none.
func told(versions []string) []string {
	if len(versions) > 0 && versions[0] == "" { // it is the oldest, and there once
		versions = versions[1:]
	}
	if len(versions) == 0 {
		return nil
	}
	return versions
}
