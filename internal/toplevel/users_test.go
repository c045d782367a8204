package toplevel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func removeAll(s *fakeStore, name string) error {
	return os.RemoveAll(filepath.Join(s.root, s.fill(name)))
}

func TestUsersAreFoundInWhateverMakesThem(t *testing.T) {
	t.Parallel()
	const top = "«nixos-system-web-25.05.20250601.a1b2c3d»"
	without := func(more func(s *fakeStore)) func(s *fakeStore) {
		return func(s *fakeStore) {
			s.file(top+"/activate", "#!«bash-5.2p37»/bin/bash\n")
			more(s)
		}
	}
	for name, c := range map[string]struct {
		more func(s *fakeStore)
		want []string
	}{
		"the activation script": {func(*fakeStore) {}, []string{"deploy", "nginx", "root"}},
		"userborn": {without(func(s *fakeStore) {
			s.file("«userborn.json»", `{"groups":[],"users":[{"name":"root","hashedPassword":"x"},{"name":"alice","isNormal":true}]}`)
			s.unit("userborn.service", "[Service]\nExecStart=«userborn-0.4.0»/bin/userborn «userborn.json» /etc\n")
		}), []string{"alice", "root"}},
		"sysusers": {without(func(s *fakeStore) {
			s.file("«sysusers»/00-nixos.conf", "# Type Name ID\n\n# Users\nu root 0:root \"System administrator\" /root /bin/sh\nu! nginx /var/lib/nixos/uid/nginx:nginx \"\" /var/empty /bin/sh\ng nginx 60\nm nginx www\n")
			s.link("«etc»/etc/sysusers.d", "«sysusers»")
		}), []string{"nginx", "root"}},
		"a static passwd": {without(func(s *fakeStore) {
			s.file("«static-userborn»/passwd", "root:x:0:0::/root:/bin/sh\nbob:x:1000:100::/home/bob:/bin/sh\n")
			s.link("«etc»/etc/passwd", "«static-userborn»/passwd")
		}), []string{"bob", "root"}},
		"a passwd of the running machine": {without(func(s *fakeStore) {
			s.link("«etc»/etc/passwd", "/var/lib/nixos/etc/passwd")
		}), nil},
		"a list that is damaged": {func(s *fakeStore) { s.file("«users-groups.json»", `{"users":[`) }, nil},
		"no users":               {func(s *fakeStore) { s.file("«users-groups.json»", `{"users":[]}`) }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := release1()
			n.more = c.more
			snap := n.build(t, "1")
			if diff := cmp.Diff(c.want, snap.Users); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (len(snap.Unknown) > 0) != (c.want == nil) {
				t.Errorf("unknown is %q", snap.Unknown)
			}
		})
	}
}
