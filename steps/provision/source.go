package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
)

// The defaults of a file: it is a secret, so nobody but its owner reads it.
const (
	defaultMode  = "0400"
	defaultOwner = "root"
)

// file is a fleet.File with its defaults and its content.
type file struct {
	fleet.File
	content []byte
	// hostKey is the public half where the content is an SSH host key.
	hostKey string
}

// Check says, before anything is changed, which of a server's files could not be
// written: variables that are not set, files that are not there, programs that are
// not found, impossible paths, modes and owners. It runs no command. All faults are joined.
func Check(server string, files []fleet.File, env func(string) string) error {
	var errs []error
	for _, f := range files {
		for _, err := range []error{checkFile(f), checkSource(f.From, env)} {
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: file %s: %w", server, f.Path, err))
			}
		}
	}
	return errors.Join(errs...)
}

func checkSource(src fleet.Source, env func(string) string) error {
	if len(src.Command) > 0 && src.Env == "" && src.File == "" {
		if _, err := exec.LookPath(src.Command[0]); err != nil {
			return fmt.Errorf("its content comes from a command: %w", err)
		}
		return nil
	}
	// Reading a variable or a file changes nothing; its content is dropped again.
	_, err := remote.ReadSource(context.Background(), src, env)
	if err != nil {
		return err //nolint:wrapcheck // names the source
	}
	return nil
}

func checkFile(f fleet.File) error {
	var errs []error
	if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" {
		errs = append(errs, fmt.Errorf("%q is not a clean absolute path", f.Path))
	}
	if f.Mode != "" {
		if mode, err := strconv.ParseUint(f.Mode, 8, 32); err != nil || mode > 0o7777 {
			errs = append(errs, fmt.Errorf("%q is not an octal mode such as 0400", f.Mode))
		}
	}
	for _, name := range []string{f.Owner, f.Group} {
		if strings.HasPrefix(name, "-") || strings.ContainsAny(name, ": \t\n/") {
			errs = append(errs, fmt.Errorf("%q is not a name of a user or a group", name))
		}
	}
	for _, unit := range f.Restart {
		if unit == "" || strings.HasPrefix(unit, "-") || strings.ContainsAny(unit, " \t\n/") {
			errs = append(errs, fmt.Errorf("%q is not a name of a unit", unit))
		}
	}
	return errors.Join(errs...)
}

// resolve reads the content of all files; all faults are joined, each naming the
// droplet, the path and the source.
func resolve(ctx context.Context, in In, env func(string) string) ([]file, error) {
	var (
		out  []file
		errs []error
	)
	fault := func(f fleet.File, err error) {
		errs = append(errs, fmt.Errorf("%s: file %s: %w", in.Target, f.Path, err))
	}
	for _, f := range in.Files {
		if err := checkFile(f); err != nil {
			fault(f, err)
			continue
		}
		if f.Mode == "" {
			f.Mode = defaultMode
		}
		if f.Owner == "" {
			f.Owner = defaultOwner
		}
		content, err := remote.ReadSource(ctx, f.From, env)
		if err != nil {
			fault(f, err)
			continue
		}
		r := file{File: f, content: content}
		if isHostKey(f.Path) {
			if err := r.readHostKey(); err != nil {
				fault(f, err)
				continue
			}
		}
		out = append(out, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("nothing was written: %w", err)
	}
	return out, nil
}

func isHostKey(name string) bool {
	ok, err := path.Match("/etc/ssh/ssh_host_*_key", name)
	return err == nil && ok
}

// readHostKey derives the public key. sshd refuses a key without its last line
// end, which secret stores like to cut off.
func (f *file) readHostKey() error {
	clean := bytes.TrimSpace(bytes.ReplaceAll(f.content, []byte("\r\n"), []byte("\n")))
	f.content = append(clean, '\n')
	signer, err := ssh.ParsePrivateKey(f.content)
	if err != nil {
		// Not the library's error: it may quote what it could not read.
		return errors.New("its content is not a private SSH host key without a passphrase")
	}
	f.hostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	if mode, err := strconv.ParseUint(f.Mode, 8, 32); err == nil && mode&uint64(os.FileMode(0o077)) != 0 {
		return fmt.Errorf("its mode %s lets others read it: sshd refuses such a host key, write 0400 or 0600", f.Mode)
	}
	return nil
}
