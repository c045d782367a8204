package toplevel

import (
	"encoding/json"
	"regexp"
	"strings"
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

func TestWhatWantsAUnitIsAPartOfIt(t *testing.T) {
	t.Parallel()
	links := func(drawers ...string) Snapshot {
		n := release1()
		n.more = func(s *fakeStore) {
			for _, d := range drawers {
				s.link("«system-units»/"+d+"/sshd.service", "../sshd.service")
			}
		}
		return n.build(t, "1")
	}
	// It says WantedBy=multi-user.target itself.
	got := Compare(links("multi-user.target.wants", "sysinit.target.wants"), links("multi-user.target.wants", "network.target.requires"))
	want := []UnitChange{{Name: "sshd.service", Kind: changed, Lines: []string{"-# wanted by sysinit.target", "+# required by network.target"}, OnSwitch: restarts}}
	if diff := cmp.Diff(want, got.Units); diff != "" {
		t.Error(diff)
	}
}

func TestUnitsOfUsersManagersAreToldApart(t *testing.T) {
	t.Parallel()
	next := release1()
	next.more = func(s *fakeStore) {
		s.file("«unit-sshd»/sshd.service", "[Service]\nExecStart=x\n")
		s.link("«etc»/etc/systemd/user", "«user-units»")
		s.link("«user-units»/sshd.service", "«unit-sshd»/sshd.service")
		s.link("«user-units»/default.target.wants/sshd.service", "../sshd.service")
	}
	after := next.build(t, "1")
	got := Compare(release1().build(t, "1"), after)
	if diff := cmp.Diff([]UnitChange{{Name: "sshd.service (user)", Kind: added}}, got.Units); diff != "" {
		t.Error(diff)
	}
	if text := after.Units["sshd.service (user)"].Text; text != "[Service]\nExecStart=x\n# wanted by default.target" {
		t.Errorf("the unit is %q", text)
	}
}

func TestAChangeInAFileThatAUnitNames(t *testing.T) {
	t.Parallel()
	build := func(build, triggers, settings string) Snapshot {
		n := release1()
		n.more = func(s *fakeStore) {
			// Nothing but the trigger names the file, and the file names another one.
			s.file("«included.conf»", settings)
			s.file("«app.conf»", "include «included.conf»;\nlog «app-1.0»/share;\n")
			s.file("«other.conf»", "other\n")
			s.file("«X-Restart-Triggers-app»", triggers)
			s.unit("app.service", "[Unit]\nX-Restart-Triggers=«X-Restart-Triggers-app»\n[Service]\nExecStart=«app-1.0»/bin/app\n")
		}
		return n.build(t, build)
	}
	const files, text = "«other.conf» «app.conf»", "«app.conf» hush"
	for _, triggers := range []string{files, text} {
		if d := Compare(build("1", triggers, "a=1"), build("2", triggers, "a=1")); !d.Empty() {
			t.Errorf("built again, it is different: %+v", d.Units)
		}
	}
	digits := regexp.MustCompile(`…[0-9a-f]{6}`)
	for triggers, want := range map[string]string{
		files: "X-Restart-Triggers=/nix/store/…#-other.conf /nix/store/…#-app.conf",
		text:  "X-Restart-Triggers=/nix/store/…#-X-Restart-Triggers-app",
	} {
		d := Compare(build("1", triggers, "a=1"), build("1", triggers, "a=2"))
		if len(d.Units) != 1 || d.Units[0].OnlyVersions || len(d.Units[0].Lines) != 2 {
			t.Fatalf("a change two files away is %+v", d.Units)
		}
		lines := d.Units[0].Lines
		if lines[0][1:] == lines[1][1:] {
			t.Errorf("the lines say the same: %q", lines)
		}
		for i, sign := range []string{"-", "+"} {
			if diff := cmp.Diff(sign+want, digits.ReplaceAllString(lines[i], "…#")); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestKernelParametersAreWithoutHashes(t *testing.T) {
	t.Parallel()
	n := release1()
	n.params = "init=/nix/store/00000000000000000000000000000000-x-1/init quiet"
	if diff := cmp.Diff([]string{"init=/nix/store/…-x-1/init", "quiet"}, n.build(t, "1").KernelParams); diff != "" {
		t.Error(diff)
	}
}

func TestDropIns(t *testing.T) {
	t.Parallel()
	n := release1()
	n.more = func(s *fakeStore) {
		s.file("«unit-a»/a.conf", "[Service]\nUser=a\n")
		s.link("«system-units»/sshd.service.d/20-b.conf", "«unit-a»/a.conf")
		s.link("«system-units»/sshd.service.d/10-off.conf", "/dev/null")
		s.link("«system-units»/sshd.service.d/README", "«unit-a»/a.conf")
		// For all services; and for one that the system has no unit for.
		s.link("«system-units»/service.d/all.conf", "«unit-a»/a.conf")
		// One that cannot be read makes the whole unit one that is not compared.
		s.link("«system-units»/nginx.service.d/a.conf", "«gone»/a.conf")
		s.link("«system-units»/firewall.service.d", "«gone»")
	}
	snap := n.build(t, "1")
	if text := snap.Units["sshd.service"].Text; !strings.HasSuffix(text, "\n# 10-off.conf\n# masked\n# 20-b.conf\n[Service]\nUser=a") {
		t.Errorf("the unit is %q", text)
	}
	if text := snap.Units["service"].Text; text != "# all.conf\n[Service]\nUser=a" {
		t.Errorf("what is for all services is %q", text)
	}
	for _, name := range []string{"nginx.service", "firewall.service"} {
		if u := snap.Units[name]; !u.Unread || u.Text != "" {
			t.Errorf("%s is %+v", name, u)
		}
	}
	want := []string{
		"the unit firewall.service is not compared: the folder of its drop-ins is not in the store",
		"the unit nginx.service is not compared: its drop-in a.conf is not in the store",
	}
	if diff := cmp.Diff(want, snap.Unknown); diff != "" {
		t.Error(diff)
	}
}
