// Package closure compares two closures of the Nix store: which packages come, go
// and change, and what that does to the size.
package closure

// Path is one store path of a closure. NarSize is its size in bytes.
type Path struct {
	Path    string `json:"path"`
	NarSize int64  `json:"narSize"`
}

// Kind is what happened to a package.
type Kind string

// The kinds. Rebuilt is a package whose version stayed and whose path did not:
// what it is built from changed.
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
	// Before and After are its versions, several where a closure has several of it.
	// A package without a version has none.
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
