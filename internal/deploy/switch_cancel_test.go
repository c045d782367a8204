package deploy_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
)

func TestACancelledSwitchSaysInTimeWhatBecomesOfEachMachine(t *testing.T) {
	t.Parallel()
	for _, step := range []struct{ step, text string }{
		{"build", ""},
		{"copy", ""},
		{"activate", ""},
		{"activate", "starting"},
		{"activate", "activat"}, // on a busy computer it is over before it is looked at
		{"activate", "activated, waiting to be confirmed"},
		{"verify", ""},
	} {
		t.Run(strings.TrimSpace(step.step+" "+step.text), func(t *testing.T) {
			t.Parallel()
			s := switchable(t, "rollback")
			s.mustRun()
			s.release(second, "web", system(web("b"), "b"))
			d := s.deployer()
			plan, err := d.PlanSwitch(t.Context(), deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
			check(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var (
				at   time.Time
				once sync.Once // machines tell side by side
			)
			s.mu.Lock()
			s.on = func(e event.Event) {
				phase, isPhase := e.(event.Phase)
				started, isStart := e.(event.StepStarted)
				if isPhase && step.text != "" && phase.Step == step.step && strings.HasPrefix(phase.Text, step.text) ||
					isStart && step.text == "" && started.Step == step.step {
					once.Do(func() {
						at = time.Now()
						cancel()
					})
				}
			}
			s.mu.Unlock()
			result, err := d.Switch(ctx, plan)
			if at.IsZero() {
				t.Fatal("it was not cancelled")
			}
			if took := time.Since(at); took > 20*time.Second { // of a busy computer's
				t.Errorf("took %s to end", took)
			}
			if code := deploy.ExitCode(ctx, err); code != deploy.ExitCancelled {
				t.Errorf("ends with %d: %v", code, err)
			}
			check(t, s.clock.Sleep(t.Context(), 10*time.Second)) // it may only be about to begin
			s.sh("web-1", "while systemctl is-active snowdrop-switch.service; do sleep 1; done")
			one := result.Servers[0].Droplets[0]
			now, known := s.bootNow("web-1").System, s.known("web", "web-1")
			isNew := strings.Contains(now, "bbbb")
			switch {
			case isNew && (known.Switched == nil || known.Switched.Verb != "switch"):
				t.Errorf("it runs the new system, and the record says %+v", known.Switched)
			case isNew && !strings.Contains(one.State, "runs system bbbbbbbb"):
				t.Errorf("it runs the new system, and it is said that it %s", one.State)
			case !isNew && known.Switched != nil:
				t.Errorf("it runs the former system, and the record says %+v", known.Switched)
			case !isNew && !strings.Contains(one.State, "goes back by itself") && !strings.Contains(one.State, "runs what it ran before"):
				t.Errorf("it runs the former system, and it is said that it %s", one.State)
			}
		})
	}
}
