package nix

import (
	"context"
	"fmt"
	"strings"
)

// SSH is how nix reaches the stores of other machines: by OpenSSH's program.
type SSH struct {
	// Config is the file for ssh -F; its path has no blanks, at which nix would split
	// it. Empty: ssh's own configuration.
	Config string
}

// Copy says what is copied, and between which machines. A machine is what ssh calls
// it; empty is the store here.
type Copy struct {
	SSH
	Path     string
	From, To string
	// Substitute lets the machine fetch from its own caches what they have, instead
	// of getting it from here.
	Substitute bool
}

// CopyError says why a closure did not get to a machine, or a derivation to one
// that is to build it.
type CopyError struct {
	Path, To string
	// Reason is what nix or ssh said.
	Reason string
	// Hint is what to do, where that is known.
	Hint string
	// LogFile holds all that nix said.
	LogFile string
}

// Error is in one piece what a person needs.
func (e *CopyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "copy %s to %s: %s", displayName(e.Path), e.To, e.Reason)
	writeEnd(&b, e.Hint, e.LogFile)
	return b.String()
}

// Copy copies a path with all that it needs, and returns how many paths the other
// store did not have yet. It errors with *CopyError. What was copied before it failed
// stays there, and a second copy goes on after it.
//
// Signatures are not asked for: what was built here has none. A machine that does
// not trust the user asks for them all the same.
func (c *Client) Copy(ctx context.Context, copying Copy, p Progress) (int, error) {
	args := []string{"--no-check-sigs"}
	if copying.Substitute {
		args = append(args, "--substitute-on-destination")
	}
	if copying.From != "" {
		args = append(args, "--from", storeURL(copying.From))
	}
	if copying.To != "" {
		args = append(args, "--to", storeURL(copying.To))
	}
	_, said, err := c.over(copying.SSH).json(ctx, p, "copy", append(args, "--", copying.Path)...)
	switch {
	case err != nil && isOurs(ctx, err):
		return said.copies, err
	case err != nil:
		return said.copies, said.copyError(copying.Path, copying.To, err)
	}
	return said.copies, nil
}

// RealiseOn builds on another machine what Evaluate found here; what is built
// stays there. Errors are those of Realise, and *CopyError where the derivations
// did not get there.
func (c *Client) RealiseOn(ctx context.Context, ssh SSH, host string, outputs []Output, p Progress) error {
	if len(outputs) == 0 {
		return nil
	}
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	over := c.over(ssh)
	// nix build --store knows a derivation only if it is in that store, with which
	// --eval-store does not help where it is named by its path.
	args := []string{"--derivation", "--no-check-sigs", "--to", storeURL(host), "--"}
	for _, o := range outputs {
		if o.Drv == "" {
			return fmt.Errorf("build %s on %s: it is a path of the store and no derivation; leave --build-host out", o.Installable, host)
		}
		args = append(args, o.Drv)
	}
	if _, said, err := over.json(ctx, p, "copy", args...); err != nil {
		if isOurs(ctx, err) {
			return err
		}
		return said.copyError(outputs[0].Drv, host, err)
	}
	args = append([]string{"--store", storeURL(host), "--json", "--keep-going", "--no-link"}, targets(outputs, version)...)
	stdout, said, err := over.json(ctx, p, "build", args...)
	if err != nil {
		return said.realiseError(ctx, outputs, err)
	}
	return checkBuilt(stdout, outputs)
}

func storeURL(host string) string { return "ssh-ng://" + host }

// over is the client with its way to other machines.
func (c *Client) over(ssh SSH) *Client {
	cfg := c.cfg
	if ssh.Config != "" {
		cfg.Env = append(append([]string{}, cfg.Env...), "NIX_SSHOPTS=-F "+ssh.Config)
	}
	return &Client{cfg: cfg, grace: c.grace}
}

// copyError makes the error of a copy. What ssh itself said stands in a line that
// is not nix's, and says more than that the connection ended.
func (t *transcript) copyError(path, to string, cause error) error {
	e := &CopyError{Path: path, To: to, Reason: cause.Error(), LogFile: t.logName}
	if to == "" {
		e.To = "this machine"
	}
	if len(t.faults) > 0 {
		e.Reason = t.faults[len(t.faults)-1].message()
	}
	cut := strings.Contains(e.Reason, "cannot open connection") || strings.Contains(e.Reason, "failed to start SSH connection") || len(t.faults) == 0
	if said := strings.TrimSpace(strings.TrimPrefix(t.last, "error: ")); cut && said != "" {
		e.Reason = said + " (" + e.Reason + ")"
	}
	e.Hint = copyHint(e.Reason)
	return e
}

// copyHint is what to do about a copy that was refused.
func copyHint(reason string) string {
	for _, h := range []struct{ sign, hint string }{
		{"lacks a signature by a trusted key", unsigned},
		{"lacks a valid signature", unsigned},
		{"No space left on device", "the machine's disk is full: delete old generations on it (sudo nix-collect-garbage --delete-older-than 14d), or look with df -h /nix"},
		{"nix-daemon: command not found", noNix},
		{"nix-daemon: not found", noNix},
		{"unable to execute 'ssh'", noSSH},
		{"Could not find executable 'ssh'", noSSH},
		{"Host key verification failed", "its host key is not known: connect once by hand (ssh HOST), look at the key, and accept it"},
		{"daemon-socket/socket': Permission denied", noDaemon},
		{"is not allowed to connect to the Nix daemon", noDaemon},
		{"Permission denied (", "it does not take the key: see that ssh gets in by hand"},
	} {
		if strings.Contains(reason, h.sign) {
			return h.hint
		}
	}
	return ""
}

const (
	unsigned = "the machine takes unsigned paths only from users whom its nix trusts. Either set on it\n" +
		"  nix.settings.trusted-users = [ \"root\" \"@wheel\" ];   (or the name of the user; whoever is trusted is as good as root)\n" +
		"or connect as root, or sign what you build: nix key generate-secret --key-name NAME > /etc/nix/signing.key, here in nix.conf\n" +
		"  secret-key-files = /etc/nix/signing.key\n" +
		"and on the machine nix.settings.trusted-public-keys = [ \"NAME:…\" ]; (nix key convert-secret-to-public). What was built before has to\n" +
		"be signed by hand: nix store sign --recursive --key-file /etc/nix/signing.key PATH"
	noDaemon = "the user of the connection may not use the machine's nix daemon: name them there in nix.settings.allowed-users and\n" +
		"nix.settings.trusted-users (Debian: in the group nix-users), or connect as root"
	noSSH = "there is no program ssh here, which nix needs: install OpenSSH's client (Debian and Ubuntu: apt-get install openssh-client)"
	noNix = "there is no nix on the machine, or not in the PATH of a command over ssh: this is for machines that run NixOS"
)

// realiseError says what could not be built.
func (t *transcript) realiseError(ctx context.Context, outputs []Output, err error) error {
	if isOurs(ctx, err) {
		return err
	}
	if failed := t.buildErrors(outputs); len(failed) > 0 {
		return joinBuild(failed)
	}
	return &BuildError{
		Installables: names(outputs), Reason: strings.TrimSuffix(err.Error()+": "+t.last, ": "), LogFile: t.logName,
	}
}
