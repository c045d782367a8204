// Package closure compares two closures of the Nix store: which packages come, go
// and change, and what that does to the size.
package closure

import (
	"cmp"
	"slices"
)

// Path is one store path of a closure. NarSize is its size in bytes.
type Path struct {
	Path    string `json:"path"`
	NarSize int64  `json:"narSize"`
}

// Kind is what happened to a package.
type Kind string

// The kinds. Added and Removed are also a further version of a package that is there
// in both, come or gone. Where versions came and others went, the newest of each say
// whether that is Upgraded or Downgraded. Rebuilt is a package whose version stayed
// and whose path did not: what it is built from changed.
const (
	Added      Kind = "added"
	Removed    Kind = "removed"
	Upgraded   Kind = "upgraded"
	Downgraded Kind = "downgraded"
	Rebuilt    Kind = "rebuilt"
)

// Change is what happened to one package, told apart by its name and output.
type Change struct {
	Name string `json:"name"`
	// Output is that of a package with several, such as "lib"; empty for "out".
	Output string `json:"output,omitempty"`
	Kind   Kind   `json:"kind"`
	// Before and After are its versions that the other closure does not have, oldest
	// first, several where a closure has several of it; of a package that was Rebuilt
	// they are both those that were. A package without a version has none.
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
	// SizeBefore and SizeAfter are those of all its paths, in bytes.
	SizeBefore int64 `json:"sizeBefore"`
	SizeAfter  int64 `json:"sizeAfter"`
}

// Diff is what is different between two closures.
type Diff struct {
	// Changes are sorted by name and output.
	Changes []Change `json:"changes,omitempty"`
	// SizeBefore and SizeAfter are those of the whole closures, in bytes; 0 where they
	// are not known, as in an estimate.
	SizeBefore int64 `json:"sizeBefore"`
	SizeAfter  int64 `json:"sizeAfter"`
	// Estimate says that derivations were compared and not what they build: it names
	// what is built from other sources, without sizes.
	Estimate bool `json:"estimate,omitempty"`
}

// Growths are the up to n changes that make the closure larger by most, the largest
// first. An estimate has none.
func (d Diff) Growths(n int) []Change {
	growth := func(c Change) int64 { return c.SizeAfter - c.SizeBefore }
	var grown []Change
	for _, c := range d.Changes {
		if growth(c) > 0 {
			grown = append(grown, c)
		}
	}
	slices.SortStableFunc(grown, func(a, b Change) int { return cmp.Compare(growth(b), growth(a)) })
	return grown[:min(n, len(grown))]
}

// Count is how many changes there are of a kind.
func (d Diff) Count(kind Kind) int {
	n := 0
	for _, c := range d.Changes {
		if c.Kind == kind {
			n++
		}
	}
	return n
}
