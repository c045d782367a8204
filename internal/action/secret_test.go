package action_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
	"github.com/versatus/snowdrop/internal/lab/nixplay"
)

// TestWhatFilesAndCommandsSayReachesNobody has a service that fails and prints the
// secrets that it was given.
func TestWhatFilesAndCommandsSayReachesNobody(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("cat"); err != nil {
		t.Skip("there is no cat here")
	}
	const inFile, printed = "canary-in-a-file-0c1d", "canary-of-a-command-77e2"
	p := newProject(t)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), []byte(inFile+"\n"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "printed"), []byte(printed+"\n"), 0o600))
	p.write("snowdrop.yaml", strings.Replace(fleetFile, "files: [", "files: [{path: /var/lib/a, from: {file: '"+filepath.Join(dir, "file")+"'}}, "+
		"{path: /var/lib/b, from: {command: [cat, '"+filepath.Join(dir, "printed")+"']}}, ", 1))
	p.action(t.Context(), "push", "1", push()).demand(t, 0)
	if got, err := p.lab.ReadFile("web-1", "/var/lib/b"); err != nil || string(got) != printed+"\n" {
		t.Fatalf("the file: %q, %v", got, err)
	}
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("2"), Parents: []string{sha("1")}, Message: "Broken"}))
	broken := web("broken")
	broken.Failed[0].Journal = append(broken.Failed[0].Journal, "it has "+inFile, "and "+printed)
	p.image = map[string]lab.ImageSpec{"web": broken, "api": web("a")}
	p.checkOut("2", nil)
	e := p.action(t.Context(), "push", "2", push())
	e.demand(t, 3)
	if text := p.checks("2")["snowdrop / web"].Text; strings.Count(text, "***") < 3 {
		t.Errorf("the check does not show the journal:\n%s", text)
	}
	told, err := json.Marshal(p.hub.State())
	check(t, err)
	told = append(told, e.told()...)
	for _, secret := range []string{inFile, printed} {
		if at := strings.Index(string(told), secret); at >= 0 {
			t.Errorf("%s is told: …%s…", secret, told[max(0, at-80):at+len(secret)])
		}
		if !strings.Contains(e.log, "::add-mask::"+secret+"\n") {
			t.Errorf("the runner is not told to hide %s", secret)
		}
	}
}

// TestATokenOfNixReachesNobody has one by the input and one by nix's own variable, and
// Nix repeats both.
func TestATokenOfNixReachesNobody(t *testing.T) {
	t.Parallel()
	const given, there = "canary_of_the_forge_5d0c", "canary_of_another_forge_11ab"
	p := newProject(t)
	p.env["NIX_CONFIG"] = "extra-access-tokens = forge.example=PAT:" + there
	p.checkOut("1", map[string]nixplay.Fault{".#web-image": {Message: "neither " + given + " nor " + there + " is right"}})
	e := p.action(t.Context(), "push", "1", push(), "nix-config", "access-tokens = gitlab.example=OAuth2:"+given)
	e.demand(t, 1)
	state, err := json.Marshal(p.hub.State())
	check(t, err)
	if !strings.Contains(e.log, "neither *** nor *** is right") {
		t.Errorf("the log: %s", e.log)
	}
	for _, token := range []string{given, there} {
		if strings.Contains(string(state)+e.told(), token) || !strings.Contains(e.log, "::add-mask::"+token+"\n") {
			t.Errorf("%s is told:\n%s", token, e.log)
		}
	}
}

// told is what people can read of a run: not what has the runner hide something.
func (e ended) told() string {
	text := e.summary + e.outputs["result"]
	for line := range strings.Lines(e.log) {
		if !strings.HasPrefix(line, "::add-mask::") {
			text += line
		}
	}
	return text
}

// TestASecretThatIsAWordDoesNotSpoilTheOutputs: workflows compare `changed` with "true".
func TestASecretThatIsAWordDoesNotSpoilTheOutputs(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.env["API_KEY"] = "true"
	e := p.action(t.Context(), "pull_request", "1", pullRequest(1, "1", false))
	e.demand(t, 0)
	if e.outputs["changed"] != "true" {
		t.Errorf("changed is %q", e.outputs["changed"])
	}
}
