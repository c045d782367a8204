package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostKeysIn are the public host keys that a folder of extra files brings to the
// new system, in authorized_keys form; none where it has none. A private key whose
// public one is not beside it counts too.
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

func publicKey(name string) (string, error) {
	public, err := os.ReadFile(name + ".pub") //nolint:gosec // in the folder that the person named
	if err == nil {
		return string(public), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err //nolint:wrapcheck // the caller says which key
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
