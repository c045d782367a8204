package toplevel

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheSameSystemBuiltAgainIsNotDifferent(t *testing.T) {
	t.Parallel()
	before, after := release1().build(t, "1"), release1().build(t, "2")
	if before.Toplevel == after.Toplevel {
		t.Fatal("the second build has the same path, so this shows nothing")
	}
	if diff := cmp.Diff(Diff{}, Compare(before, after)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatASnapshotHolds(t *testing.T) {
	t.Parallel()
	golden(t, "snapshot.json", asJSON(t, release1().build(t, "1")))
}

func TestARelease(t *testing.T) {
	t.Parallel()
	next := release1()
	next.version, next.kernel, next.systemd, next.openssh = "25.11.20251201.d4e5f6a", "6.12.60", "258.2", "10.2p1"
	next.nginx, next.coreutils = "1.28.1", "9.8"
	next.params = "console=ttyS0 loglevel=7 quiet"
	next.ports += "ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-accept \n"
	next.users = `{"users":[{"name":"root"},{"name":"nginx"},{"name":"alice"}]}`
	next.nginxConf = "user nginx;\nworker_processes auto;\n"
	next.more = func(s *fakeStore) {
		s.unit("backup.service", "[Service]\nExecStart=«restic-0.18.0»/bin/restic backup\n")
		s.unit("backup.timer", "[Timer]\nOnCalendar=daily\n")
	}
	golden(t, "release.json", asJSON(t, Compare(release1().build(t, "1"), next.build(t, "2"))))
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}
