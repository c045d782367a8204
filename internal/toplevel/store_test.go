package toplevel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinksAreFollowedWithinTheStoreOnly(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.must(os.WriteFile(filepath.Join(s.root, "secret"), []byte("[Service]\nUser=outside\n"), 0o600))
	n := release1()
	n.more = func(s *fakeStore) {
		s.link("«system-units»/absolute.service", "/secret")
		s.link("«system-units»/relative.service", "../../../../secret")
		s.link("«system-units»/deep.service", "«nginx-1.28.0»/../../../secret")
		s.link("«loop-a»", "«loop-b»")
		s.link("«loop-b»", "«loop-a»")
		s.link("«system-units»/loop.service", "«loop-a»")
		s.link("«system-units»/dangling.service", "«gone»/dangling.service")
		s.folder("«system-units»/folder.service")
		s.file("«binary»", "\x00\x01")
		s.link("«system-units»/binary.service", "«binary»")
		s.file("«large»", strings.Repeat("# a\n", maxFile/4)+"#")
		s.link("«system-units»/large.service", "«large»")
	}
	snap := n.in(s)
	for _, name := range []string{"absolute", "relative", "deep", "loop", "dangling", "folder", "binary", "large"} {
		if u := snap.Units[name+".service"]; !u.Unread || u.Text != "" {
			t.Errorf("%s.service was read: %q", name, u.Text)
		}
	}
	golden(t, "unread.txt", strings.Join(snap.Unknown, "\n")+"\n")

	// What could not be read on one side is neither removed nor changed.
	for _, u := range Compare(snap, release1().build(t, "1")).Units {
		if u.Kind != removed {
			t.Errorf("%+v", u)
		}
	}
	next := release1()
	next.more = func(s *fakeStore) { s.unit("absolute.service", "[Service]\nUser=new\n") }
	for _, u := range Compare(snap, next.build(t, "1")).Units {
		if u.Name == "absolute.service" {
			t.Errorf("compared with a unit that was not read: %+v", u)
		}
	}
}

func TestASystemThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.file("«nixos-system-file-1»", "a file")
	// One that is no folder is there, and nothing is known of it.
	if snap, err := Take(s.root, s.path("nixos-system-file-1")); err != nil || len(snap.Unknown) != 1 {
		t.Errorf("a system that is a file: %v, unknown is %q", err, snap.Unknown)
	}
	for name, top := range map[string]string{
		"relative":     "nix/store/x",
		"no hash":      "/nix/store/nixos-system-web-25.05",
		"not built":    s.path("nixos-system-web-25.05"),
		"no store":     "/elsewhere/" + filepath.Base(s.path("nixos-system-web-25.05")),
		"below a path": s.path("nixos-system-file-1") + "/etc",
		"empty":        "",
	} {
		if snap, err := Take(s.root, top); err == nil {
			t.Errorf("%s: no error, but %+v", name, snap)
		}
	}
	_, err := Take(s.root, s.path("nixos-system-web-25.05"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a system that was not built is %v", err)
	}
}

// The systems of the end-to-end tests are made of Debian (e2e/flake): a toplevel with
// units and little else.
func TestASystemThatIsHardlyNixOS(t *testing.T) {
	t.Parallel()
	take := func(version, text string) Snapshot {
		s := newStore(t)
		top := "«nixos-system-web-" + version + "»"
		s.file(top+"/nixos-version", version)
		s.file(top+"/etc/systemd/system/web.service", "[Unit]\n# 20261124-172432.498\nDescription="+text+"\n\n[Service]\nExecStart=«snow-httpd-1.0»/bin/httpd 8080 \""+text+"\"\n\n[Install]\nWantedBy=multi-user.target\n")
		s.link(top+"/init", "/usr/lib/systemd/systemd")
		s.link(top+"/sw/bin", "/usr/bin")
		snap, err := Take(s.root, s.fill(top))
		s.must(err)
		return snap
	}
	got := Compare(take("25.05", "web, release 1"), take("25.11", "web, release 2"))
	want := Diff{
		Units: []UnitChange{{
			Name: "web.service", Kind: changed, OnSwitch: restarts,
			Lines: []string{
				"-Description=web, release 1",
				"+Description=web, release 2",
				`-ExecStart=/nix/store/…-snow-httpd-1.0/bin/httpd 8080 "web, release 1"`,
				`+ExecStart=/nix/store/…-snow-httpd-1.0/bin/httpd 8080 "web, release 2"`,
			},
		}},
		Components: []Component{{Name: "nixos", Before: "25.05", After: "25.11"}},
		Unknown:    []string{"users are not known: the system has none of the lists that NixOS makes (users-groups.json, userborn.json, sysusers.d, passwd)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAStoreWithNoUnits(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.file("«nixos-system-web-1»/nixos-version", "25.05")
	snap, err := Take(s.root, s.path("nixos-system-web-1"))
	s.must(err)
	if d := Compare(snap, release1().build(t, "1")); len(d.Units) > 0 || len(d.PortsOpened) > 0 || len(d.UsersAdded) > 0 {
		t.Errorf("units, ports or users were compared with none: %+v", d)
	}
	golden(t, "nothing.txt", strings.Join(Compare(snap, release1().build(t, "1")).Unknown, "\n")+"\n")
}
