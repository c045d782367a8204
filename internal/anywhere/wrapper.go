package anywhere

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// nixos-anywhere gives every ssh, and every nix that it lets call ssh, the options
// StrictHostKeyChecking=no and UserKnownHostsFile=/dev/null: it would hand the
// machine, and the secrets among the extra files, to whoever answers. What it is
// given with --ssh-option comes behind these, and OpenSSH takes the first value
// that it meets, so nothing can be set right from outside by options alone.
//
// Therefore programs of our own stand first on its PATH. nixos-anywhere keeps the
// caller's PATH before the OpenSSH that it brings along; ssh-copy-id, nix and rsync
// look ssh up there too, while scp and sftp have a path of ssh built in and take
// another by -S. Our ssh puts the configuration and the options that decide about
// host keys in front of all others, and turns the name that nixos-anywhere knows
// the host by into that of the configuration. For other hosts, such as builders or
// git servers, it is the ssh that it stands for.
const wrapped = `#!/bin/sh
# Written by snowdrop: the ssh that nixos-anywhere finds.
ours=
for word do
	shift
	case $word in
	%[1]s) word=%[2]s ours=1 ;;
	*@%[1]s) word=${word%%@*}@%[2]s ours=1 ;;
	esac
	set -- "$@" "$word"
done
[ -n "$ours" ] || exec %[3]s "$@"
exec %[3]s -F %[4]s \
	-o StrictHostKeyChecking=yes -o UserKnownHostsFile=%[5]s -o GlobalKnownHostsFile=none \
	-o HostKeyAlias=%[6]s -o CheckHostIP=no -o UpdateHostKeys=no -o VerifyHostKeyDNS=no \
	-o NoHostAuthenticationForLocalhost=no "$@"
`

// wrapCopier is the scp or sftp beside it.
const wrapCopier = `#!/bin/sh
exec %s -S %s "$@"
`

// wrap writes the programs beside the configuration, whose folder is private and
// is removed by whoever made it, and returns their folder.
func wrap(ctx context.Context, s SSH) (string, error) {
	real, err := exec.LookPath("ssh")
	if err != nil {
		return "", fmt.Errorf("nixos-anywhere needs OpenSSH's ssh: %w", err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return "", fmt.Errorf("find ssh: %w", err)
	}
	known, name, err := hostKeyOptions(ctx, real, s)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(s.Config), "bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for the ssh of nixos-anywhere: %w", err)
	}
	ssh := filepath.Join(dir, "ssh")
	programs := map[string]string{
		ssh: fmt.Sprintf(wrapped, s.alias(), s.Host, quote(real), quote(s.Config), quote(`"`+known+`"`), quote(name)),
	}
	for _, copier := range []string{"scp", "sftp"} {
		if path, err := exec.LookPath(copier); err == nil {
			if path, err = filepath.Abs(path); err == nil {
				programs[filepath.Join(dir, copier)] = fmt.Sprintf(wrapCopier, quote(path), quote(ssh))
			}
		}
	}
	for path, text := range programs {
		if err := writeProgram(path, text); err != nil {
			return "", fmt.Errorf("write the ssh of nixos-anywhere: %w", err)
		}
	}
	return dir, nil
}

// writeProgram writes a program while nothing is started: a program that is just being
// started, for another host, would have the file open for writing too, and Linux runs
// no such file, "text file busy" (https://go.dev/issue/22315).
func writeProgram(path, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), 0o700) //nolint:gosec,wrapcheck // a program, in a private folder; it names the file
}

// hostKeyOptions asks ssh what the configuration says of the host: where its keys
// are, and by which name. A configuration that would accept others is an error.
func hostKeyOptions(ctx context.Context, ssh string, s SSH) (known, name string, err error) {
	ask := exec.CommandContext(ctx, ssh, "-G", "-F", s.Config, "--", s.Host) //nolint:gosec // the user's own ssh
	var said strings.Builder
	ask.Stderr = &said
	out, err := ask.Output()
	if err != nil {
		return "", "", fmt.Errorf("read OpenSSH's configuration: %w: %s", err, strings.TrimSpace(said.String()))
	}
	strict := ""
	for line := range strings.Lines(string(out)) {
		option, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch option {
		case "userknownhostsfile":
			known = value
		case "hostkeyalias":
			name = value
		case "stricthostkeychecking":
			strict = value
		}
	}
	if known == "" || name == "" || strict != "true" && strict != "yes" {
		return "", "", fmt.Errorf("OpenSSH's configuration for %s demands no known host key (StrictHostKeyChecking %s)", s.Host, strict)
	}
	return known, name, nil
}

// quote makes one word of text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
