// Package git runs the git program: it finds out what a branch or a tag is, brings
// commits that are not there yet, and commits and pushes a changed file from a tree
// of its own, so that what is checked out stays as it is.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNotInstalled says that there is no git program to run.
var ErrNotInstalled = errors.New("git is not installed")

// grace is how long git may take to end after SIGTERM.
const grace = 3 * time.Second

// Config says how git is run. The zero Config runs "git" from PATH.
type Config struct {
	// Bin is the program; default "git".
	Bin string
	// Env is added to this process's environment, as "NAME=value".
	Env []string
	// Token, if set, is what git identifies itself with to Server by HTTPS, instead of
	// what the repository has been given for that.
	Token string
	// Server is where the token is for, such as https://github.com.
	Server string
}

// Client runs git. It is safe for concurrent use.
type Client struct {
	bin string
	env []string
	// settings are configuration by the environment, as git has it: key, value.
	settings [][2]string
}

// New makes a Client. Nothing is run yet.
func New(cfg Config) *Client {
	c := &Client{bin: cfg.Bin, env: cfg.Env}
	if c.bin == "" {
		c.bin = "git"
	}
	// Nobody sits there to be asked; an editor or a pager would wait for ever.
	c.env = append(c.env, "GIT_TERMINAL_PROMPT=0", "GIT_EDITOR=:", "GIT_PAGER=cat", "LC_ALL=C")
	env, settings := identify(cfg.Token, cfg.Server)
	c.env, c.settings = append(c.env, env...), settings
	return c
}

// variable is what git's environment calls the token.
const variable = "SNOWDROP_GIT_TOKEN"

// identify gives git a token, as a credential helper: a header would be sent to where
// the server redirects to as well, while a credential is asked for by address. It
// stands in the environment, where it is not to be seen by others, as on a command
// line it would be. The empty values make git forget other helpers, which might ask
// somebody, and the header that actions/checkout may have left in the repository's
// configuration.
// https://git-scm.com/docs/gitcredentials#_custom_helpers
func identify(token, server string) (env []string, settings [][2]string) {
	if token == "" || server == "" {
		return nil, nil
	}
	server = strings.TrimSuffix(server, "/")
	helper := "credential." + server + ".helper"
	return []string{variable + "=" + token}, [][2]string{
		{"http." + server + "/.extraheader", ""},
		{helper, ""},
		{helper, `!f() { printf 'username=x-access-token\npassword=%s\n' "$` + variable + `"; }; f`},
	}
}

// configured adds settings to an environment, after those that it has: people set
// safe.directory or a proxy that way.
// https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
func configured(env []string, settings [][2]string) []string {
	if len(settings) == 0 {
		return env
	}
	const count = "GIT_CONFIG_COUNT"
	has := 0
	for _, line := range env { // the last one counts
		if value, ok := strings.CutPrefix(line, count+"="); ok {
			has, _ = strconv.Atoi(value) // what is no number sets nothing
		}
	}
	for i, setting := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", has+i, setting[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", has+i, setting[1]))
	}
	return append(env, fmt.Sprintf("%s=%d", count, has+len(settings)))
}

// CommandError is a git command that failed.
type CommandError struct {
	// Args are git's arguments, Dir where it ran.
	Args []string
	Dir  string
	// Said is what git printed as its error.
	Said string
	Err  error
}

// Error says which command failed, and what git said.
func (e *CommandError) Error() string {
	text := "git " + withoutPasswords(strings.Join(e.Args, " "))
	if e.Said == "" {
		return fmt.Sprintf("%s: %v", text, e.Err)
	}
	return fmt.Sprintf("%s: %s", text, e.Said)
}

// Unwrap returns what running the program said.
func (e *CommandError) Unwrap() error { return e.Err }

// run runs git in a folder and returns what it printed, without the last line end.
// Cancelling ctx ends it.
func (c *Client) run(ctx context.Context, dir string, args ...string) (string, error) {
	return c.runWith(ctx, dir, nil, args...)
}

// runWith is run with more in the environment.
func (c *Client) runWith(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	// Hooks are for people at work: they ask, reformat and refuse.
	all := append([]string{"-c", "core.hooksPath=" + os.DevNull}, args...)
	cmd := exec.CommandContext(ctx, c.bin, all...) //nolint:gosec // the program and its arguments are the user's own
	cmd.Dir = dir
	cmd.Env = configured(slices.Concat(environment(), c.env, env), c.settings)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	out := strings.TrimRight(stdout.String(), "\r\n")
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("git %s was stopped: %w", args[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w: there is no program %q; install it (Debian and Ubuntu: apt-get install git), then try again", ErrNotInstalled, c.bin)
	}
	return out, &CommandError{Args: args, Dir: dir, Said: withoutPasswords(strings.TrimSpace(stderr.String())), Err: err}
}

// environment is this process's, without what says which repository is meant: in a
// hook of git, that is another one.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains([]string{
			"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX",
		}, name)
	})
}

// withoutPasswords takes out what stands before the host of an address: git repeats
// the remote's address in its errors, and people put tokens there.
func withoutPasswords(text string) string {
	words := strings.SplitAfter(text, "://")
	for i := 1; i < len(words); i++ {
		end := strings.IndexAny(words[i], "/ '\"\n")
		if end < 0 {
			end = len(words[i])
		}
		if at := strings.LastIndex(words[i][:end], "@"); at >= 0 {
			words[i] = words[i][at+1:]
		}
	}
	return strings.Join(words, "")
}

// GitHubRepository is "owner/name" of an address on a GitHub server (such as
// https://github.com), by HTTPS, by SSH or in the short form of SSH; false for any
// other address.
func GitHubRepository(address, server string) (string, bool) {
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(server, "https://"), "http://"), "/")
	var at, path string
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		at, path = u.Hostname(), u.Path
		if u.Scheme == "https" || u.Scheme == "http" {
			at = u.Host
		}
	} else if before, after, ok := strings.Cut(address, ":"); ok {
		at, path = before[strings.LastIndex(before, "@")+1:], after
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if host == "" || !strings.EqualFold(at, host) || strings.Count(path, "/") != 1 {
		return "", false
	}
	return path, true
}
