package knownhosts_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/knownhosts"
)

// oracle is the real ssh-keygen on a file.
type oracle struct {
	t    *testing.T
	path string
}

func newOracle(t *testing.T, text []byte) oracle {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("there is no ssh-keygen on PATH")
	}
	o := oracle{t, filepath.Join(t.TempDir(), "known_hosts")}
	if err := os.WriteFile(o.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs ssh-keygen on the file; that nothing was found is no failure.
func (o oracle) run(args ...string) string {
	o.t.Helper()
	out, err := exec.CommandContext(o.t.Context(), "ssh-keygen", append([]string{"-f", o.path}, args...)...).Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		o.t.Fatalf("ssh-keygen %v: %v", args, err)
	}
	return string(out)
}

func (o oracle) text() []byte {
	o.t.Helper()
	text, err := os.ReadFile(o.path)
	if err != nil {
		o.t.Fatal(err)
	}
	return text
}

// remove is ssh-keygen -R. It is not done if the file has an invalid line: then
// ssh-keygen leaves it as it is.
func (o oracle) remove(name string) bool {
	o.t.Helper()
	out, err := exec.CommandContext(o.t.Context(), "ssh-keygen", "-f", o.path, "-R", name).CombinedOutput()
	if strings.Contains(string(out), "is not a valid known_hosts file") {
		return false
	}
	if err != nil && !strings.Contains(string(out), "not found in") {
		o.t.Fatalf("ssh-keygen -R %s: %v: %s", name, err, out)
	}
	return true
}

// find is what ssh-keygen -F answers: each line's marker and key, in order.
func (o oracle) find(name string) []string {
	o.t.Helper()
	var found []string
	for line := range strings.Lines(o.run("-F", name)) {
		if strings.HasPrefix(line, "# Host ") {
			continue
		}
		fields := strings.Fields(line)
		marker := ""
		if strings.HasPrefix(fields[0], "@") {
			marker, fields = fields[0]+" ", fields[1:]
		}
		found = append(found, marker+strings.Join(fields[1:min(len(fields), 3)], " "))
	}
	return found
}

// keys of four types; what is in them makes no difference to known_hosts files.
func keys() []string {
	return []string{
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHKOjYGRt9zMeGzDPIyAdOAG4WbWCiDsykCVmM0bMhz",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC5Wr6ZX0QxGhRq0Nqv4h7ZcVe5q6gFQ1Gx1Yv3sPzXn",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDZjVtRlqcC4ONHA0jhJK4OSjwj3s8nqkYBhP4TByxfA",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAVvwZzDXnNfq0HZxf3WyQX3b1lrE0HqGmNBIOq9gq3B",
	}
}

// names that lines are about, and that are asked for afterwards.
func names() []string {
	return []string{
		"web", "web-1", "db", "web.example.com", "a.b.example.com", "203.0.113.5", "203.0.113.50", "2001:db8::1",
		"[web]:2222", "[203.0.113.5]:2222", "[web.example.com]:22", "example.com", "localhost",
	}
}

// dice makes files.
type dice struct {
	*mathrand.Rand
	// valid leaves out what ssh-keygen calls invalid.
	valid bool
}

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

func (d dice) file() string {
	eol := pick(d, []string{"\n", "\n", "\n", "\r\n"})
	var b strings.Builder
	for range d.IntN(14) {
		b.WriteString(d.line() + eol)
	}
	if d.IntN(3) == 0 {
		return strings.TrimSuffix(b.String(), eol)
	}
	return b.String()
}

func (d dice) line() string {
	blank := pick(d, []string{" ", " ", "\t", "  "})
	key := pick(d, keys()) + pick(d, []string{"", "", " root@web", " # a comment", "\t"})
	kind := d.IntN(12)
	if d.valid && kind < 3 {
		return pick(d, []string{"", "# web " + key, "@revoked" + blank + d.hosts() + blank + key, "@cert-authority" + blank + d.hosts() + blank + key})
	}
	switch kind {
	case 0:
		return pick(d, []string{"", " ", "# web " + key, "#", "\t# note", "web", "web ", "web ssh-ed25519", "web ssh-ed25519 ", "web # x", "web x y"})
	case 1:
		return pick(d, []string{"@cert-authority", "@revoked", "@other", "@cert-authority @revoked", "@", "@revoked\t"}) + blank + d.hosts() + blank + key
	case 2:
		return pick(d, []string{"web 1024 35 1234567", "|1|broken|hash " + key, "web,db ssh-rsa AAAA!!", " web ssh-dss AAAA", "\tdb " + key, "web ssh-ed25519 # x"})
	case 3, 4, 5:
		return d.hashed() + blank + key
	default:
		return d.hosts() + blank + key
	}
}

func (d dice) hosts() string {
	var hosts []string
	for range 1 + d.IntN(4) {
		hosts = append(hosts, pick(d, append(names(),
			"*", "WEB", "Web.*", "*.example.com", "web*", "w?b", "!web", "!*.example.com", "[*]:2222", "203.0.113.?", "", "!", "*b*e*")))
	}
	return strings.Join(hosts, ",")
}

// hashed writes a name as OpenSSH does.
func (d dice) hashed() string {
	field, err := knownhosts.Hash(pick(d, names()), rand.Reader)
	if err != nil {
		panic(err)
	}
	return field
}

// TestEditAgainstSSHKeygen: whatever stands in a file, after the edit ssh-keygen -F
// finds exactly the keys that were given, and for every other host what it found
// before.
func TestEditAgainstSSHKeygen(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := dice{Rand: mathrand.New(mathrand.NewPCG(seed, 1))}
			text := []byte(d.file())
			hosts := []knownhosts.Host{{Names: []string{"web", "203.0.113.5"}, Keys: []string{pick(d, keys())}}}
			if d.IntN(2) == 0 {
				hosts = append(hosts, knownhosts.Host{Names: []string{"[web]:2222"}, Keys: keys()[:2]})
			}
			if d.IntN(2) == 0 {
				hosts = append(hosts, knownhosts.Host{Names: []string{"web.example.com"}, Keys: keys()[2:3], Authorities: keys()[3:]})
			}
			before := newOracle(t, text)
			edited, err := knownhosts.Edit(text, hosts, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			after := newOracle(t, edited.Text)

			wanted := map[string][]string{}
			for _, h := range hosts {
				for _, name := range h.Names {
					wanted[name] = append(wanted[name], h.Keys...)
					for _, key := range h.Authorities {
						wanted[name] = append(wanted[name], "@cert-authority "+key)
					}
				}
			}
			for _, name := range names() { // in lower case: so ssh asks, and ssh-keygen as it is told
				was, is := before.find(name), after.find(name)
				want, ours := wanted[name]
				if !ours {
					if !slices.Equal(was, is) {
						t.Errorf("%s is no business of ours: it was %q, is %q", name, was, is)
					}
					continue
				}
				for _, line := range was { // what is marked stays
					if strings.HasPrefix(line, "@") {
						want = append(want, line)
					}
				}
				if got, want := set(is), set(want); !slices.Equal(got, want) {
					t.Errorf("%s: found %q, want %q", name, got, want)
				}
			}
			again, err := knownhosts.Edit(edited.Text, hosts, rand.Reader)
			if err != nil || len(again.Changes) > 0 || string(again.Text) != string(edited.Text) {
				t.Errorf("the second time changed %+v, %v", again.Changes, err)
			}
			if t.Failed() {
				t.Logf("before:\n%s\nafter:\n%s", text, edited.Text)
			}
		})
	}
}

func set(lines []string) []string {
	sorted := slices.Clone(lines)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// TestRemovalAgainstSSHKeygen: what an edit takes away from a name is what
// ssh-keygen -R does; but ssh-keygen forgets the other hosts of a line too, and
// leaves a file with invalid lines alone.
func TestRemovalAgainstSSHKeygen(t *testing.T) {
	t.Parallel()
	fresh := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000AA"
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := dice{Rand: mathrand.New(mathrand.NewPCG(seed, 2)), valid: true}
			text := []byte(d.file())
			name := pick(d, names())
			removed := newOracle(t, text)
			if !removed.remove(name) {
				t.Skip("ssh-keygen -R refuses the file")
			}
			edited, err := knownhosts.Edit(text, []knownhosts.Host{{Names: []string{name}, Keys: []string{fresh}}}, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.DeleteFunc(newOracle(t, edited.Text).find(name), func(line string) bool { return line == fresh })
			if want := removed.find(name); !slices.Equal(got, want) {
				t.Errorf("%s: left is %q, ssh-keygen -R leaves %q of:\n%s", name, got, want, text)
			}
		})
	}
}

// TestFileHashedBySSHKeygen: ssh-keygen -H and we read each other.
func TestFileHashedBySSHKeygen(t *testing.T) {
	t.Parallel()
	k := keys()
	o := newOracle(t, []byte("web,203.0.113.5 "+k[0]+"\n[db]:2222 "+k[1]+"\nother "+k[0]+"\n"))
	o.run("-H")
	edited, err := knownhosts.Edit(o.text(), []knownhosts.Host{
		{Names: []string{"web", "203.0.113.5"}, Keys: k[2:3]},
		{Names: []string{"[db]:2222"}, Keys: k[1:2]},
	}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(edited.Changes) != 4 { // two lines gone, two new
		t.Errorf("changes: %s", edited.Diff("known_hosts"))
	}
	if strings.Contains(string(edited.Text), "web") {
		t.Errorf("a name can be read:\n%s", edited.Text)
	}
	after := newOracle(t, edited.Text)
	for name, want := range map[string]string{"web": k[2], "203.0.113.5": k[2], "[db]:2222": k[1], "other": k[0]} {
		if got := after.find(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: found %q, want %q", name, got, want)
		}
	}
}
