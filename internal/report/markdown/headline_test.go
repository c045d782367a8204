package markdown_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// ended is a run of servers, each with its outcome, that ended with err.
func ended(verb string, dryRun bool, err error, outcomes ...event.Outcome) []at {
	events := []at{{0, event.RunStarted{Verb: verb, DryRun: dryRun}}}
	for i, o := range outcomes {
		finished := event.ServerFinished{Subject: on(fmt.Sprintf("server-%d", i)), Outcome: o}
		if o == event.Failed || o == event.RolledBack || o == event.Cancelled {
			finished.Err = fmt.Errorf("server-%d: no", i)
		}
		events = append(events, at{0, finished})
	}
	return append(events, at{second, event.RunFinished{Verb: verb, Took: second, Err: err}})
}

func TestTheHeadlineSaysItAll(t *testing.T) {
	t.Parallel()
	broken := errors.New("no")
	cancelled := fmt.Errorf("plan fleet: %w", context.Canceled)
	begun := until(verifiedRun(), 60*second)
	fault := []string{"the run was cancelled and was still at work when the time was up"}
	for want, tc := range map[string]struct {
		events []at
		faults []string
	}{
		"⏳ deploy: at work": {begun, nil},
		"❌ deploy: broke off: 2 servers unchanged, 1 unfinished":         {begun, fault},
		"🚫 deploy: cancelled before anything was changed":                {[]at{{0, event.StepFinished{Step: "plan", Err: cancelled}}}, nil},
		"❌ deploy: failed before anything was changed":                   {[]at{{0, event.StepFinished{Step: "plan", Err: broken}}}, nil},
		"🚫 deploy: cancelled: 1 server verified, 1 cancelled":            {ended("deploy", false, cancelled, event.Verified, event.Cancelled), nil},
		"🚫 deploy: cancelled: 2 servers not touched":                     {ended("deploy", false, cancelled, event.Untouched, event.Untouched), nil},
		"❌ deploy: 1 server failed":                                      {ended("deploy", false, broken, event.Failed), nil},
		"❌ deploy: 1 of 2 servers failed and was rolled back":            {ended("deploy", false, broken, event.RolledBack, event.Verified), nil},
		"❌ deploy: 2 servers failed and were rolled back":                {ended("deploy", false, broken, event.RolledBack, event.RolledBack), nil},
		"❌ deploy: 2 of 3 servers failed, 1 of them was rolled back":     {ended("deploy", false, broken, event.RolledBack, event.Failed, event.Built), nil},
		"❌ deploy: 3 servers failed, 2 of them were rolled back":         {ended("deploy", false, broken, event.RolledBack, event.Failed, event.RolledBack), nil},
		"❌ deploy: 1 of 2 servers cannot be planned":                     {ended("plan", true, broken, event.Failed, event.WouldDo), nil},
		"❌ deploy: failed: 1 server verified":                            {ended("deploy", false, broken, event.Verified), nil},
		"✅ deploy: nothing to do, 1 server is as it should be":           {ended("deploy", false, nil, event.Unchanged), nil},
		"🔁 deploy: 1 server will be rebuilt":                             {ended("plan", true, nil, event.WouldDo), nil},
		"🔁 deploy: 1 of 2 servers will get a new image":                  {ended("build", true, nil, event.WouldDo, event.Unchanged), nil},
		"🔁 deploy: 2 servers will be pruned":                             {ended("prune", true, nil, event.WouldDo, event.WouldDo), nil},
		"🔁 deploy: 2 servers will be verified":                           {ended("verify", true, nil, event.WouldDo, event.WouldDo), nil},
		"✅ deploy: 1 image evaluated; what the servers run is not known": {ended("plan", true, nil, event.Evaluated), nil},
		"✅ deploy: 1 server verified, 1 built, 2 pruned, 1 unchanged":    {ended("deploy", false, nil, event.Built, event.Pruned, event.Verified, event.Unchanged, event.Pruned), nil},
	} {
		comment := tell(tc.events).Comment(markdown.Frame{Title: "deploy", Faults: tc.faults})
		got, _, _ := strings.Cut(comment, "\n")
		if diff := cmp.Diff("## "+want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestAWarningIsToldOnce(t *testing.T) {
	t.Parallel()
	same := event.Warning{Subject: on("web", "web-1"), Text: "its host key was accepted\non first contact"}
	other := event.Warning{Subject: on("web", "web-2"), Text: same.Text}
	comment := tell([]at{{0, same}, {0, other}, {0, same}}).Comment(markdown.Frame{Title: "deploy"})
	want := "> [!WARNING]\n> - `web/web-1`: its host key was accepted on first contact\n> - `web/web-2`: its host key was accepted on first contact\n"
	if !strings.HasSuffix(comment, "\n\n"+want) {
		t.Errorf("the comment is\n%s\nand should end with\n%s", comment, want)
	}
}

func TestOnlySoManyWarningsAreListed(t *testing.T) {
	t.Parallel()
	var events []at
	for i := range 25 {
		events = append(events, at{0, event.Warning{Text: fmt.Sprintf("warning number %d", i)}})
	}
	comment := tell(events).Comment(markdown.Frame{Title: "deploy"})
	if strings.Count(comment, "> - warning number") != 20 || !strings.Contains(comment, "> - and 5 further warnings\n") {
		t.Errorf("the comment is\n%s", comment)
	}
	if summary := tell(events).Summary(markdown.Frame{Title: "deploy"}); strings.Count(summary, "> - warning number") != 25 {
		t.Errorf("the summary is\n%s", summary)
	}
}

// The first failure is what people look for; a unit that may fail is not it.
func TestATitleNamesWhatFailed(t *testing.T) {
	t.Parallel()
	failed := on("web", "web-1")
	wrong := held("boot")
	wrong.Checks[4].OK, wrong.Checks[4].Got = false, "status 502: Bad\nGateway"
	wrong.Failed = append(wrong.Failed, nginxFailed())
	wrong.Failed[0].Allowed = true
	missing := held("boot")
	missing.Checks[3].OK = false
	missing.Failed = append(missing.Failed, nginxFailed())
	missing.Failed[0].Load = "not-found"
	for want, events := range map[string][]at{
		"failed: http http://203.0.113.7/healthz?a=1|2: status 502: Bad Gateway on web-1": {{0, event.Evidence{Subject: failed, Evidence: wrong}}},
		"failed: nginx.service is not-found on web-1":                                     {{0, event.Evidence{Subject: failed, Evidence: missing}}},
		"failed: the image is too large":                                                  {{0, event.StepFinished{Subject: on("web"), Step: "upload"}}},
	} {
		events = append(events, at{0, event.ServerFinished{Subject: on("web"), Outcome: event.Failed, Err: errors.New("\nupload web: the image is too large:\nby far")}})
		if diff := cmp.Diff(want, tell(events).Check("web").Title); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestServersAreInTheRunsOrder(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"web", "db", "mail"}, tell(verifiedRun()).Servers()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := tell(until(planned(), second)).Servers(); len(got) != 0 {
		t.Errorf("while it is planned there are %v", got)
	}
}
