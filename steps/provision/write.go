package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/versatus/snowdrop/internal/remote"
)

// Runner runs a command on the droplet.
type Runner interface {
	Run(ctx context.Context, command string, stdin io.Reader) (remote.Result, error)
}

// machine is a droplet that commands are run on as root.
type machine struct {
	Runner
	target remote.Target
	// shell starts a shell as root.
	shell string
}

// searchPath finds the programs on NixOS, whose non-interactive PATH may be
// minimal, and on others.
const searchPath = `PATH="${PATH:+$PATH:}/run/current-system/sw/bin:/run/wrappers/bin:/usr/sbin:/usr/bin:/sbin:/bin"; export PATH; `

// prepare finds out how to become root.
func (m *machine) prepare(ctx context.Context) error {
	m.shell = "sh"
	if m.target.User == "" || m.target.User == "root" {
		return nil
	}
	m.shell = "sudo -n sh"
	res, err := m.run(ctx, "true", nil)
	if err != nil {
		return err
	}
	if res.Exit != 0 {
		return fmt.Errorf("write files to %s: user %s may not become root without a password (sudo -n answered: %s); log in as root, or allow it (NixOS: security.sudo.wheelNeedsPassword = false)",
			m.target, m.target.User, said(res))
	}
	return nil
}

// run runs a script as root, with arguments that are words of it. The contents of
// files never go this way: a command line can be read by every process there.
func (m *machine) run(ctx context.Context, script string, stdin io.Reader, args ...string) (remote.Result, error) {
	words := []string{quote(searchPath + script), "snowdrop"}
	for _, a := range args {
		words = append(words, quote(a))
	}
	// The outer sh is for login shells that are not POSIX and to find sudo.
	command := "sh -c " + quote(searchPath+"exec "+m.shell+" -c "+strings.Join(words, " "))
	res, err := m.Run(ctx, command, stdin)
	if err != nil {
		return res, fmt.Errorf("write files: %w", err)
	}
	return res, nil
}

// The script compares first: same content, mode and owner mean that nothing is
// written. The temporary file lies in the same directory, so that mv is atomic; it
// is made with umask 077, so that nobody reads it before it has its owner. What
// arrives is compared with the sum of what was sent: a connection that is cut off
// reads as the end of the input. The second program of sum_of and state_of is BSD's.
const writeScript = `
set -eu
umask 077
file=$1 mode=$2 owner=$3 sum=$4
dir=$(dirname -- "$file")
sum_of() { { sha256sum 2>/dev/null || shasum -a 256; } <"$1" | cut -d ' ' -f 1; }
state_of() { stat -c '%a %U:%G %u:%g' -- "$1" 2>/dev/null || stat -f '%Lp %Su:%Sg %u:%g' -- "$1"; }
normal() { m=$1; while [ "${m#0}" != "$m" ]; do m=${m#0}; done; printf %s "$m"; }
if [ -d "$file" ]; then echo "it is a directory" >&2; exit 1; fi
if [ -f "$file" ] && [ ! -L "$file" ] && [ "$(sum_of "$file")" = "$sum" ]; then
  set -- $(state_of "$file")
  case "$owner" in
    *:*) same=$owner; named=$2; numbered=$3 ;;
    *) same=$owner; named=${2%%:*}; numbered=${3%%:*} ;;
  esac
  if [ "$(normal "$1")" = "$(normal "$mode")" ] && { [ "$named" = "$same" ] || [ "$numbered" = "$same" ]; }; then
    cat >/dev/null
    echo unchanged
    exit 0
  fi
fi
if [ ! -d "$dir" ]; then (umask 022; mkdir -p -- "$dir"); fi
tmp=$(mktemp "$dir/.snowdrop.XXXXXX")
trap 'rm -f -- "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$tmp"
if [ "$(sum_of "$tmp")" != "$sum" ]; then echo "the content did not arrive whole" >&2; exit 1; fi
chown -- "$owner" "$tmp"
chmod -- "$mode" "$tmp"
sync -- "$tmp" 2>/dev/null || sync
mv -f -- "$tmp" "$file"
echo written
`

// write writes a file and says whether it had to. Directories that are missing
// are made with mode 0755 and belong to root.
func (m *machine) write(ctx context.Context, f file) (bool, error) {
	owner := f.Owner
	if f.Group != "" {
		owner += ":" + f.Group
	}
	changed, err := m.put(ctx, f.Path, f.Mode, owner, f.content)
	if err != nil {
		return false, err
	}
	if f.hostKey == "" {
		return changed, nil
	}
	changedPub, err := m.put(ctx, f.Path+".pub", "0644", owner, []byte(f.hostKey+"\n"))
	return changed || changedPub, err
}

func (m *machine) put(ctx context.Context, name, mode, owner string, content []byte) (bool, error) {
	sum := sha256.Sum256(content)
	res, err := m.run(ctx, writeScript, bytes.NewReader(content), name, mode, owner, hex.EncodeToString(sum[:]))
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if res.Exit != 0 {
		return false, fmt.Errorf("write %s on %s: exit status %d: %s", name, m.target, res.Exit, said(res))
	}
	switch word := strings.TrimSpace(string(res.Stdout)); {
	case strings.HasSuffix(word, "unchanged"):
		return false, nil
	case strings.HasSuffix(word, "written"):
		return true, nil
	default:
		return false, fmt.Errorf("write %s on %s: the droplet did not say that it was written", name, m.target)
	}
}

// restart restarts a unit and waits for systemd's answer.
func (m *machine) restart(ctx context.Context, unit string) error {
	res, err := m.run(ctx, `systemctl restart -- "$1"`, nil, unit)
	if err != nil {
		return fmt.Errorf("restart %s: %w", unit, err)
	}
	if res.Exit != 0 {
		return fmt.Errorf("restart %s on %s, whose files are written: exit status %d: %s; look closer: journalctl -b -n 50 -u %s there",
			unit, m.target, res.Exit, said(res), unit)
	}
	return nil
}

// reloadSSH makes sshd read its host keys; connections stay. The service is
// sshd on NixOS and ssh on Debian; where a socket starts sshd for each
// connection, no service runs and none is needed.
func (m *machine) reloadSSH(ctx context.Context) error {
	const script = `
for unit in sshd.service ssh.service; do
  if systemctl is-active --quiet -- "$unit"; then
    systemctl reload-or-restart -- "$unit"
    exit
  fi
done
for unit in sshd.socket ssh.socket; do
  if systemctl is-active --quiet -- "$unit"; then exit 0; fi
done
echo "neither sshd.service nor ssh.service is active" >&2
exit 1
`
	res, err := m.run(ctx, script, nil)
	if err != nil {
		return fmt.Errorf("make sshd read its host key: %w", err)
	}
	if res.Exit != 0 {
		return fmt.Errorf("make sshd on %s read its host key, which is written: exit status %d: %s", m.target, res.Exit, said(res))
	}
	return nil
}

// said is what a script complained of. Its standard error holds no content: the
// scripts print none, and the content's only way is standard input.
func said(res remote.Result) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(res.Stderr), "?")), " ")
	const enough = 300
	if len(text) > enough {
		text = "…" + strings.ToValidUTF8(text[len(text)-enough:], "")
	}
	if text == "" {
		return "it said nothing"
	}
	return text
}

// quote makes one shell word of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
