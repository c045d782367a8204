package closure

import (
	"slices"
	"strings"
)

// Derivation is one step of a build.
type Derivation struct {
	// Path is that of the derivation in the store, or only what follows the store's
	// directory, as Nix writes it since 2.32.
	Path string
	// Outputs are the paths that it will have, by the name of the output. The path is
	// empty where only the build will show it.
	Outputs map[string]string
	// Fixed says that its result is known by its hash beforehand: a download.
	Fixed bool
}

// CompareDerivations estimates what is different between what two sets of
// derivations build, without building it. Packages are told apart by what will be
// their path, so that a new mirror of the same source changes nothing.
//
// Left out are sources: downloads, which are fixed by their hash, and what is named
// as an archive, a patch or "source" is. What is needed for building alone cannot be
// told from what will be in the closure, so compilers and the like are named too.
func CompareDerivations(before, after []Derivation) Diff {
	return Diff{Changes: compare(itemsOfDerivations(before), itemsOfDerivations(after)), Estimate: true}
}

func itemsOfDerivations(derivations []Derivation) []item {
	items := make([]item, 0, len(derivations))
	for _, d := range derivations {
		name := strings.TrimSuffix(baseName(d.Path), ".drv")
		if d.Fixed || isSource(name) {
			continue
		}
		// The outputs are known by name here and are no part of this one.
		name, version := splitVersion(name)
		for output, path := range d.Outputs {
			if path == "" {
				path = d.Path + "!" + output
			}
			if output == "out" {
				output = ""
			}
			items = append(items, item{path: path, key: key{name, output}, version: version})
		}
	}
	return items
}

// isSource says whether a derivation's name is that of something to build from.
func isSource(name string) bool {
	if name == "source" || strings.HasSuffix(name, "-source") || strings.HasSuffix(name, "-src") {
		return true
	}
	endings := []string{".patch", ".diff", ".tar", ".tgz", ".tbz2", ".txz", ".zip", ".crate", ".gem", ".whl", ".jar"}
	for _, packed := range []string{".gz", ".xz", ".bz2", ".zst", ".lz"} {
		name = strings.TrimSuffix(name, packed)
	}
	return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) })
}
