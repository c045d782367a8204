// Package nix runs the nix program: it evaluates, builds and asks about flakes,
// and reduces what nix prints to progress, results and errors that a person can
// act on. Nix 2.8 and everything newer is understood.
package nix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"time"
)

var (
	versionStart = regexp.MustCompile(`^\d+\.\d+`)
	storePath    = regexp.MustCompile(`^(?:/.+)?/nix/store/([0-9abcdfghijklmnpqrsvwxyz]{32})-[^/]+`)
)

// Config says how nix is run. The zero Config runs "nix" from PATH in the
// current directory.
type Config struct {
	// Bin is the program; default "nix".
	Bin string
	// Options are passed on as --option name value.
	Options map[string]string
	// Builders is the value of --builders; empty: nix's own setting.
	Builders string
	// LogDir is where the whole output of each command that failed is kept. It
	// is made if need be. Empty: no log is kept.
	LogDir string
	// RootDir, if set, is where links to what was built are put, so that a
	// garbage collection does not take it during the run. Whoever made the
	// directory removes it.
	RootDir string
	// Dir is the directory that nix runs in; relative flakes start there.
	Dir string
	// Env is added to this process's environment, as "NAME=value".
	Env []string
}

// ErrNotInstalled says that there is no nix program to run.
var ErrNotInstalled = errors.New("nix is not installed")

// Client runs nix. It is safe for concurrent use.
type Client struct {
	cfg   Config
	grace time.Duration

	mu      sync.Mutex
	version string // as the program says, once asked
}

// New makes a Client. Nothing is run yet.
func New(cfg Config) *Client {
	if cfg.Bin == "" {
		cfg.Bin = "nix"
	}
	return &Client{cfg: cfg, grace: defaultGrace}
}

// Output is what an installable is, or will be, in the Nix store.
type Output struct {
	Installable string
	// Drv is the store derivation; empty where the installable was a store path.
	Drv string
	// Path is the out path, known before anything is built.
	Path string
	// Name is that of the derivation's output that Path is, such as "out".
	Name string
}

// Progress is told how far a build is. Each of its functions may be nil; they
// are called from one goroutine, and not at all once the call has returned.
type Progress struct {
	// Count is builds and fetches: how many are done, of how many known of.
	Count func(done, total int64)
	// Bytes is what was fetched from caches and builders, unpacked.
	Bytes func(done, total int64)
	// Phase says in a few words what is being done now.
	Phase func(text string)
	// Log is one line of a builder ("web-image> copying …") or a warning of nix.
	Log func(line string)
}

// Version is the version of the program, such as "2.26.3". It is asked once.
// It errors with ErrNotInstalled where there is no program.
func (c *Client) Version(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != "" {
		return c.version, nil
	}
	out, err := c.output(ctx, "version", Progress{}, "--version")
	if err != nil {
		return "", fmt.Errorf("ask nix for its version: %w", err)
	}
	v := parseVersion(string(out))
	if v == "" {
		return "", fmt.Errorf("ask nix for its version: %q is not an answer", strings.TrimSpace(string(out)))
	}
	c.version = v
	return v, nil
}

// parseVersion reads "nix (Nix) 2.8.0", "nix (Lix, like Nix) 2.93.0" and
// "nix (Determinate Nix 3.1.0) 2.28.1".
func parseVersion(s string) string {
	fields := strings.Fields(s)
	if len(fields) < 2 || !versionStart.MatchString(fields[len(fields)-1]) {
		return ""
	}
	return fields[len(fields)-1]
}

// StoreHash is the 32 characters that name a path in the Nix store, which may
// stand below another root (a chroot store). It errors when path is not one.
func StoreHash(path string) (string, error) {
	m := storePath.FindStringSubmatch(path)
	if m == nil {
		return "", fmt.Errorf("%q is not a path in the Nix store (/nix/store/<hash>-<name>)", path)
	}
	return m[1], nil
}

// isMissingProgram tells a path to a program that is not there from a working
// directory that is not there.
func isMissingProgram(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Op == "fork/exec" && errors.Is(err, fs.ErrNotExist)
}

// notInstalled says what to do where the program is missing.
func notInstalled(bin string) error {
	return fmt.Errorf("%w: there is no program %q; install it as https://nixos.org/download says "+
		"(Debian and Ubuntu: apt-get install nix-bin), or let a GitHub workflow do it (cachix/install-nix-action), "+
		"then try again", ErrNotInstalled, bin)
}
