package action

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action/workflow"
)

func TestTokensInNixConfAreKnownAsSecrets(t *testing.T) {
	t.Parallel()
	config := "substituters = https://cache.example.com\nextra-access-tokens = github.com=ghp_abc gitlab.com=PAT:glpat-x # access-tokens = a=b\naccess-tokens=one=two\n"
	want := []string{"ghp_abc", "PAT:glpat-x", "glpat-x", "two"}
	if diff := cmp.Diff(want, tokensOf(config)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEmulationIsNoticedHoweverItIsAskedFor(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]bool{
		"extra-system-features = kvm": true, "system-features = nixos-test kvm big-parallel": true, "extra-system-features=kvm": true,
		"": false, "# extra-system-features = kvm": false, "system-features = nixos-test": false, "x = kvm": false,
	} {
		if got := emulates(config, nil); got != want {
			t.Errorf("%q: %v", config, got)
		}
	}
	if !emulates("", map[string]string{"extra-system-features": "kvm"}) {
		t.Error("the fleet file is not looked at")
	}
}

func TestNixGetsTheTokenAndTheWorkflowsLines(t *testing.T) {
	t.Parallel()
	r := &runner{event: workflow.Event{ServerURL: "https://github.com"}, inputs: workflow.Inputs{GitHubToken: "ghs_x", NixConfig: "max-jobs = 2"}}
	if got := r.nixConfig(); got != "extra-access-tokens = github.com=ghs_x\nmax-jobs = 2" {
		t.Errorf("%q", got)
	}
	if got := (&runner{event: workflow.Event{ServerURL: "https://github.com"}}).nixConfig(); got != "" {
		t.Errorf("without either: %q", got)
	}
}
