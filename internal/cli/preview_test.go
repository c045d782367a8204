package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
)

func TestAPreviewOnTheCommandLine(t *testing.T) {
	t.Parallel()
	p := acme(t)
	code, _, stderr := p.run("preview", "up", "7")
	if code != deploy.ExitUsage || !strings.Contains(stderr, "preview: {}") {
		t.Fatalf("without a preview key: exit %d: %s", code, stderr)
	}
	p.write("snowdrop.yaml", fleetFile+"preview: {max: 1}\n")
	code, stdout, stderr := p.run("preview", "up", "#7")
	if code != deploy.ExitDone || !strings.Contains(stdout, "0.0089 USD an hour") || !strings.Contains(stdout, "preview-pr-7-web") {
		t.Fatalf("up: exit %d: %s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = p.run("preview", "up", "8")
	if code != deploy.ExitFailed || !strings.Contains(stdout+stderr, "there may be 1 preview droplet (preview.max)") {
		t.Errorf("one too many: exit %d: %s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = p.run("preview", "list")
	address := p.lab.State().Droplet("preview-pr-7-web").IPv4()
	for _, want := range []string{"#7", "preview-pr-7-web", address, "s-1vcpu-1gb", "1 of at most 1 preview droplets"} {
		if code != deploy.ExitDone || !strings.Contains(stdout, want) {
			t.Errorf("list: exit %d, %q is not in\n%s%s", code, want, stdout, stderr)
		}
	}
	code, stdout, stderr = p.run("preview", "list", "--json")
	var list []deploy.Preview
	if err := json.Unmarshal([]byte(stdout), &list); code != deploy.ExitDone || err != nil || len(list) != 1 || list[0].Pull != 7 {
		t.Errorf("list --json: exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	namedAlike(t, stdout)
	if code, _, stderr = p.run("preview", "sweep", "--yes"); code != deploy.ExitDone || p.lab.State().Droplet("preview-pr-7-web") == nil {
		t.Errorf("a sweep before its time: exit %d: %s", code, stderr)
	}
	if code, _, stderr = p.run("preview", "down", "7"); code != deploy.ExitUsage || !strings.Contains(stderr, "--yes") {
		t.Errorf("down without anybody to ask: exit %d: %s", code, stderr)
	}
	if code, stdout, stderr = p.run("preview", "down", "7", "--yes"); code != deploy.ExitDone {
		t.Errorf("down: exit %d: %s%s", code, stdout, stderr)
	}
	if d := p.lab.State().Droplets; len(d) != 1 || d[0].Name != "web-1" {
		t.Errorf("droplets: %+v", d)
	}
}

func TestDoctorTriesWhatPreviewsNeed(t *testing.T) {
	t.Parallel()
	p := acme(t)
	if text := p.want(0, "doctor"); strings.Contains(text, "droplet:create") {
		t.Errorf("a fleet without previews creates no droplets:\n%s", text)
	}
	p.write("snowdrop.yaml", fleetFile+"preview: {}\n")
	hasAll(t, p.want(0, "doctor"), "scope sizes:read", "scope ssh_key:read", "scope droplet:create", "scope droplet:delete")
	p.write("snowdrop.yaml", fleetFile+"preview: {ssh-keys: [\"3b:16:bf:e4:8b:00:8b:b8:59:8c:a9:d3:f0:19:45:fa\"]}\n")
	if text := p.want(0, "doctor"); strings.Contains(text, "ssh_key:read") {
		t.Errorf("the account's keys are not asked for:\n%s", text)
	}
}

func TestAPreviewsWrongUseIsSaid(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.write("snowdrop.yaml", fleetFile+"preview: {}\n")
	for _, args := range [][]string{{"preview"}, {"preview", "up"}, {"preview", "up", "web"}, {"preview", "down", "0", "--yes"}, {"preview", "up", "7", "--server", "wbe"}} {
		if code, _, stderr := p.run(args...); code != deploy.ExitUsage || stderr == "" {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
}
