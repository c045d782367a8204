package nix

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What nix said was captured with a program ssh that ran the other side's
// nix-daemon on the same machine.
const copied = "/nix/store/n491ixzvgn66w026mg0yild7h1ki2hhb-aaa-one"

func TestCopyCountsWhatTheOtherStoreDidNotHave(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"v2.8.0", "v2.26.3"} {
		for captured, want := range map[string]int{"copy-first": 1, "copy-again": 0} {
			var phases []string
			c := fake(t, Config{}, play{
				When:     []string{"copy", "--no-check-sigs", "--substitute-on-destination", "--to ssh-ng://web1", "-- " + copied},
				Captured: v + "/" + captured,
			})
			n, err := c.Copy(t.Context(), Copy{Path: copied, To: "web1", Substitute: true}, Progress{Phase: func(s string) { phases = append(phases, s) }})
			if err != nil || n != want {
				t.Errorf("%s %s: %d, %v", v, captured, n, err)
			}
			if told := strings.Join(phases, "\n"); want > 0 && !strings.Contains(told, "copying aaa-one") {
				t.Errorf("%s: told %q", v, told)
			}
		}
	}
}

func TestACopyThatIsRefusedSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"v2.8.0", "v2.26.3"} {
		for captured, want := range map[string][]string{
			"copy-unsigned": {"copy aaa-one to web1: cannot add path", "lacks a valid signature", "trusted-users", "nix key generate-secret"},
			"copy-nonix":    {"nix-daemon: not found", "there is no nix on the machine"},
			"copy-refused":  {"ssh: connect to host x port 22: Connection refused"},
			"copy-nossh":    {"'ssh'", "there is no program ssh here"},
		} {
			t.Run(v+" "+captured, func(t *testing.T) {
				t.Parallel()
				c := fake(t, Config{}, play{When: []string{"copy"}, Captured: v + "/" + captured, Exit: 1})
				_, err := c.Copy(t.Context(), Copy{Path: copied, To: "web1"}, Progress{})
				var failed *CopyError
				if !errors.As(err, &failed) {
					t.Fatalf("the error is %v", err)
				}
				for _, words := range want {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("%q is not in:\n%v", words, err)
					}
				}
			})
		}
	}
}

func TestABuildElsewhereSendsItsDerivationFirst(t *testing.T) {
	t.Parallel()
	const drv = "/nix/store/96qylsy44c9iqkv99xwflr6jzjbn65gf-aaa-one.drv"
	outputs := []Output{{Installable: ".#a", Drv: drv, Path: copied, Name: "out"}}
	built := `[{"drvPath":"` + drv + `","outputs":{"out":"` + copied + `"}}]`
	for v, target := range map[string]string{"v2.8.0": drv, "v2.26.3": drv + "^out"} {
		c := fake(t, Config{}, version(v),
			play{When: []string{"copy", "--derivation", "--to ssh-ng://me@builder", "-- " + drv}, Captured: v + "/copy-first"},
			play{When: []string{"build", "--store ssh-ng://me@builder", "--no-link", target}, Stdout: built},
		)
		if err := c.RealiseOn(t.Context(), SSH{}, "me@builder", outputs, Progress{}); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
	c := fake(t, Config{}, version("v2.8.0"), play{When: []string{"copy"}, Captured: "v2.8.0/copy-refused", Exit: 1})
	err := c.RealiseOn(t.Context(), SSH{}, "me@builder", outputs, Progress{})
	if err == nil || !strings.Contains(err.Error(), "copy aaa-one to me@builder") || !strings.Contains(err.Error(), "Connection refused") {
		t.Errorf("a build host that refuses: %v", err)
	}
	if err := c.RealiseOn(t.Context(), SSH{}, "builder", []Output{{Installable: "/nix/store/x", Path: copied}}, Progress{}); err == nil {
		t.Error("a path of the store is sent to be built")
	}
}

func TestOurConfigurationOfSSHIsGivenToNix(t *testing.T) {
	t.Parallel()
	c := New(Config{Env: []string{"A=1"}}).over(SSH{Config: "/tmp/x/config"})
	if diff := cmp.Diff([]string{"A=1", "NIX_SSHOPTS=-F /tmp/x/config"}, c.cfg.Env); diff != "" {
		t.Error(diff)
	}
	if own := New(Config{}).over(SSH{}); len(own.cfg.Env) > 0 {
		t.Errorf("without one: %v", own.cfg.Env)
	}
}

func TestWhoMayNotUseTheDaemonIsNotSaidToHaveAWrongKey(t *testing.T) {
	t.Parallel()
	const said = "getting status of '/nix/var/nix/daemon-socket/socket': Permission denied (cannot open connection to remote store 'ssh-ng://web-1': error: unexpected end-of-file)"
	if hint := copyHint(said); !strings.Contains(hint, "nix.settings.allowed-users") {
		t.Errorf("%q", hint)
	}
}
