package closure

import (
	"cmp"
	"strconv"
)

// compareVersions orders two versions as Nix's builtins.compareVersions does, whose
// order is no other program's: 2.3pre1 < 2.3 < 2.3a < 2.3.1. It answers -1, 0 or 1.
// (src/libstore/names.cc in Nix.)
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = nextComponent(a)
		y, b = nextComponent(b)
		switch {
		case componentLess(x, y):
			return -1
		case componentLess(y, x):
			return 1
		}
	}
	return 0
}

// nextComponent cuts off the first component, a run of digits or one of anything
// else up to a dot or a dash. It is empty at the end.
func nextComponent(v string) (component, rest string) {
	for v != "" && (v[0] == '.' || v[0] == '-') {
		v = v[1:]
	}
	end := 0
	for digits := v != "" && isDigit(v[0]); end < len(v); end++ {
		if c := v[end]; isDigit(c) != digits || c == '.' || c == '-' {
			break
		}
	}
	return v[:end], v[end:]
}

func componentLess(a, b string) bool {
	m, aNumber := number(a)
	n, bNumber := number(b)
	switch {
	case aNumber && bNumber:
		return m < n
	case a == "" && bNumber:
		return true
	case a == "pre" && b != "pre":
		return true
	case b == "pre":
		return false
	case bNumber:
		return true // so that 2.3a < 2.3.1
	case aNumber:
		return false
	default:
		return cmp.Less(a, b)
	}
}

// number reads a component as Nix does, into 32 bits: a date with its time does not
// fit, and is no number then.
func number(component string) (int64, bool) {
	if component == "" || !isDigit(component[0]) {
		return 0, false
	}
	n, err := strconv.ParseInt(component, 10, 32)
	return n, err == nil
}
