package deploy_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/activate"
)

// next are the commands that the last run proposes.
func (s *scene) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, _ := s.events[len(s.events)-1].(event.RunFinished)
	return strings.Join(end.Next, "\n")
}

func TestABatchThatGoesBackOverATestOrABootIsRecordedAsItIs(t *testing.T) {
	t.Parallel()
	for _, verb := range []activate.Verb{activate.Test, activate.Boot} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			s := switchable(t, "rollback")
			s.mustRun()
			s.release(second, "web", system(web("b"), "b"))
			s.switchWeb(verb)
			s.release(third, "web", system(webBroken(), "c"))
			if _, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}}); deploy.ExitCode(t.Context(), err) != deploy.ExitRolledBack {
				t.Fatalf("ends as %v%s", err, causes(err))
			}
			for range 2 {
				now := s.bootNow("web-1").System
				s.sh("web-1", "test $(readlink -f /nix/var/nix/profiles/system) = "+now)
				if sw := s.known("web", "web-1").Switched; (sw == nil) != strings.Contains(now, "aaaa") || sw != nil && (sw.Verb != "switch" || sw.System != now) {
					t.Errorf("it runs %s, record: %+v", now, sw)
				}
				s.reboot("web-1")
			}
		})
	}
}

func TestASystemThatIsNotKeptIsLeftByAReboot(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.sh("web-1", "rm -rf /nix/var/nix/profiles; touch /nix/var/nix/profiles")
	_, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	if sw := s.known("web", "web-1").Switched; sw == nil || sw.Verb != "test" {
		t.Fatalf("record: %+v%s", sw, causes(err))
	}
	says(t, s.next(), "snowdrop ssh web-1 -- reboot")
	if strings.Contains(s.next(), "--rollback") {
		t.Errorf("goes back one too far:\n%s", s.next())
	}
}

func TestAHostThatRefusesKeepsItsRelease(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"db"}}}
	s.release(first, "db", system(web("f"), "f"))
	if _, err := s.doSwitch(req); err != nil {
		t.Fatalf("%v%s", err, causes(err))
	}
	before := s.record("db")
	s.release(second, "db", system(web("g"), "g"))
	server := s.fleet.Servers["db"]
	server.SSH.User = "deploy"
	s.fleet.Servers["db"] = server
	_, err := s.doSwitch(req)
	says(t, causes(err), "nothing was changed", "--sudo")
	if diff := cmp.Diff(before, s.record("db")); diff != "" {
		t.Errorf("nothing was activated, and the record changed: %s", diff)
	}
}

func TestADropletThatWentBackFurtherSaysWhatItRuns(t *testing.T) {
	t.Parallel()
	s := switchable(t, "rollback")
	old := system(web("a"), "a")
	s.release(first, "web", old)
	s.mustRun()
	one := s.imageName("web")
	s.release(second, "web", system(web("b"), "b"))
	s.mustRun()
	s.release(third, "web", system(web("c"), "c"))
	s.switchWeb("")
	s.release(third, "web", system(web("b"), "b"))
	server := s.fleet.Servers["web"]
	server.Verify.Run = []string{"test $(readlink -f /run/current-system) = " + old.System}
	s.fleet.Servers["web"] = server
	result, err := s.run(t.Context())
	if got := outcomes(result)["web-1"]; got != event.RolledBack || s.runs("web-1") != one {
		t.Fatalf("%s, runs %s%s", got, s.runs("web-1"), causes(err))
	}
	if rec := s.record("web"); rec.Outcome != release.RolledBack || rec.CustomImage.Name != one {
		t.Errorf("record: %+v", rec)
	}
	hash := strings.TrimPrefix(one, "snowdrop-web-")[:8]
	says(t, result.Servers[0].Droplets[0].State, "runs image "+hash)
}

func TestABootThatIsNotKeptIsNotCalledVerified(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.sh("web-1", "rm -rf /nix/var/nix/profiles; touch /nix/var/nix/profiles")
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}, Verb: activate.Boot})
	if state := result.Servers[0].Droplets[0].State; err == nil || strings.Contains(state, "verified") {
		t.Errorf("%s%s", state, causes(err))
	}
	if sw := s.known("web", "web-1").Switched; sw != nil {
		t.Errorf("record: %+v", sw)
	}
}

func TestAMachineThatSomebodyElseSwitchesIsNotCalledVerified(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	activating, refused, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	s.mu.Lock()
	s.on = func(e event.Event) {
		if phase, ok := e.(event.Phase); ok && phase.Step == "activate" && strings.HasPrefix(phase.Text, "activat") {
			once.Do(func() {
				close(activating)
				<-refused
			})
		}
	}
	s.mu.Unlock()
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}, Confirm: time.Hour}
	s.nix = &interrupted{Builder: s.builder, by: func() {
		go func() {
			_, err := s.doSwitch(req)
			ended <- err
		}()
		select {
		case <-activating:
		case err := <-ended:
			t.Errorf("it ended before it began: %v", err)
			ended <- err
		}
	}}
	_, err := s.doSwitch(req)
	says(t, causes(err), "another switch is under way")
	if known := s.known("web", "web-1"); known.Evidence.OK() || !known.VerifiedAt.IsZero() {
		t.Errorf("record: %+v", known)
	}
	close(refused)
	if err := <-ended; err != nil {
		t.Fatalf("%v%s", err, causes(err))
	}
	if known := s.known("web", "web-1"); known.Switched == nil || !known.Evidence.OK() {
		t.Errorf("record: %+v", known)
	}
}

// interrupted is a nix during whose first copy something else is done.
type interrupted struct {
	*lab.Builder
	by   func()
	done atomic.Bool
}

func (i *interrupted) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	if i.done.CompareAndSwap(false, true) {
		i.by()
	}
	return i.Builder.Copy(ctx, c, p)
}
