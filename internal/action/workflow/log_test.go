package workflow_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestTheLogHasAGroupForEachServerWithAllThatWasPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	log := workflow.NewLog(workflow.NewCommands(&out, counted()), func() time.Time { now = now.Add(time.Second); return now })
	web := event.Subject{Server: "web"}
	one := event.Subject{Server: "web", Droplet: "web-1"}
	failed := errors.New("verify web/web-1: nginx.service failed\n::error::from outside")
	for _, e := range []event.Event{
		event.RunStarted{Verb: "deploy", Revision: "0a1b2c3d4e5f6071829304a5b6c7d8e9f0a1b2c3", Servers: []event.Planned{{Server: "web", Droplets: []string{"web-1"}}}},
		event.StepStarted{Step: "build"},
		event.Log{Step: "build", Line: "web-image> ::set-output name=x::y"},
		event.StepFinished{Step: "build", Took: 3 * time.Second, Result: "/nix/store/x-web-image"},
		event.Warning{Subject: web, Text: "the disk is small"},
		event.StepStarted{Subject: one, Step: "verify"},
		event.Log{Subject: one, Step: "provision", Line: "restarting api.service"},
		event.Evidence{Subject: one, Evidence: release.Evidence{
			Checks: []release.Check{{Name: "boot", OK: true, Want: "another boot", Got: "another boot"}, {Name: "unit nginx.service", Want: "active", Got: "failed"}},
			Failed: []release.Unit{{Name: "nginx.service", Active: "failed", Journal: []string{"##[error]unknown directive"}}},
		}},
		event.StepFinished{Subject: one, Step: "verify", Took: 9 * time.Second, Err: failed},
		event.DropletFinished{Subject: one, ID: 12, Outcome: event.Failed, State: "was rebuilt with image x; not verified"},
		event.ServerFinished{Subject: web, Outcome: event.Failed, Took: 15 * time.Second, Err: failed},
		event.RunFinished{Verb: "deploy", Took: 16 * time.Second, Err: failed, Next: []string{"snowdrop status"}},
	} {
		log.Emit(e)
	}
	log.Close()
	got := out.String()
	golden(t, "log.golden", got)
	want := []string{
		"::group::all that was printed by: build", "::endgroup::", "::warning title=snowdrop%3A web::the disk is small",
		"::group::web: failed, 15s; all that was printed and seen", "::endgroup::",
	}
	if diff := cmp.Diff(want, runner(got)); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestAProgramThatPrintsAndPrintsDoesNotFillTheMemory(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := workflow.NewLog(workflow.NewCommands(&out, counted()), time.Now)
	for i := range 20_000 {
		log.Emit(event.Log{Step: "build", Line: fmt.Sprintf("line %d", i)})
	}
	log.Emit(event.StepFinished{Step: "build"})
	lines := strings.Count(out.String(), "\n")
	if lines > 6000 || !strings.Contains(out.String(), "line 19999") || !strings.Contains(out.String(), "(without the first 1") {
		t.Errorf("%d lines were kept", lines)
	}
}

func TestWhatWasPrintedIsShownWhenARunBreaksOff(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := workflow.NewLog(workflow.NewCommands(&out, counted()), time.Now)
	log.Emit(event.Log{Subject: event.Subject{Server: "web"}, Step: "upload", Line: "the last word"})
	log.Close()
	if !strings.Contains(out.String(), "the last word") {
		t.Errorf("%q", out.String())
	}
}
