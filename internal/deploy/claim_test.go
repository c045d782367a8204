package deploy_test

import (
	"strings"
	"testing"
)

func TestSystemThatSaysItIsAnotherServersIsNotVerified(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.mustRun() // the simulated systems say that they are web's
	check(t, s.verify())
	s.sh("web-1", `echo '{"server": "db", "revision": "`+second+`"}' > /etc/snowdrop/release.json`)
	err := s.verify()
	want := "release: server db at " + second + ", another commit, by /etc/snowdrop/release.json (expected: server web at " + first + ")"
	if err == nil || !strings.Contains(causes(err), want) {
		t.Errorf("error %s\nwant %s", causes(err), want)
	}
	// The expected system, from another commit: one that changed nothing in it.
	s.sh("web-1", `echo '{"server": "web", "revision": "`+second+`"}' > /etc/snowdrop/release.json`)
	check(t, s.verify())
}
