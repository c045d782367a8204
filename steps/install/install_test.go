package install_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
	"github.com/versatus/snowdrop/steps/install"
)

// program stands in for nixos-anywhere.
type program func(ctx context.Context, j anywhere.Job, p anywhere.Progress) error

func (f program) Run(ctx context.Context, j anywhere.Job, p anywhere.Progress) error {
	return f(ctx, j, p)
}

func dialer(t *testing.T) *remote.Dialer {
	t.Helper()
	_, key := sshtest.NewPrivateKey(t)
	d, err := remote.New(remote.Config{Env: func(name string) string { return map[string]string{"SSH_PRIVATE_KEY": key}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func in(t *testing.T) install.In {
	t.Helper()
	return install.In{
		Target: remote.Target{
			Name: "db-1", Address: "192.0.2.1", Port: 2222, User: "admin",
			Keys: remote.HostKeys{Known: []string{sshtest.Line(sshtest.NewKey(t).PublicKey())}, AcceptNewSet: true},
		},
		Job: anywhere.Job{Flake: ".#db", Phases: anywhere.Phases()},
		At:  func(anywhere.Stage, time.Time) {},
	}
}

// TestOpenSSHGetsTheWayToTheHostForTheTimeOfTheRun: and no key that is not known.
func TestOpenSSHGetsTheWayToTheHostForTheTimeOfTheRun(t *testing.T) {
	t.Parallel()
	asked := in(t)
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var stages []anywhere.Stage
	asked.At = func(s anywhere.Stage, when time.Time) {
		if !when.Equal(at) {
			t.Errorf("stage %d at %s", s, when)
		}
		stages = append(stages, s)
	}
	var phases []string
	tell := event.NewTeller(event.SinkFunc(func(e event.Event) {
		if phase, ok := e.(event.Phase); ok {
			phases = append(phases, phase.Text)
		}
	}), event.Subject{}, "install")
	config := ""
	step := install.Step{Dialer: dialer(t), Now: func() time.Time { return at }, Anywhere: program(func(_ context.Context, j anywhere.Job, p anywhere.Progress) error {
		config = j.SSH.Config
		if _, err := os.Stat(config); err != nil || j.SSH.User != "admin" || j.SSH.Port != 2222 || j.SSH.Host == "" || j.Flake != ".#db" {
			t.Errorf("%+v: %v", j, err)
		}
		if ssh, err := exec.LookPath("ssh"); err == nil {
			out, err := exec.CommandContext(t.Context(), ssh, "-G", "-F", config, j.SSH.Host).Output()
			if err != nil || !strings.Contains(string(out), "\nstricthostkeychecking true\n") {
				t.Errorf("ssh would accept new keys: %v\n%s", err, out)
			}
		}
		p.Step("Rebooting 100%")
		p.Stage(anywhere.Rebooting)
		p.Stage(anywhere.Done)
		return nil
	})}
	out, err := step.Run(t.Context(), tell, asked)
	if err != nil || !out.RebootedAt.Equal(at) {
		t.Errorf("%+v, %v", out, err)
	}
	if diff := cmp.Diff([]anywhere.Stage{anywhere.Rebooting, anywhere.Done}, stages) + cmp.Diff([]string{"Rebooting 100%"}, phases); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the configuration with its keys is left behind: %v", err)
	}
}

func TestAHostWithoutAKnownKeyIsNotInstalled(t *testing.T) {
	t.Parallel()
	asked := in(t)
	asked.Target.Keys.Known = nil
	step := install.Step{Dialer: dialer(t), Now: time.Now, Anywhere: program(func(context.Context, anywhere.Job, anywhere.Progress) error {
		t.Error("it was run")
		return nil
	})}
	if _, err := step.Run(t.Context(), event.Teller{}, asked); err == nil || !strings.Contains(err.Error(), "no host key of it is known") {
		t.Errorf("%v", err)
	}
}

func TestARefusedKeySaysWhatToDo(t *testing.T) {
	t.Parallel()
	for stage, says := range map[anywhere.Stage]string{
		anywhere.Preparing: "than a moment ago", anywhere.Leaving: "takes over from /etc/ssh",
	} {
		step := install.Step{Dialer: dialer(t), Now: time.Now, Anywhere: program(func(context.Context, anywhere.Job, anywhere.Progress) error {
			return &anywhere.FailedError{Stage: stage, Err: anywhere.ErrHostKey}
		})}
		_, err := step.Run(t.Context(), event.Teller{}, in(t))
		if !errors.Is(err, anywhere.ErrHostKey) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "db-1") {
			t.Errorf("stage %d: %v", stage, err)
		}
	}
}

// TestAnInstallationThatHangsIsEnded: nixos-anywhere itself waits for ever.
func TestAnInstallationThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	asked := in(t)
	asked.Timeout = time.Millisecond
	step := install.Step{Dialer: dialer(t), Now: time.Now, Anywhere: program(func(ctx context.Context, _ anywhere.Job, _ anywhere.Progress) error {
		<-ctx.Done()
		return &anywhere.FailedError{Err: context.Cause(ctx)}
	})}
	if _, err := step.Run(t.Context(), event.Teller{}, asked); !errors.Is(err, remote.ErrTimeout) || !strings.Contains(err.Error(), "not done after 1ms") {
		t.Errorf("%v", err)
	}
}
