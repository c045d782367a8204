package knownhosts_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/knownhosts"
)

func TestEdit(t *testing.T) {
	t.Parallel()
	k := keys()
	web := knownhosts.Host{Names: []string{"web", "203.0.113.5"}, Keys: []string{k[0]}}
	for name, tt := range map[string]struct {
		text, want string
		hosts      []knownhosts.Host
	}{
		"an empty file": {"", "web,203.0.113.5 " + k[0] + "\n", nil},
		"known already": {"203.0.113.5 " + k[0] + " mine\nweb " + k[0] + "\n", "203.0.113.5 " + k[0] + " mine\nweb " + k[0] + "\n", nil},
		"known by one name, the last line open": {
			"# mine\nweb " + k[0], "# mine\nweb " + k[0] + "\n203.0.113.5 " + k[0] + "\n", nil,
		},
		"a stale key of a shared line": {
			"db,web " + k[1] + " both\nweb " + k[2] + "\n", "db " + k[1] + " both\nweb,203.0.113.5 " + k[0] + "\n", nil,
		},
		"a pattern": {
			"203.0.113.* " + k[1] + "\n", "203.0.113.*,!203.0.113.5 " + k[1] + "\nweb,203.0.113.5 " + k[0] + "\n", nil,
		},
		"nothing but exceptions left": {"!db,web " + k[1] + "\n", "web,203.0.113.5 " + k[0] + "\n", nil},
		"marked lines": {
			"@cert-authority web " + k[1] + "\n@revoked web " + k[2] + "\n",
			"@cert-authority web " + k[1] + "\n@revoked web " + k[2] + "\nweb,203.0.113.5 " + k[0] + "\n", nil,
		},
		"other line ends": {"db " + k[1] + "\r\nweb " + k[1] + "\r\n", "db " + k[1] + "\r\nweb,203.0.113.5 " + k[0] + "\r\n", nil},
		"two machines of one name": {
			"", "web,203.0.113.5 " + k[0] + "\nweb,203.0.113.6 " + k[1] + "\n",
			[]knownhosts.Host{web, {Names: []string{"web", "203.0.113.6"}, Keys: []string{k[1]}}},
		},
		"an authority": {
			"web " + k[1] + "\n", "@cert-authority web " + k[2] + "\n",
			[]knownhosts.Host{{Names: []string{"web"}, Authorities: []string{k[2]}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts := tt.hosts
			if hosts == nil {
				hosts = []knownhosts.Host{web}
			}
			edited, err := knownhosts.Edit([]byte(tt.text), hosts, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(edited.Text)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoFleetsWithAMachineOfOneNameKeepEachOthersAddress(t *testing.T) {
	t.Parallel()
	k := keys()
	mine := knownhosts.Host{Names: []string{"web-1", "203.0.113.5"}, Keys: k[:1]}
	theirs := knownhosts.Host{Names: []string{"web-1", "198.51.100.7"}, Keys: k[1:2]}
	for name, hashed := range map[string]string{"plain": "", "hashed": "|1|QeknHT0OQdux6zPCV7+f/cit86Q=|Zlp/MiRfmcIi/wgaiL35+8gA48M= " + k[2] + "\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := []byte(hashed)
			for range 2 {
				for _, one := range []knownhosts.Host{mine, theirs} {
					edited, err := knownhosts.Edit(text, []knownhosts.Host{one}, rand.Reader)
					if err != nil {
						t.Fatal(err)
					}
					text = edited.Text
				}
			}
			// Asked for all of them once more, only the name of the first is not known.
			edited, err := knownhosts.Edit(text, []knownhosts.Host{mine, theirs}, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if len(edited.Changes) != 1 || edited.Changes[0].Old != "" || !strings.HasSuffix(edited.Changes[0].New, " "+k[0]) {
				t.Errorf("%+v", edited.Changes)
			}
		})
	}
}

func TestEditShowsWhatItDoes(t *testing.T) {
	t.Parallel()
	k := keys()
	text := "# first\nweb " + k[1] + "\n@revoked web " + k[0] + "\ndb,web " + k[2] + "\n"
	edited, err := knownhosts.Edit([]byte(text), []knownhosts.Host{{Names: []string{"web"}, Keys: k[:1]}}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := "--- known_hosts\n+++ known_hosts\n" +
		"@@ -2 +1,0 @@\n-web " + k[1] + "\n" +
		"@@ -4 +3 @@\n-db,web " + k[2] + "\n+db " + k[2] + "\n" +
		"@@ -4,0 +4 @@\n+web " + k[0] + "\n"
	if diff := cmp.Diff(want, edited.Diff("known_hosts")); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"web " + k[0]}, edited.Revoked); diff != "" {
		t.Errorf("revoked (-want +got):\n%s", diff)
	}
}

func TestEditRefusesWhatCannotStandInTheFile(t *testing.T) {
	t.Parallel()
	key := keys()[:1]
	for _, h := range []knownhosts.Host{
		{Names: []string{"a b"}, Keys: key},
		{Names: []string{"*"}, Keys: key},
		{Names: []string{"a,b"}, Keys: key},
		{Names: []string{"!a"}, Keys: key},
		{Names: []string{"a\nb"}, Keys: key},
		{Names: []string{""}, Keys: key},
		{Names: nil, Keys: key},
		{Names: []string{"a"}},
		{Names: []string{"a"}, Keys: []string{"ssh-ed25519 nonsense"}},
	} {
		if edited, err := knownhosts.Edit(nil, []knownhosts.Host{h}, rand.Reader); err == nil {
			t.Errorf("%+v was taken: %s", h, edited.Text)
		}
	}
	broken := errors.New("no randomness")
	_, err := knownhosts.Edit([]byte("|1|QeknHT0OQdux6zPCV7+f/cit86Q=|Zlp/MiRfmcIi/wgaiL35+8gA48M= "+key[0]),
		[]knownhosts.Host{{Names: []string{"web"}, Keys: key}}, failing{broken})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestName(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"web": knownhosts.Name("Web", 22), "203.0.113.5": knownhosts.Name("203.0.113.5", 0),
		"[web]:2222": knownhosts.Name("web", 2222), "[2001:db8::1]:2222": knownhosts.Name("2001:DB8::1", 2222),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FuzzEdit: whatever stands in a file, lines that name none of our hosts stay to
// the byte, and a second edit has nothing to do.
func FuzzEdit(f *testing.F) {
	k := keys()
	for _, text := range []string{
		"", "\n", "web " + k[0], "web,db " + k[1] + "\r\n", "* " + k[1] + "\n", "!web,* " + k[2] + "\n", "@revoked web " + k[0] + "\n",
		"|1|QeknHT0OQdux6zPCV7+f/cit86Q=|Zlp/MiRfmcIi/wgaiL35+8gA48M= " + k[0] + "\n", "web\x00 " + k[1], "\xff " + k[1], "w*b,W?B " + k[1],
	} {
		f.Add([]byte(text))
	}
	hosts := []knownhosts.Host{{Names: []string{"web", "[203.0.113.5]:2222"}, Keys: k[:1], Authorities: k[3:]}}
	f.Fuzz(func(t *testing.T, text []byte) {
		edited, err := knownhosts.Edit(text, hosts, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		touched := map[int]bool{}
		for _, c := range edited.Changes {
			touched[c.Line] = touched[c.Line] || c.Old != ""
		}
		number, rest := 0, edited.Text
		for line := range bytes.Lines(text) {
			if number++; touched[number] {
				for _, c := range edited.Changes {
					if c.Line == number && c.Old != "" && c.New != "" {
						_, rest, _ = bytes.Cut(rest, []byte("\n"))
					}
				}
				continue
			}
			if !bytes.HasPrefix(rest, line) {
				t.Fatalf("line %d, %q, was not touched and is not there", number, line)
			}
			rest = rest[len(line):]
		}
		again, err := knownhosts.Edit(edited.Text, hosts, rand.Reader)
		if err != nil || !bytes.Equal(again.Text, edited.Text) || strings.Contains(again.Diff("x"), "@@") {
			t.Fatalf("the second time: %q became %q, %v", edited.Text, again.Text, err)
		}
	})
}
