//go:build e2e

package nix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// otherMachine is a program ssh that runs what it is asked to on this machine: on the
// host "far" with a store of its own, elsewhere with the one that is here.
const otherMachine = `#!/bin/bash
case "$*" in *"echo started"*) echo started;; esac
host=
while [ $# -gt 0 ]; do
  case $1 in
    -F) [ -r "$2" ] || { echo "no configuration $2" >&2; exit 255; }; shift 2;;
    -[iopl]) shift 2;;
    -*) shift;;
    *) [ -n "$host" ] && break; host=$1; shift;;
  esac
done
export NIX_CONFIG=$'build-users-group =\nsandbox = false\nsubstituters ='
[ "$host" = far ] && export NIX_REMOTE="local?root=@far@"
exec sh -c "$*"
`

// overThere makes a client whose ssh is otherMachine, and the store of "far".
func overThere(t *testing.T) (c *Client, ssh SSH, far string) {
	t.Helper()
	bin := t.TempDir()
	far = filepath.Join(t.TempDir(), "far")
	program := filepath.Join(bin, "ssh")
	if err := os.WriteFile(program, []byte(strings.ReplaceAll(otherMachine, "@far@", far)), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	write(t, bin, "config", "Host far\n")
	c = realNix(t, writeFlake(t))
	c.cfg.Env = append(c.cfg.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	return c, SSH{Config: filepath.Join(bin, "config")}, far
}

func TestRealCopyBringsAClosureToAnotherStore(t *testing.T) {
	c, ssh, far := overThere(t)
	built, err := c.Build(t.Context(), []string{".#web-image"}, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		n, err := c.Copy(t.Context(), Copy{SSH: ssh, Path: built[0].Path, To: "far"}, Progress{})
		if err != nil || n != want {
			t.Fatalf("copied %d paths, %v; want %d", n, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(far, built[0].Path)); err != nil {
		t.Error(err)
	}
	if _, err := c.Copy(t.Context(), Copy{SSH: SSH{Config: "/nowhere"}, Path: built[0].Path, To: "far"}, Progress{}); err == nil ||
		!strings.Contains(err.Error(), "no configuration /nowhere") {
		t.Errorf("what ssh said is not told: %v", err)
	}
}

func TestRealBuildHostBuildsWhatWasEvaluatedHere(t *testing.T) {
	c, ssh, far := overThere(t)
	evaluated, err := c.Evaluate(t.Context(), []string{".#web-image"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RealiseOn(t.Context(), ssh, "builder", evaluated, Progress{}); err != nil {
		t.Fatal(err)
	}
	n, err := c.Copy(t.Context(), Copy{SSH: ssh, Path: evaluated[0].Path, From: "builder", To: "far"}, Progress{})
	if err != nil || n != 1 {
		t.Errorf("from the build host: %d paths, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(far, evaluated[0].Path)); err != nil {
		t.Error(err)
	}
}
