package remote

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
)

// HostKeyError says that a host did not present a key that is accepted. It is
// final: the same host will not do better by trying again.
type HostKeyError struct {
	Target string
	Policy fleet.HostKeyPolicy
	// Demanded are the fingerprints that would have been accepted.
	Demanded []string
	// Came is the fingerprint that was presented, CameKey the key in
	// authorized_keys form.
	Came, CameKey string
	// Reason is said where the key's fingerprint is not what is wrong, as with a
	// certificate made out to another host.
	Reason string
	// Advice is what to do.
	Advice string
}

// Error says which key was demanded, which came, and what to do.
func (e *HostKeyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s presented the host key %s, which is not accepted (host-key-policy %s): ", e.Target, e.Came, e.Policy)
	switch {
	case e.Reason != "":
		b.WriteString(e.Reason)
	case len(e.Demanded) == 0:
		b.WriteString("no host key is pinned")
	default:
		b.WriteString("demanded is " + strings.Join(e.Demanded, " or "))
	}
	return b.String() + "; " + e.Advice
}

// keyCheck decides on one connection's host key.
type keyCheck struct {
	name, host         string
	policy             fleet.HostKeyPolicy
	known, authorities []ssh.PublicKey
	acceptNewSet       bool
	advice             string

	// The outcome, valid after the handshake.
	presented ssh.PublicKey
	trust     Trust
}

func newKeyCheck(t Target) (*keyCheck, error) {
	k := &keyCheck{name: t.String(), host: t.Name, policy: t.Keys.Policy, acceptNewSet: t.Keys.AcceptNewSet}
	if k.policy == "" {
		k.policy = fleet.Rotate
	}
	var errKnown, errAuthorities error
	k.known, errKnown = parseKeys(t.Keys.Known)
	k.authorities, errAuthorities = parseKeys(t.Keys.Authorities)
	if err := errors.Join(errKnown, errAuthorities); err != nil {
		return nil, fmt.Errorf("read the host keys of %s: %w", t, err)
	}
	return k, nil
}

// parseKeys reads keys in authorized_keys form, or as a line of known_hosts has
// them behind the host's name.
func parseKeys(lines []string) ([]ssh.PublicKey, error) {
	var (
		keys []ssh.PublicKey
		errs []error
	)
	for _, line := range lines {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			errs = append(errs, fmt.Errorf("%q is not a public key in authorized_keys form (\"ssh-ed25519 AAAA…\"): %w", line, err))
			continue
		}
		keys = append(keys, key)
	}
	return keys, errors.Join(errs...)
}

// algorithms are what is offered to the host: those of the keys that are
// accepted first, since the host takes the first that it can (golang/go#29286).
// The others follow, so that a host with other keys still shows one of them.
func (k *keyCheck) algorithms() []string {
	var out []string
	add := func(algorithms ...string) {
		for _, a := range algorithms {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	all := ssh.SupportedAlgorithms().HostKeys
	isCertificate := func(a string) bool { return strings.Contains(a, "-cert-") }
	if len(k.authorities) > 0 {
		for _, a := range all {
			if isCertificate(a) {
				add(a)
			}
		}
	}
	for _, key := range k.known {
		add(algorithmsFor(key.Type())...)
	}
	add(ssh.KeyAlgoED25519)
	for _, a := range all {
		if !isCertificate(a) {
			add(a)
		}
	}
	return out
}

// algorithmsFor are the signature algorithms of a key type; an RSA key signs with
// SHA-2, whatever its type is called (RFC 8332).
func algorithmsFor(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// callback is an ssh.HostKeyCallback.
func (k *keyCheck) callback(address string, _ net.Addr, key ssh.PublicKey) error {
	plain := key
	certificate, isCertificate := key.(*ssh.Certificate)
	if isCertificate {
		plain = certificate.Key
	}
	trust, reason := k.decide(address, plain, certificate)
	if trust == "" {
		return k.refuse(plain, reason)
	}
	k.presented, k.trust = plain, trust
	return nil
}

// decide returns why a key is accepted, or "" and, at times, the reason.
func (k *keyCheck) decide(address string, key ssh.PublicKey, certificate *ssh.Certificate) (Trust, string) {
	if slices.ContainsFunc(k.known, func(other ssh.PublicKey) bool { return sameKey(key, other) }) {
		return Known, ""
	}
	var reason string
	if certificate != nil {
		err := k.checkCertificate(address, certificate)
		if err == nil {
			return Authority, ""
		}
		reason = "its certificate is not good: " + strings.TrimPrefix(err.Error(), "ssh: ")
	}
	if k.policy == fleet.Strict || len(k.authorities) > 0 {
		return "", reason
	}
	if len(k.known) == 0 {
		// After our own rebuild a key without a forerunner is as new as one with.
		if k.acceptNewSet && k.policy == fleet.Rotate {
			return NewSet, ""
		}
		return FirstContact, ""
	}
	if k.acceptNewSet && k.policy == fleet.Rotate {
		return NewSet, ""
	}
	return "", reason
}

// checkCertificate accepts a certificate of one of the authorities that is made
// out to the target's address or to its name.
func (k *keyCheck) checkCertificate(address string, certificate *ssh.Certificate) error {
	checker := &ssh.CertChecker{IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(k.authorities, func(a ssh.PublicKey) bool { return sameKey(a, authority) })
	}}
	err := checker.CheckHostKey(address, nil, certificate)
	if err == nil || k.host == "" {
		return err //nolint:wrapcheck // said by the caller
	}
	if checker.CheckHostKey(net.JoinHostPort(k.host, "22"), nil, certificate) == nil {
		return nil
	}
	return err //nolint:wrapcheck // said by the caller
}

func (k *keyCheck) refuse(key ssh.PublicKey, reason string) error {
	e := &HostKeyError{
		Target: k.name, Policy: k.policy, Reason: reason,
		Came: fingerprint(key), CameKey: marshalKey(key), Advice: k.advice,
	}
	for _, known := range k.known {
		e.Demanded = append(e.Demanded, fingerprint(known))
	}
	for _, authority := range k.authorities {
		e.Demanded = append(e.Demanded, "a certificate of "+fingerprint(authority))
	}
	if e.Advice == "" {
		e.Advice = "if the host was set up anew by somebody else, compare the fingerprint on its console " +
			"(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and pin its key in ssh.host-keys; otherwise somebody may stand in between"
	}
	return e
}

func sameKey(a, b ssh.PublicKey) bool {
	return a.Type() == b.Type() && string(a.Marshal()) == string(b.Marshal())
}

// fingerprint is a key as ssh-keygen -l shows it: "ED25519 SHA256:…".
func fingerprint(key ssh.PublicKey) string {
	name := strings.TrimPrefix(key.Type(), "ssh-")
	if strings.HasPrefix(name, "ecdsa-") {
		name = "ecdsa"
	}
	return strings.ToUpper(name) + " " + ssh.FingerprintSHA256(key)
}

func marshalKey(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
