package activate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/remote"
)

// askTimeout bounds one script that only looks; a machine that restarts half of
// itself is slow.
const askTimeout = 45 * time.Second

// searchPath is where sudo is looked for: NixOS has it among the wrappers.
const searchPath = `PATH="${PATH:+$PATH:}/run/wrappers/bin:/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C; export PATH LC_ALL; `

// machine is a connection on which scripts are run as root.
type machine struct {
	conn   *remote.Conn
	target remote.Target
	sudo   Sudo
}

// command is a command line that runs a script as root, and its standard input:
// where a password goes, which a command line must not hold.
func (m machine) command(script string) (string, io.Reader) {
	switch {
	case !m.sudo.Use:
		return "sh -c " + quote(script), nil
	case m.sudo.Password == "":
		return "sh -c " + quote(searchPath+"exec sudo -n sh -c "+quote(script)), nil
	default:
		return "sh -c " + quote(searchPath+"exec sudo -S -p '' sh -c "+quote(script)), strings.NewReader(m.sudo.Password + "\n")
	}
}

// ask runs a script and reads its answer. A user who may not become root is a
// *RefusedError.
func (m machine) ask(ctx context.Context, within time.Duration, script string) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("%w: no answer within %s", remote.ErrTimeout, within))
	defer cancel()
	command, stdin := m.command(script)
	res, err := m.conn.Run(ctx, command, stdin)
	if err != nil {
		return answer{}, err //nolint:wrapcheck // says on whom
	}
	a, err := parse(res.Stdout)
	if err == nil {
		return a, refusal(m.target, m.sudo, a)
	}
	if m.sudo.Use && !strings.Contains(string(res.Stdout), firstLine) {
		return answer{}, m.sudoRefused(res)
	}
	return answer{}, fmt.Errorf("%s: %w (exit status %d: %s)", m.target, err, res.Exit, said(res))
}

// sudoRefused explains what sudo said: the one of Todd Miller, and sudo-rs.
func (m machine) sudoRefused(res remote.Result) error {
	text := string(res.Stderr)
	has := func(phrases ...string) bool {
		for _, p := range phrases {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	r := &RefusedError{Target: m.target, Kind: ErrRoot, Why: "sudo answered: " + said(res)}
	user := userOf(m.target)
	switch {
	case has("not in the sudoers file", "may not run sudo", "is not allowed to", "I'm afraid I can't do that"):
		r.Advice = user + " may not use sudo there (NixOS: users.users." + user + `.extraGroups = [ "wheel" ])`
	case has("must have a tty"):
		r.Advice = "sudo demands a terminal there: Defaults !requiretty"
	case m.sudo.Password != "" && has("Sorry, try again", "incorrect password", "incorrect authentication", "Authentication failed", "no password was provided"):
		r.Why, r.Advice = "sudo does not accept the password of "+user, "type it again"
	case has("a password is required", "interactive authentication is required", "a terminal is required"):
		r.Why = "sudo wants the password of " + user
		r.Advice = "use --ask-sudo-password, or let it ask for none (NixOS: security.sudo.wheelNeedsPassword = false)"
	case res.Exit == 126, res.Exit == 127:
		r.Advice = "there is no sudo: log in as root (NixOS: security.sudo.enable)"
	default:
		r.Advice = "look at sudo -l there as " + user
	}
	return r
}

// Run runs a command with a script on its standard input as root; that makes
// systemd.Look see what root sees.
func (m machine) Run(ctx context.Context, command string, stdin io.Reader) (remote.Result, error) {
	var script bytes.Buffer
	if stdin != nil {
		if _, err := script.ReadFrom(stdin); err != nil {
			return remote.Result{}, fmt.Errorf("read the script: %w", err)
		}
	}
	if !m.sudo.Use {
		return m.conn.Run(ctx, command, &script) //nolint:wrapcheck // says on whom
	}
	as, password := m.command("exec </dev/null\n" + script.String())
	return m.conn.Run(ctx, as, password) //nolint:wrapcheck // says on whom
}

// quote makes one shell word of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
