package anywhere_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/exectest"
)

func TestEveryArgumentIsOneThatNixosAnywhereKnows(t *testing.T) {
	t.Parallel()
	c := anywhere.New(anywhere.Config{Options: map[string]string{"cores": "2", "a-list": "x y"}, Builders: "ssh://builder x86_64-linux"})
	ssh := anywhere.SSH{Config: "/run/ssh/config", Host: "db-1", User: "root", Port: 2222}
	for name, tc := range map[string]struct {
		job  anywhere.Job
		want []string
	}{
		"all that is asked for": {
			anywhere.Job{
				Program: "/opt/nixos-anywhere", Flake: ".#db", Phases: anywhere.Phases(), ExtraFiles: "/srv/extra files",
				CopyHostKeys: true, BuildOn: "remote", KexecPort: 2200, SSH: ssh,
			},
			[]string{
				"/opt/nixos-anywhere", "--flake", ".#db", "--target-host", "root@db-1.invalid", "--ssh-port", "2222",
				"--phases", "kexec,disko,install,reboot", "--build-on", "remote", "--post-kexec-ssh-port", "2200",
				"--extra-files", "/srv/extra files", "--copy-host-keys",
				"--option", "a-list", "x y", "--option", "cores", "2", "--option", "builders", "ssh://builder x86_64-linux",
			},
		},
		"by itself": {
			anywhere.Job{Flake: "github:acme/fleet#db", Phases: []anywhere.Phase{anywhere.Disko, anywhere.Install}, SSH: ssh},
			[]string{
				"nix", "run", "--extra-experimental-features", "nix-command flakes",
				"--option", "a-list", "x y", "--option", "cores", "2", "--option", "builders", "ssh://builder x86_64-linux",
				"github:nix-community/nixos-anywhere", "--",
				"--flake", "github:acme/fleet#db", "--target-host", "root@db-1.invalid", "--ssh-port", "2222",
				"--phases", "disko,install", "--build-on", "auto",
				"--option", "a-list", "x y", "--option", "cores", "2", "--option", "builders", "ssh://builder x86_64-linux",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, c.Command(tc.job)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTheRealOneKnowsOurArguments compares with the real program's help, where
// SNOWDROP_NIXOS_ANYWHERE names it.
func TestTheRealOneKnowsOurArguments(t *testing.T) {
	t.Parallel()
	program := os.Getenv("SNOWDROP_NIXOS_ANYWHERE")
	if program == "" {
		t.Skip("SNOWDROP_NIXOS_ANYWHERE names no nixos-anywhere")
	}
	help, err := exec.CommandContext(t.Context(), program, "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, help)
	}
	job := anywhere.Job{
		Program: program, Flake: ".#db", Phases: anywhere.Phases(), ExtraFiles: "extra", CopyHostKeys: true, BuildOn: "local",
		KexecPort: 22, SSH: anywhere.SSH{Host: "db", User: "root", Port: 22},
	}
	for _, arg := range anywhere.New(anywhere.Config{Options: map[string]string{"cores": "2"}}).Args(job) {
		if strings.HasPrefix(arg, "--") && !regexp.MustCompile(`(?m)^\* (-\w, )?`+arg+`( |$)`).Match(help) {
			t.Errorf("%s is not in its help", arg)
		}
	}
	for _, word := range slices.Concat(anywhere.BuildOn(), []string{"kexec,disko,install,reboot"}) {
		if !strings.Contains(string(help), word) {
			t.Errorf("%s is not in its help", word)
		}
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"kexec,disko,install,reboot": "kexec,disko,install,reboot",
		"reboot, kexec":              "kexec,reboot",
		"disko,disko":                "disko",
		"":                           "error",
		"kexec,":                     "error",
		"Kexec":                      "error",
		"format":                     "error",
	} {
		got := "error"
		if phases, err := anywhere.ParsePhases(text); err == nil {
			got = anywhere.Join(phases)
		}
		if got != want {
			t.Errorf("phases %q: %s, want %s", text, got, want)
		}
	}
}

// told is what a run told.
type told struct {
	stages []anywhere.Stage
	steps  []string
	lines  []string
}

func (o *told) progress() anywhere.Progress {
	return anywhere.Progress{
		Stage: func(s anywhere.Stage) { o.stages = append(o.stages, s) },
		Step:  func(text string) { o.steps = append(o.steps, text) },
		Log:   func(line string) { o.lines = append(o.lines, line) },
	}
}

// run runs a script in place of nixos-anywhere.
func run(t *testing.T, ctx context.Context, logs, script string) (told, error) { //nolint:revive // t comes first
	t.Helper()
	program := filepath.Join(t.TempDir(), "nixos-anywhere")
	exectest.Write(t, program, "#!/bin/sh\n"+script)
	var out told
	c := anywhere.New(anywhere.Config{LogDir: logs, Withheld: []string{"SNOWDROP_TEST_TOKEN"}})
	err := c.Run(ctx, anywhere.Job{Program: program, Flake: ".#db", Phases: anywhere.Phases(), SSH: somebody(t)}, out.progress())
	return out, err
}

// somebody is a host that nobody is to be asked for.
func somebody(t *testing.T) anywhere.SSH {
	t.Helper()
	return configured(t, "192.0.2.1", 22, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLh7PSyZ4tnhdYGaDHu5eg1LjVyGqPvLV2FAuCuNzYx")
}

const wholeRun = `
echo '### Uploading install SSH keys ###'
echo '### Gathering machine facts ###'
echo '### Switching system into kexec ###'
printf 'downloading 1 %%\rdownloading 2 %%\r\n'
echo '### Formatting hard drive with disko ###' >&2
echo '### Uploading the system closure ###'
echo '### Copying extra files ###'
echo '### Installing NixOS ###'
echo '### Rebooting ###'
echo '### Waiting for the machine to become unreachable due to reboot ###'
printf '### Done! ###'
`

func TestAnInstallationIsToldStageByStage(t *testing.T) {
	needsShell(t)
	t.Setenv("SNOWDROP_TEST_TOKEN", "canary")
	logs := t.TempDir()
	out, err := run(t, t.Context(), logs, `[ -z "$SNOWDROP_TEST_TOKEN" ] || exit 9`+wholeRun)
	if err != nil {
		t.Fatal(err)
	}
	want := []anywhere.Stage{anywhere.Leaving, anywhere.Formatting, anywhere.Installing, anywhere.Rebooting, anywhere.Done}
	if diff := cmp.Diff(want, out.stages); diff != "" {
		t.Error(diff)
	}
	if len(out.steps) != 10 || len(out.lines) != 11 || out.lines[3] != "downloading 1 %\rdownloading 2 %" {
		t.Errorf("steps %q, lines %q", out.steps, out.lines)
	}
	if left, _ := os.ReadDir(logs); len(left) > 0 {
		t.Errorf("%d logs are kept of a run that went well", len(left))
	}
}

func TestAFailureSaysHowFarItGot(t *testing.T) {
	t.Parallel()
	needsShell(t)
	for name, tc := range map[string]struct {
		script string
		stage  anywhere.Stage
		says   []string
	}{
		"before anything": {`echo 'aborted: no cpio command found' >&2; exit 1`, anywhere.Preparing, []string{"exit status 1", "no cpio command found"}},
		"while it formats": {
			`echo '### Formatting hard drive with disko ###'; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo "line $i"; done; exit 3`,
			anywhere.Formatting,
			[]string{"exit status 3", `step "Formatting hard drive with disko"`, "line 13", "is in "},
		},
		"without a word": {`exit 0`, anywhere.Preparing, []string{"without a word"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := run(t, t.Context(), t.TempDir(), tc.script)
			failed := (*anywhere.FailedError)(nil)
			if !errors.As(err, &failed) || failed.Stage != tc.stage {
				t.Fatalf("failed at %+v", err)
			}
			for _, words := range tc.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not said: %v", words, err)
				}
			}
			if strings.Contains(err.Error(), "line 1\n") {
				t.Errorf("more than the last lines: %v", err)
			}
			if text, err := os.ReadFile(failed.Log); err != nil || tc.stage == anywhere.Formatting && !strings.Contains(string(text), "line 1\n") {
				t.Errorf("the log: %q, %v", text, err)
			}
		})
	}
}

// TestARefusedHostKeyEndsTheTrying: nixos-anywhere tries again for ever.
func TestARefusedHostKeyEndsTheTrying(t *testing.T) {
	t.Parallel()
	needsShell(t)
	_, err := run(t, t.Context(), "", `echo '### Switching system into kexec ###'; while :; do printf 'The fingerprint is\nSHA256:abc.\nremove with: ssh-keygen -R x\nHost key verification failed.\n' >&2; sleep 1; done`)
	failed := (*anywhere.FailedError)(nil)
	if !errors.Is(err, anywhere.ErrHostKey) || !errors.As(err, &failed) || failed.Stage != anywhere.Leaving || cmp.Diff([]string{"SHA256:abc."}, failed.Last) != "" {
		t.Errorf("%v", err)
	}
}

// TestASystemThatBootsFastIsNoImpostor: nixos-anywhere tries the host until it is
// away, and may meet the new system.
func TestASystemThatBootsFastIsNoImpostor(t *testing.T) {
	t.Parallel()
	needsShell(t)
	_, err := run(t, t.Context(), "", `echo '### Rebooting ###'; echo 'Host key verification failed.' >&2; echo '### Done! ###'`)
	if err != nil {
		t.Error(err)
	}
}

// TestWhatItLeavesBehindIsNoFailure: a process in the background keeps its output open.
func TestWhatItLeavesBehindIsNoFailure(t *testing.T) {
	t.Parallel()
	needsShell(t)
	if _, err := run(t, t.Context(), "", "sleep 8 & echo '### Done! ###'"); err != nil {
		t.Error(err)
	}
}

// TestACancelledRunLeavesNoProcess: a shell that waits for another program hears
// nothing of a signal to itself.
func TestACancelledRunLeavesNoProcess(t *testing.T) {
	t.Parallel()
	needsShell(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	child := filepath.Join(t.TempDir(), "child")
	go func() {
		for {
			if _, err := os.Stat(child); err == nil || t.Context().Err() != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel(errors.New("enough"))
	}()
	start := time.Now()
	_, err := run(t, ctx, "", "trap '' TERM\nexport CHILD='"+child+"'\n"+`sh -c 'trap "" TERM; echo $$ >"$CHILD.new"; mv "$CHILD.new" "$CHILD"; while :; do sleep 100; done'`)
	if err == nil || !strings.Contains(err.Error(), "enough") {
		t.Fatalf("%v", err)
	}
	for i := 0; exectest.Lives(t, child); i++ {
		if i == 5000 {
			t.Fatalf("the process lives on after %s", time.Since(start))
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	t.Parallel()
	needsShell(t)
	c := anywhere.New(anywhere.Config{Nix: "no-such-nix"})
	for program, want := range map[string]string{"/nowhere/nixos-anywhere": "/nowhere/nixos-anywhere", "": "no-such-nix"} {
		err := c.Run(t.Context(), anywhere.Job{Program: program, SSH: somebody(t)}, anywhere.Progress{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}
