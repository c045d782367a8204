package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/knownhosts"
)

type knownHostsFlags struct {
	runFlags
	file  string
	print bool
}

func (a *app) knownHostsCommand() *cobra.Command {
	var f knownHostsFlags
	c := &cobra.Command{
		Use:     "known-hosts [SERVER]...",
		Short:   "Write the recorded host keys to ~/.ssh/known_hosts, and take stale ones out of it",
		GroupID: groupLook,
		Long: `Makes ssh know the machines of the fleet by the host keys that their records have:
under their names and addresses, with the port where it is not 22. Other keys of
these names and addresses are taken out, hashed ones too; from a line that several
hosts share only the name goes. Everything else stays as it is.

The file is replaced as a whole; the former one is kept beside it, as
known_hosts.old. A second run changes nothing.`,
		Example: `  snowdrop known-hosts
  snowdrop known-hosts --dry-run        # shows the difference
  snowdrop known-hosts --print > known_hosts`,
		RunE: func(c *cobra.Command, args []string) error {
			a.document = true
			return a.run(f.runFlags, args, func(s *session) error {
				return s.knownHosts(c.Context(), &f, args)
			})
		},
	}
	f.addSelect(a, c)
	c.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "change nothing, show the difference")
	c.Flags().StringVar(&f.file, "file", "", "the known_hosts file (default ~/.ssh/known_hosts)")
	c.Flags().BoolVar(&f.print, "print", false, "print lines for a known_hosts file, and touch no file")
	for _, other := range []string{"file", "dry-run"} {
		c.MarkFlagsMutuallyExclusive("print", other)
	}
	return c
}

func (s *session) knownHosts(ctx context.Context, f *knownHostsFlags, args []string) error {
	machines, fault := s.deployer.Machines(ctx, f.request(args))
	if len(machines) == 0 && fault != nil {
		return fault //nolint:wrapcheck // the use case says what it did
	}
	var hosts []knownhosts.Host
	for _, m := range machines {
		host, reason := m.KnownHost()
		if reason == "" {
			hosts, reason = append(hosts, host), m.Doubt
		}
		if reason != "" {
			_, _ = fmt.Fprintf(s.io.Err, "snowdrop: %s: %s\n", m, reason)
		}
	}
	if len(hosts) == 0 {
		return errors.Join(fault, errors.New("no machine has a host key to write: nothing was changed"))
	}
	if f.print {
		return errors.Join(fault, s.printKnownHosts(hosts))
	}
	return errors.Join(fault, s.writeKnownHosts(ctx, f, hosts))
}

func (s *session) printKnownHosts(hosts []knownhosts.Host) error {
	edited, err := knownhosts.Edit(nil, hosts, rand.Reader)
	if err != nil {
		return fmt.Errorf("write known_hosts lines: %w", err)
	}
	if _, err := s.io.Out.Write(edited.Text); err != nil {
		return fmt.Errorf("print known_hosts lines: %w", err)
	}
	return nil
}

func (s *session) writeKnownHosts(ctx context.Context, f *knownHostsFlags, hosts []knownhosts.Host) error {
	path, err := s.knownHostsPath(f)
	if err != nil {
		return err
	}
	file, err := knownhosts.Open(path)
	if err != nil {
		return err //nolint:wrapcheck // it says which file
	}
	before, err := file.Read()
	if err != nil {
		return err //nolint:wrapcheck // it says which file
	}
	edited, err := knownhosts.Edit(before, hosts, rand.Reader)
	if err == nil && !f.dryRun {
		err = file.Update(ctx, func(text []byte) ([]byte, error) {
			before = text
			edited, err = knownhosts.Edit(text, hosts, rand.Reader)
			return edited.Text, err
		})
	}
	if err != nil {
		return fmt.Errorf("edit %s: %w", path, err)
	}
	for _, one := range edited.Revoked {
		_, _ = fmt.Fprintf(s.io.Err, "snowdrop: %s marks a recorded host key as revoked, and ssh goes on to refuse it: %s\n", path, one)
	}
	s.tellKnownHosts(file, edited, f.dryRun, len(before) > 0)
	return nil
}

func (s *session) tellKnownHosts(file knownhosts.File, edited knownhosts.Edited, dryRun, backup bool) {
	added, changed := 0, 0
	for _, c := range edited.Changes {
		if c.Old == "" {
			added++
		} else {
			changed++
		}
	}
	switch {
	case len(edited.Changes) == 0:
		_, _ = fmt.Fprintf(s.io.Out, "%s has the recorded host keys already\n", file.Path())
	case dryRun:
		_, _ = fmt.Fprint(s.io.Out, edited.Diff(file.Path()))
	default:
		_, _ = fmt.Fprintf(s.io.Out, "%s: %d line(s) added, %d with stale keys taken out or changed", file.Path(), added, changed)
		if backup {
			_, _ = fmt.Fprintf(s.io.Out, "; as it was: %s", file.Backup())
		}
		_, _ = fmt.Fprintln(s.io.Out)
	}
}

func (s *session) knownHostsPath(f *knownHostsFlags) (string, error) {
	if f.file != "" {
		return f.file, nil
	}
	home := s.io.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", fmt.Errorf("find ~/.ssh/known_hosts: %w: name it with --file", err)
		}
	}
	return filepath.Join(home, ".ssh", "known_hosts"), nil
}
