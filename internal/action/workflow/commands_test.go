package workflow_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action/workflow"
)

// counted makes words that a test knows.
func counted() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("word%d", n) }
}

// runner takes commands from a log as GitHub's does: at the beginning of a line, the
// older form anywhere in it, and none while they are stopped.
func runner(log string) (commands []string) {
	stopped := ""
	// The runner's lines end at a carriage return, too.
	for line := range strings.Lines(strings.ReplaceAll(log, "\r", "\n")) {
		line = strings.TrimSpace(line)
		name, isNew := strings.CutPrefix(line, "::")
		name, _, ends := strings.Cut(name, "::")
		switch {
		case stopped != "":
			if isNew && ends && name == stopped {
				stopped = ""
			}
		case isNew && ends && name == "stop-commands":
			stopped = strings.TrimPrefix(line, "::stop-commands::")
		case isNew && ends, strings.Contains(line, "##["):
			commands = append(commands, line)
		}
	}
	return commands
}

func TestTextFromOutsideCannotBecomeACommand(t *testing.T) {
	t.Parallel()
	attacks := []string{
		"::set-output name=changed::true", "  ::add-mask::a", "\t::error::x", "12:00 ##[error]x", "##[set-env name=PATH]/evil",
		"a\n::stop-commands::word1", "::word1::", ":::add-mask::a", "::::error::x",
		"10%\r::error::x", "\u00a0::add-mask::a", "\u3000 \v\u0085::stop-commands::a", "a\u2028::error::x\n\u2028::error::x",
	}
	for _, text := range attacks {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c := workflow.NewCommands(&log, counted())
			_, err := fmt.Fprintln(c, text)
			if err != nil {
				t.Fatal(err)
			}
			if got := runner(log.String()); len(got) > 0 {
				t.Errorf("the runner takes %q from %q", got, log.String())
			}
		})
	}
}

func TestAGroupShowsForeignLinesAsTheyAre(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := workflow.NewCommands(&log, counted())
	foreign := []string{"building", "::error file=a.go::no", "::word2::", "##[group]x"}
	c.Group("web ##[error]", foreign)
	c.Error(workflow.Place{File: "hosts/web.nix", Line: 3, Column: 7}, "a, title: x", "two\nlines % ::warning::")
	if !strings.Contains(log.String(), strings.Join(foreign, "\n")) {
		t.Errorf("the lines were changed:\n%s", log.String())
	}
	want := []string{
		"::group::web ##\u200b[error]", "::endgroup::",
		"::error col=7,file=hosts/web.nix,line=3,title=a%2C title%3A x::two%0Alines %25 ::warning::",
	}
	if diff := cmp.Diff(want, runner(log.String())); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestEveryLineOfASecretIsMasked(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := workflow.NewCommands(&log, counted())
	c.Mask(" token-1 \n")
	c.Mask("-----BEGIN KEY-----\nAAAABBBBCCCC\n==\n-----END KEY-----\n")
	c.Mask("")
	want := []string{"::add-mask::token-1", "::add-mask::AAAABBBBCCCC"}
	if diff := cmp.Diff(want, runner(log.String())); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestALogThatCannotBeWrittenEndsNothing(t *testing.T) {
	t.Parallel()
	c := workflow.NewCommands(full{}, counted())
	c.Group("a", []string{"b"})
	c.Mask("secret")
	if _, err := fmt.Fprintln(c, "c"); err != nil {
		t.Error(err)
	}
}

func TestNothingIsWrittenToALogThatHasEnded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := workflow.NewCommands(&log, counted())
	c.Warning("", "in time")
	c.Close()
	before := log.String()
	c.Warning("", "late")
	c.Group("late", []string{"late"})
	_, _ = c.Write([]byte("late\n"))
	if got := log.String(); got != before || !strings.Contains(got, "in time") {
		t.Errorf("the log is %q, it was %q when it ended", got, before)
	}
}

func TestAnOutputCannotEndEarlyAndSetAnother(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "output")
	o := workflow.NewOutputs(env(map[string]string{"GITHUB_OUTPUT": file}), counted())
	for name, value := range map[string]string{"result": "{\n}\n_GitHubActionsFileCommandDelimeter_\nchanged=true"} {
		if err := o.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Set("changed", "false"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "result<<snowdrop_word1\n{\n}\n_GitHubActionsFileCommandDelimeter_\nchanged=true\nsnowdrop_word1\n" +
		"changed<<snowdrop_word2\nfalse\nsnowdrop_word2\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOutputsThatCannotBeWrittenAreAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "no", "such", "folder")
	o := workflow.NewOutputs(env(map[string]string{"GITHUB_OUTPUT": missing, "GITHUB_STEP_SUMMARY": missing}), counted())
	if err := o.Set("a", "b"); err == nil || !strings.Contains(err.Error(), "GITHUB_OUTPUT") {
		t.Errorf("set: %v", err)
	}
	if err := o.Summary("# a"); err == nil {
		t.Error("a summary was written nowhere")
	}
	nowhere := workflow.NewOutputs(env(nil), counted())
	if err := nowhere.Set("a", "b"); err != nil {
		t.Errorf("outside of a runner: %v", err)
	}
}

func TestASummaryThatGitHubWouldDropIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "summary")
	o := workflow.NewOutputs(env(map[string]string{"GITHUB_STEP_SUMMARY": file}), counted())
	half := strings.Repeat("x", 600<<10)
	if err := o.Summary(half); err != nil {
		t.Fatal(err)
	}
	if err := o.Summary(half); err == nil {
		t.Error("a second half was added to one of more than a half")
	}
	if err := o.Summary("short"); err != nil {
		t.Error(err)
	}
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}
