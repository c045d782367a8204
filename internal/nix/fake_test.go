package nix

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
)

// playbookEnv holds the playbook of a test binary that is to be a nix.
const playbookEnv = "SNOWDROP_FAKE_NIX"

// play is what the fake nix does when its arguments hold all of When: it writes
// the captured files and exits with Exit.
type play struct {
	When []string
	// Captured is the base of the files below testdata/captured.
	Captured string
	// Stdout is written where nothing was captured.
	Stdout string
	Exit   int
	// Hang waits for the interrupt, having written the files; with Deaf also
	// set, not even that ends it.
	Hang, Deaf bool
}

// TestMain makes this binary the fake nix when it is run as one.
func TestMain(m *testing.M) {
	if book := os.Getenv(playbookEnv); book != "" {
		os.Exit(playNix(book, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func playNix(book string, args []string) int {
	var plays []play
	if err := json.Unmarshal([]byte(book), &plays); err != nil {
		fmt.Fprintln(os.Stderr, "fake nix:", err)
		return 99
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	line := strings.Join(args, " ") + " "
	for _, p := range plays {
		if !p.matches(line) {
			continue
		}
		copyFile(os.Stderr, p.Captured+".stderr")
		copyFile(os.Stdout, p.Captured+".stdout")
		fmt.Fprint(os.Stdout, p.Stdout)
		for p.Hang {
			<-interrupted
			p.Hang = p.Deaf
		}
		return p.Exit
	}
	fmt.Fprintf(os.Stderr, "fake nix: nothing to play for: %s\n", line)
	return 99
}

func (p play) matches(line string) bool {
	for _, word := range p.When {
		if !strings.Contains(line, word+" ") {
			return false
		}
	}
	return true
}

func copyFile(w io.Writer, name string) {
	b, err := os.ReadFile(filepath.Join(os.Getenv("SNOWDROP_FAKE_TESTDATA"), filepath.FromSlash(name)))
	if err == nil {
		_, _ = w.Write(b)
	}
}

// fake makes a Client whose nix plays the first of plays that matches.
func fake(t *testing.T, cfg Config, plays ...play) *Client {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	book, err := json.Marshal(plays)
	if err != nil {
		t.Fatal(err)
	}
	testdata, err := filepath.Abs("testdata/captured")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Bin = self
	if cfg.Dir == "" { // this repository is a flake: positions would be looked for in it
		cfg.Dir = t.TempDir()
	}
	cfg.Env = append([]string{"NIX_STATE_DIR=" + t.TempDir()}, cfg.Env...) // not this machine's own store
	cfg.Env = append(cfg.Env, playbookEnv+"="+string(book), "SNOWDROP_FAKE_TESTDATA="+testdata,
		"GORACE=atexit_sleep_ms=0") // else the race detector holds up the end of each
	return New(cfg)
}

// version is the play that answers nix --version as a version does.
func version(v string) play { return play{When: []string{"--version"}, Captured: v + "/version"} }
