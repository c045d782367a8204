package markdown_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/report/markdown"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// scene is a run as one of the comments' goldens has it.
type scene struct {
	name   string
	events []at
	frame  markdown.Frame
	// tables and details are how many of them the comment has; open are the details
	// that stand open.
	tables, details, open int
}

func scenes() []scene {
	faults := frame("snowdrop deploy")
	faults.Faults = []string{"snowdrop.yaml:4:3: unknown key \"servesr\"\n  |\n4 | servesr:\n  | ^^^^^^^ do you mean servers?\n\n2 faults in snowdrop.yaml"}
	fork := frame("snowdrop plan")
	fork.Base = ""
	fork.Missing = []string{
		"GitHub gives no secrets to the workflow of a pull request from a fork, so DIGITALOCEAN_ACCESS_TOKEN, SPACES_ACCESS_KEY_ID are not there.",
		"What the servers run now is not known.",
	}
	return []scene{
		{"plan", planRun(), frame("snowdrop plan"), 5, 4, 0},
		{"compared", comparedRun(), frame("snowdrop plan"), 11, 5, 0},
		{"nothing", nothingToDo(), frame("snowdrop plan"), 5, 4, 0},
		{"verified", verifiedRun(), frame("snowdrop deploy"), 6, 5, 0},
		{"rolled-back", failedRun(), frame("snowdrop deploy"), 7, 5, 1},
		{"cancelled", cancelledRun(), frame("snowdrop deploy"), 6, 5, 3},
		{"faults", nil, faults, 0, 0, 0},
		{"fork", forkRun(), fork, 2, 3, 0},
		{"estimated", estimatedRun(), fork, 3, 3, 0},
		{"huge", hugeRun(), frame("snowdrop deploy"), 0, 0, 23},
	}
}

func TestACommentTellsTheRun(t *testing.T) {
	t.Parallel()
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			golden(t, "comment-"+s.name+".md", tell(s.events).Comment(s.frame))
		})
	}
}

func TestASummaryHasEverything(t *testing.T) {
	t.Parallel()
	golden(t, "summary-rolled-back.md", tell(failedRun()).Summary(frame("snowdrop deploy")))
}

func TestACheckTellsOneServer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		events []at
		server string
	}{
		"waiting":     {nil, "web"},
		"planning":    {until(planned(), second), "web"},
		"building":    {until(verifiedRun(), 10*second), "web"},
		"uploading":   {until(verifiedRun(), 62*second), "web"},
		"rebuilding":  {until(verifiedRun(), 145*second), "web"},
		"going-back":  {until(failedRun(), 134*second), "web"},
		"verified":    {verifiedRun(), "web"},
		"unchanged":   {verifiedRun(), "db"},
		"rolled-back": {failedRun(), "web"},
		"cancelled":   {cancelledRun(), "web"},
		"plan":        {planRun(), "web"},
		"compared":    {comparedRun(), "web"},
		"fork":        {forkRun(), "web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tell(tc.events).Check(tc.server)
			golden(t, "check-"+name+".md", string(c.Outcome)+"\n"+c.Title+"\n\n== Summary\n"+c.Summary+"\n== Text\n"+c.Text)
		})
	}
}

func TestTheTimeOfWhatIsAtWorkIsThatOfTheClock(t *testing.T) {
	t.Parallel()
	now := began()
	story := markdown.NewStory(func() time.Time { return now })
	for _, e := range until(verifiedRun(), 91*second) {
		now = began().Add(e.after)
		story.Emit(e.event)
	}
	first := story.Check("web")
	now = now.Add(30 * second)
	if second := story.Check("web"); first.Summary == second.Summary {
		t.Errorf("half a minute later it is still\n%s", first.Summary)
	}
}
