package github

import "testing"

// MarkerLine is the hidden line of a kind.
func MarkerLine(t *testing.T, kind string) string {
	t.Helper()
	line, err := marker{Kind: kind, Run: 1, Attempt: 1}.line()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// MarkerKind reads the kind back.
func MarkerKind(body string) (string, bool) {
	m, ok := markerOf(body)
	return m.Kind, ok
}
