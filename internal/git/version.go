package git

import (
	"cmp"
	"regexp"
	"strings"
)

// version is a semantic version as it stands in a tag. The numbers are text: they may
// be longer than any integer, as in tags that are dates and times.
type version struct {
	numbers [3]string
	// pre is not empty for a pre-release.
	pre string
}

// versionTag is what https://semver.org says of a version, with the "v" that tags
// mostly have before it.
var versionTag = regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`)

func parseVersion(tag string) (version, bool) {
	m := versionTag.FindStringSubmatch(tag)
	if m == nil {
		return version{}, false
	}
	return version{numbers: [3]string{m[1], m[2], m[3]}, pre: m[4]}, true
}

// compare orders releases; what they were built from (after "+") does not count.
func (v version) compare(other version) int {
	for i := range v.numbers {
		a, b := v.numbers[i], other.numbers[i]
		if order := cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)); order != 0 {
			return order
		}
	}
	return 0
}
