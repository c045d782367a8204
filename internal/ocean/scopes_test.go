package ocean_test

import (
	"strings"
	"testing"
)

func TestTheScopesOfPreviewsAreTriedToo(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.fail(1, "GET", "/v2/account/keys", answers(403, "You are not authorized to perform this operation"))
	var lines []string
	for _, r := range f.client(t, nil).ProbePreviews(t.Context(), true) {
		lines = append(lines, r.String())
	}
	for i, want := range []string{"sizes:read: works", "ssh_key:read: does not work, and is needed", "droplet:create: not checked", "droplet:delete: not checked"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("%d: want %s, got:\n%s", i, want, strings.Join(lines, "\n"))
		}
	}
	if results := f.client(t, nil).ProbePreviews(t.Context(), false); len(results) != 3 {
		t.Errorf("keys that are not asked for: %v", results)
	}
}
