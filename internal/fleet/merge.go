package fleet

import "slices"

// merge lays a server over the defaults: mappings merge, key by key; scalars and
// lists replace. Both trees stay as they are. The result stands where the server
// stands, and its values where they are written.
func merge(base, over *node) *node {
	if base == nil || base.kind != mapping || over.kind != mapping {
		return over
	}
	merged := *over
	merged.entries = slices.Clone(over.entries)
	for _, b := range base.entries {
		i := slices.IndexFunc(merged.entries, func(e entry) bool { return e.key.text == b.key.text })
		switch {
		case i < 0:
			merged.entries = append(merged.entries, b)
		case !exclusive(b.key.text):
			merged.entries[i].value = merge(b.value, merged.entries[i].value)
		}
	}
	return &merged
}

// exclusive names the mappings of which only one key may be given. Merged, a
// server with a tag under defaults with names would have both.
func exclusive(key string) bool { return key == "droplets" || key == "identity" }
