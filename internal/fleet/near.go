package fleet

import (
	"slices"
	"strings"
)

// didYouMean is the question that names the known word nearest to the given
// one, or "" where none is near.
func didYouMean(word string, known []string) string {
	if n := nearest(word, known); n != "" {
		return `did you mean "` + n + `"?`
	}
	return ""
}

// nearest is the known word that was probably meant, or "".
func nearest(word string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	plain := flatten(word)
	for _, k := range known {
		if flatten(k) == plain && k != word {
			return k
		}
	}
	best, bestDistance := "", 1+max(1, min(3, len(plain)/3))
	for _, k := range known {
		if d := distance(plain, flatten(k)); d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return best
	}
	for _, k := range known {
		// "environment" for "env", "auth" for "authorities".
		if short := min(len(plain), len(flatten(k))); short > 2 && flatten(k)[:short] == plain[:short] {
			return k
		}
	}
	return ""
}

// flatten makes hostKeys, host_keys and host-keys the same word.
func flatten(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// distance is the optimal string alignment distance: insertions, deletions,
// replacements and swaps of neighbours cost one each.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// quoteList writes words as `"a", "b" or "c"`.
func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = `"` + w + `"`
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
