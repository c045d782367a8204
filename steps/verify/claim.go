package verify

import (
	"regexp"
	"strings"

	"github.com/versatus/snowdrop/internal/systemd"
)

// checkClaim compares what the system says of itself with what it should be. Most
// systems say nothing; then nothing is checked. Another server's system is a fault,
// whichever way it came there. A revision is one only where nothing better is known:
// with the expected toplevel, two commits have the same system.
func (v *verification) checkClaim(s systemd.State) bool {
	claim := s.Claim
	if claim == nil {
		return true
	}
	want, got := "server "+v.in.Server, "server "+claim.Server
	if claim.Server == "" {
		got = "no server"
	}
	if v.in.Server == "" {
		want = "any server"
	}
	ok := v.in.Server == "" || claim.Server == "" || claim.Server == v.in.Server
	if claim.Revision != "" {
		got += " at " + claim.Revision
	}
	if v.in.Revision != "" && claim.Revision != "" {
		want += " at " + v.in.Revision
		if otherCommit(claim.Revision, v.in.Revision) {
			got += ", another commit"
			ok = ok && v.in.ExpectSystem != "" && s.System == v.in.ExpectSystem
		}
	}
	v.check("release", ok, want, got+", by "+systemd.ClaimFile)
	return ok
}

// commit is a commit's hash, or its beginning. Other words that people give a
// revision (a tag, a build's number) cannot be compared.
var commit = regexp.MustCompile(`^[0-9a-f]{7,64}$`) //nolint:gochecknoglobals // constant

func otherCommit(a, b string) bool {
	if !commit.MatchString(a) || !commit.MatchString(b) {
		return false
	}
	return !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a)
}
