package systemd

// Nearest is the name in the list that was likely meant, or "": one that differs
// by no more than a third of its letters.
func Nearest(name string, list []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, other := range list {
		if d := distance(name, other, least); d < least {
			best, least = other, d
		}
	}
	return best
}

// distance is Levenshtein's, or at least the limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
