package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/fleet"
)

// timers are the OnCalendar of systemd/snowdrop-cycle@NAME.timer, by NAME.
func timers(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("systemd/snowdrop-cycle@*.timer")
	if err != nil || len(files) == 0 {
		t.Fatalf("timers: %v, %v", files, err)
	}
	out := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(file, ".timer"), "@")
		_, rest, ok := strings.Cut(string(text), "\nOnCalendar=")
		if !ok {
			t.Fatalf("%s has no OnCalendar", file)
		}
		out[name], _, _ = strings.Cut(rest, "\n")
	}
	return out
}

// calendar is a cron of numbers, lists and stars as systemd writes it.
func calendar(t *testing.T, cron string) string {
	t.Helper()
	fields := strings.Fields(cron)
	if len(fields) != 5 || !regexp.MustCompile(`^[\d*, ]+$`).MatchString(cron) {
		t.Fatalf("the test cannot translate the cron %q", cron)
	}
	two := func(field string) string {
		if len(field) == 1 && field != "*" {
			return "0" + field
		}
		return field
	}
	text := fmt.Sprintf("*-%s-%s %s:%s:00 UTC", two(fields[3]), two(fields[2]), two(fields[1]), two(fields[0]))
	if fields[4] == "*" {
		return text
	}
	days := []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	var names []string
	for day := range strings.SplitSeq(fields[4], ",") {
		names = append(names, days[day[0]-'0'])
	}
	return strings.Join(names, ",") + " " + text
}

func TestTimersAreTheExampleFleetsCycles(t *testing.T) {
	t.Parallel()
	f, err := fleet.Load("fleet/snowdrop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for name, cycle := range f.Cycles {
		want[name] = calendar(t, cycle.Cron)
	}
	if diff := cmp.Diff(want, timers(t)); diff != "" {
		t.Errorf("cycles of the fleet file (-) and timers (+):\n%s", diff)
	}
}

// TestSystemdMeansTheSameTimes asks systemd when the timers are due, over the days on
// which clocks are changed.
func TestSystemdMeansTheSameTimes(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd here")
	}
	f, err := fleet.Load("fleet/snowdrop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	due := regexp.MustCompile(`\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC`)
	for name, on := range timers(t) {
		for _, base := range []string{"2026-03-27 12:00:00", "2026-10-23 12:00:00", "2027-12-30 23:59:59"} {
			cmd := exec.CommandContext(t.Context(), analyze, "calendar", "--iterations=5", "--base-time="+base+" UTC", on)
			cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			at, err := time.Parse(time.DateTime, base)
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for range 5 {
				if at, err = f.Cycles[name].Next(at); err != nil {
					t.Fatal(err)
				}
				want = append(want, at.Format(time.DateTime))
			}
			for line := range strings.Lines(string(out)) {
				if m := due.FindStringSubmatch(line); m != nil && !strings.Contains(line, "Normalized") && !strings.Contains(line, "Original") {
					got = append(got, m[1])
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s after %s:\n%s\n%s", name, base, diff, out)
			}
		}
	}
}

func TestSystemdFindsNoFaultInTheUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd here")
	}
	dir := t.TempDir()
	service, err := os.ReadFile("systemd/snowdrop-cycle@.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program need not be there. A shell is, also on NixOS.
	text := strings.Replace(string(service), "/usr/local/bin/snowdrop ", "/bin/sh ", 1)
	if err := os.WriteFile(filepath.Join(dir, "snowdrop-cycle@.service"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	units := []string{"verify", "--man=no"}
	for name := range timers(t) {
		data, err := os.ReadFile("systemd/snowdrop-cycle@" + name + ".timer")
		if err != nil {
			t.Fatal(err)
		}
		timer := filepath.Join(dir, "snowdrop-cycle@"+name+".timer")
		if err := os.WriteFile(timer, data, 0o600); err != nil {
			t.Fatal(err)
		}
		units = append(units, timer, filepath.Join(dir, "snowdrop-cycle@"+name+".service"))
	}
	cmd := exec.CommandContext(t.Context(), analyze, units...) //nolint:gosec // systemd's own program
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) || strings.Contains(string(out), "snowdrop") {
		t.Errorf("%v\n%s", err, out)
	}
}
