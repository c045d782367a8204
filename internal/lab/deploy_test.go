package lab_test

import (
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/systemd"
)

func TestAnImageIsImportedAndADropletComesUpWithIt(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1", Volumes: []string{"data"}}}})
	before := l.State().Droplet("web-1")
	i := importImage(t, l, "snowdrop-web-1", upload(t, l, "images/nixos.raw.gz", compressed(t, webSpec())))
	if i.Status != "available" || i.MinDiskSize != 1 || len(i.Regions) != 1 {
		t.Fatalf("imported image is %+v", i)
	}
	if a := rebuild(t, l, before.ID, i.ID); a.Status != "completed" {
		t.Fatalf("rebuild ended as %s", a.Status)
	}
	conn := dial(t, l, before.IPv4(), "root")
	var s systemd.State
	until(t, "the droplet runs", func() bool {
		var err error
		s, err = systemd.Look(t.Context(), conn, systemd.Request{
			Units: []string{"nginx.service", "nowhere.service"}, UserUnits: map[string][]string{"deploy": {"node-start.service"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return s.Word == "running"
	})
	if s.System != system || s.BootID == before.Machine.BootID || s.BootID == "" || len(s.Failed) != 0 {
		t.Errorf("after the rebuild the look says %+v", s)
	}
	if len(s.HostKeys) != 2 || s.HostKeys[0] == before.Machine.HostKeys[0] {
		t.Errorf("host keys %v; want two new ones", s.HostKeys)
	}
	if s.Units[0].Active != "active" || !systemd.NotFound(s.Units[1]) || s.Units[2].Active != "active" || s.Units[2].User != "deploy" {
		t.Errorf("units are %+v", s.Units)
	}
	if len(s.Notes) != 0 {
		t.Errorf("notes: %q", s.Notes)
	}
	if r := sh(t, conn, "curl -fsS localhost/healthz", ""); strings.TrimSpace(string(r.Stdout)) != "ok" {
		t.Errorf("curl said %q, %q", r.Stdout, r.Stderr)
	}
	t.Logf("%+v", s)
}
