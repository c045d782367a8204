package closure

import "testing"

// ordered are pairs with the answer of builtins.compareVersions; the end-to-end test
// asks Nix for each.
func ordered() []struct {
	a, b string
	want int
} {
	return []struct {
		a, b string
		want int
	}{
		// From Nix's manual.
		{"1.0", "2.3", -1},
		{"2.1", "2.3", -1},
		{"2.3", "2.3", 0},
		{"2.5", "2.3", 1},
		{"3.1", "2.3", 1},
		{"2.3.1", "2.3", 1},
		{"2.3.1", "2.3a", 1},
		{"2.3pre1", "2.3", -1},
		{"2.3pre3", "2.3pre12", -1},
		{"2.3a", "2.3c", -1},
		{"2.3pre1", "2.3c", -1},
		{"2.3pre1", "2.3q", -1},
		// Digits are numbers, whatever their length.
		{"2.9", "2.10", -1},
		{"2.09", "2.9", 0},
		{"1.1.1w", "3.0.0", -1},
		{"5.2p37", "5.2p32", 1},
		{"2.40-66", "2.40-218", -1},
		// Separators are all the same.
		{"1.0", "1-0", 0},
		{"1.0", "1..0", 0},
		{"1.0.", "1.0", 0},
		{"", "", 0},
		{"", "1", -1},
		{"", "a", -1},
		{"", "pre", 1},
		{"1.0", "1.0-rc", -1},
		{"1.0-rc", "1.0-pre", 1},
		{"pre", "pre", 0},
		{"1.pre", "1.pre.pre", 1},
		// Other words are ordered by their bytes, capitals first.
		{"1.0A", "1.0a", -1},
		{"1.0beta", "1.0alpha", 1},
		{"1.0_1", "1.0_2", -1},
		{"1.0+git", "1.0+hg", -1},
		// 32 bits are a number, more are a word.
		{"2147483647", "2147483646", 1},
		{"2147483648", "2147483647", -1},
		{"2147483647", "2147483648", 1},
		{"20250102030405", "20250102030406", -1},
		{"20250102030405", "3", -1},
		{"9999999999", "10000000000", 1},
		{"00000000000000000001", "1", 0},
	}
}

func TestVersionsAreOrderedAsNixOrdersThem(t *testing.T) {
	t.Parallel()
	for _, c := range ordered() {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("%q against %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := compareVersions(c.b, c.a); got != -c.want {
			t.Errorf("%q against %q: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}
