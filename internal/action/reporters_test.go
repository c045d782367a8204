package action_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

// TestEachReportIsWrittenWhateverBecomesOfTheOthers: one warning, the deploy goes on, and
// the rest is told.
func TestEachReportIsWrittenWhateverBecomesOfTheOthers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, report string
		statuses     []int
	}{
		"check runs":  {"/check-runs", "check runs", []int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusBadGateway}},
		"deployments": {"/deployments", "deployments", []int{http.StatusForbidden, http.StatusBadGateway}},
		"comments":    {"/comments", "comments", []int{http.StatusForbidden, http.StatusBadGateway}},
	} {
		for _, status := range tt.statuses {
			t.Run(name+" answered "+http.StatusText(status), func(t *testing.T) {
				t.Parallel()
				p := newProject(t)
				check(t, p.hub.AddCommit(hub.Commit{SHA: sha("2"), Parents: []string{sha("1")}, Message: "A change"}))
				_, err := p.hub.AddPull(hub.Pull{Title: "A change", HeadSHA: sha("2"), HeadRef: "change"})
				check(t, err)
				check(t, p.hub.Merge(1, sha("2")))
				p.checkOut("2", nil)
				broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, tt.path) {
						w.WriteHeader(status)
						return
					}
					p.hub.ServeHTTP(w, r)
				}))
				defer broken.Close()
				p.env["GITHUB_API_URL"] = broken.URL
				e := p.action(t.Context(), "push", "2", push())
				e.demand(t, 0)
				if n := strings.Count(e.log, "cannot be written"); n != 1 || !strings.Contains(e.log, tt.report+" cannot be written") {
					t.Errorf("%d warnings:\n%s", n, e.log)
				}
				state := p.hub.State()
				for report, n := range map[string]int{"check runs": len(state.Checks), "deployments": len(state.Deployments), "comments": len(state.Comments)} {
					if (n > 0) == (report == tt.report) {
						t.Errorf("%s: %d are there", report, n)
					}
				}
			})
		}
	}
}
