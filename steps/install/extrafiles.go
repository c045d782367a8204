package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostKeysIn are the public host keys that a folder of extra files brings to the
// new system, in authorized_keys form; none where it has none. A key that sshd would
// not take is an error.
func HostKeysIn(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	names, err := filepath.Glob(filepath.Join(escape(dir), "etc", "ssh", "ssh_host_*_key"))
	if err != nil {
		return nil, fmt.Errorf("look for host keys in %s: %w", dir, err)
	}
	var lines []string
	for _, name := range names {
		line, err := publicKey(name)
		if err != nil {
			return nil, fmt.Errorf("read the host key %s: %w", name, err)
		}
		lines = append(lines, line)
	}
	return unique(lines), nil
}

// publicKey is that of a private key: it, and not the file beside it, is what sshd
// shows. That sshd would not take the key is found out now, and not when nobody gets in.
func publicKey(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err //nolint:wrapcheck // the caller says which key
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("others may read it (mode %#o), and sshd takes no such key: chmod 600 it", mode) //nolint:err113 // said once
	}
	private, err := os.ReadFile(name) //nolint:gosec // in the folder that the person named
	if err != nil {
		return "", err //nolint:wrapcheck // the caller says which key
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return "", errors.New("it is no private key without a passphrase") //nolint:err113 // the library's error could quote it
	}
	return string(ssh.MarshalAuthorizedKey(signer.PublicKey())), nil
}

// escape keeps Glob from reading a folder's own name as a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(filepath.ToSlash(dir))
}
