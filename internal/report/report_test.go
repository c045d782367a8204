package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
)

func TestClosingTellsHowTheRunEnded(t *testing.T) {
	t.Parallel()
	for name, run := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stateAt(run, time.Hour)
			golden(t, "closing-"+name+".txt", strings.Join(closing(s, look{width: 100, unicode: true}, false), "\n")+"\n")
			narrow := look{width: 60}
			golden(t, "closing-"+name+"-narrow.txt", strings.Join(closing(s, narrow, false), "\n")+"\n")
		})
	}
}

func TestAPlanNamesEverythingWhenVerbose(t *testing.T) {
	t.Parallel()
	lines := closing(stateAt(comparedPlan(), time.Hour), look{width: 100, unicode: true, colour: true}, true)
	golden(t, "closing-plan-verbose.txt", strings.Join(lines, "\n")+"\n")
}

func TestPlainWritesALineAtMeaningfulMoments(t *testing.T) {
	t.Parallel()
	for name, run := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			c := &clock{}
			p := NewPlain(&b, Options{Now: c.read, Unicode: true, Size: func() (int, int) { return 0, 0 }, Verbose: name == "rolled-back"})
			play(run, c, p)
			p.Close()
			p.Close()
			golden(t, "plain-"+name+".txt", b.String())
		})
	}
}

func TestJSONIsStable(t *testing.T) {
	t.Parallel()
	for name, run := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			c := &clock{}
			j := NewJSON(&b, c.read)
			play(run, c, j)
			j.Close()
			for line := range strings.Lines(b.String()) {
				var v struct {
					Time time.Time `json:"time"`
					Kind string    `json:"kind"`
				}
				if err := json.Unmarshal([]byte(line), &v); err != nil || v.Time.IsZero() || v.Kind == "" {
					t.Errorf("not an event: %q: %v", line, err)
				}
			}
			golden(t, name+".jsonl", b.String())
		})
	}
}

func TestJSONThrottlesProgressButTellsItsEnd(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	c := &clock{now: began()}
	j := NewJSON(&b, c.read)
	for i := range int64(101) {
		j.Emit(event.Progress{Subject: on("web"), Step: "upload", Done: i, Total: 100, Unit: "bytes"})
		c.now = c.now.Add(20 * time.Millisecond)
	}
	if n := strings.Count(b.String(), "\n"); n != 3 {
		t.Errorf("%d lines for 2 s of progress, want 3:\n%s", n, b.String())
	}
	if !strings.Contains(b.String(), `"done":100`) {
		t.Error("the last progress is missing")
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		run   []at
		after time.Duration
		look  look
	}{
		{"start", goodRun(), 0, look{width: 100, height: 30, unicode: true}},
		{"build", goodRun(), 3 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"upload", goodRun(), 17 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"upload-colour", goodRun(), 17 * time.Second, look{width: 100, height: 30, unicode: true, colour: true}},
		{"upload-ascii", goodRun(), 17 * time.Second, look{width: 100, height: 30}},
		{"upload-narrow", goodRun(), 17 * time.Second, look{width: 50, height: 30, unicode: true}},
		{"upload-tiny", goodRun(), 17 * time.Second, look{width: 20, height: 30, unicode: true}},
		{"import", goodRun(), 24 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"droplets", goodRun(), 85 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"droplets-low", goodRun(), 85 * time.Second, look{width: 100, height: 5, unicode: true}},
		{"end", goodRun(), 101 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"failed", rolledBack(), 605 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"rolled-back", rolledBack(), 662 * time.Second, look{width: 100, height: 30, unicode: true}},
		{"dry-run", dryRun(), time.Second, look{width: 100, height: 30, unicode: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := stateAt(tt.run, tt.after)
			golden(t, "frame-"+tt.name+".txt", strings.Join(frame(s, tt.look, began().Add(tt.after)), "\n")+"\n")
		})
	}
}

func TestFrameNeverExceedsTheTerminal(t *testing.T) {
	t.Parallel()
	for name, run := range scenarios() {
		for columns := 1; columns < 130; columns += 3 {
			for _, height := range []int{1, 2, 3, 5, 30} {
				for _, e := range run {
					l := look{width: columns, height: height, unicode: columns%2 == 0, colour: true}
					lines := frame(stateAt(run, e.after), l, began().Add(e.after+time.Second))
					if len(lines) > max(height-1, 1) {
						t.Fatalf("%s: %d lines on a height of %d", name, len(lines), height)
					}
					for _, line := range lines {
						if n := width(clean(line)); n > columns {
							t.Fatalf("%s: a line of %d columns on a width of %d: %q", name, n, columns, line)
						}
					}
				}
			}
		}
	}
}

type summary []error

func (summary) Error() string     { return "2 of 3 servers did not get the release" }
func (s summary) Unwrap() []error { return s }

func TestAFailureIsToldOnce(t *testing.T) {
	t.Parallel()
	web, db, prune := errors.New("verify web: no answer"), errors.New("build db: no disk"), errors.New("prune: no access")
	for name, tt := range map[string]struct {
		run  error
		want []string
	}{
		"the run sums up its servers":  {summary{web, db}, []string{web.Error(), db.Error()}},
		"the run joins its servers":    {errors.Join(web, db), []string{web.Error(), db.Error()}},
		"the run has more to say":      {prune, []string{web.Error(), db.Error(), prune.Error()}},
		"the run sums up and has more": {summary{web, prune}, []string{web.Error(), db.Error(), summary{}.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newState()
			for _, e := range []event.Event{
				event.StepFinished{Subject: on("web", "web-1"), Step: "verify", Err: errors.New("no answer")},
				event.ServerFinished{Subject: on("web"), Outcome: event.Failed, Err: web},
				event.ServerFinished{Subject: on("db"), Outcome: event.Failed, Err: db},
				event.RunFinished{Err: tt.run},
			} {
				s.apply(e, began())
			}
			var got []string
			for _, f := range failures(s) {
				got = append(got, f.err.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	headers := []string{"SERVER", "DROPLET", "STATE", "IMAGE", "NOTE", "UNUSED"}
	rows := [][]string{
		{"web", "web-1", "verified", "1b2c3d4f", "new"},
		{"web", "web-2", "failed", "1b2c3d4f", "nginx.service does not start since the update of yesterday\nsee its journal"},
		{"größe", "日本-1", "would change", "", "\x1b[31mred\x1b[0m"},
		{"short"},
	}
	for name, o := range map[string]Options{
		"table-wide.txt":   {Unicode: true, Colour: true, Size: func() (int, int) { return 120, 30 }},
		"table-narrow.txt": {Unicode: true, Size: func() (int, int) { return 60, 30 }},
		"table-file.txt":   {Size: func() (int, int) { return 0, 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			Table(&b, headers, rows, o)
			golden(t, name, b.String())
		})
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ got, want string }{
		{Bytes(0), "0 B"},
		{Bytes(999), "999 B"},
		{Bytes(1000), "1 kB"},
		{Bytes(18_249_000), "18.2 MB"},
		{Bytes(40_000_000), "40 MB"},
		{Bytes(999_950_000), "1 GB"},
		{Bytes(123_456_789_000), "123 GB"},
		{Bytes(-1500), "-1.5 kB"},
		{Duration(0), "0s"},
		{Duration(440 * time.Millisecond), "0.4s"},
		{Duration(9960 * time.Millisecond), "10s"},
		{Duration(59600 * time.Millisecond), "1m00s"},
		{Duration(80 * time.Second), "1m20s"},
		{Duration(125 * time.Minute), "2h05m"},
		{Duration(-time.Second), "-1s"},
		{Short(revision), "4f2a91c"},
		{Short(revision + "-dirty"), "4f2a91c-dirty"},
		{Short("v1.2.3-rc1"), "v1.2.3-rc1"},
		{Short(""), ""},
		{ShortImage(webImage), "1b2c3d4f"},
		{ShortImage(dbImage), "9z8y7x6w"},
		{ShortImage("ubuntu-24-04"), "ubuntu-24-04"},
		{clean("10%\r20%\r\n"), "20%"},
		{clean("\x1b]0;title\x07a\x1b[1;31mb\x1b[0m\x07c\u202e"), "abc"},
		{fmt.Sprint(plural(1, "server"), plural(2, "server")), "1 server2 servers"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
