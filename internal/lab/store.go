package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/versatus/snowdrop/internal/nix"
)

// stored is a system for a droplet's store.
type stored struct {
	// Address is the droplet's.
	Address string    `json:"address"`
	Spec    ImageSpec `json:"spec"`
}

// storing is a machine whose store the lab fills.
type storing interface{ Store(spec ImageSpec) error }

// postStore puts a system into the store of a simulated droplet.
func (l *Lab) postStore(w http.ResponseWriter, r *http.Request) {
	var s stored
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.machines.mu.Lock()
	found, ok := l.machines.address[s.Address].(storing)
	l.machines.mu.Unlock()
	if !ok {
		http.Error(w, "there is no simulated droplet "+s.Address, http.StatusNotFound)
		return
	}
	if err := found.Store(s.Spec); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Copy puts a toplevel into a simulated droplet's store, through the lab that API
// names. Whom ssh would reach stands in the configuration that nix would give it.
func (b *Builder) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	fail := func(err error) (int, error) {
		return 0, &nix.CopyError{Path: c.Path, To: c.To, Reason: err.Error()}
	}
	name, spec, ok := b.system(c.Path)
	if !ok {
		return fail(fmt.Errorf("path '%s' is not valid", c.Path))
	}
	if b.API == "" {
		return fail(errors.New("the lab's droplets are not reached from here"))
	}
	address, err := hostName(c.Config, c.To)
	if err != nil {
		return fail(err)
	}
	say(p.Phase, "copying "+name+" to "+c.To)
	body, err := json.Marshal(stored{Address: address, Spec: spec})
	if err != nil {
		return fail(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.API+"/lab/store", bytes.NewReader(body))
	if err != nil {
		return fail(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusNoContent {
		return fail(errors.New(strings.TrimSpace(string(text))))
	}
	return 1, nil
}

// system finds whose toplevel a path is.
func (b *Builder) system(path string) (string, ImageSpec, bool) {
	for name := range b.Servers {
		if s := b.spec(name); s.System == path {
			return name, s, true
		}
	}
	return "", ImageSpec{}, false
}

// hostName is the address of a host in a configuration of OpenSSH.
func hostName(config, host string) (string, error) {
	text, err := os.ReadFile(config) //nolint:gosec // the file that nix would name to ssh
	if err != nil {
		return "", fmt.Errorf("read ssh's configuration: %w", err)
	}
	at := false
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "Host":
			at = rest == host
		case word == "HostName" && at:
			return strings.Trim(rest, `"`), nil
		case word == "Include" && !strings.HasPrefix(rest, "~") && rest != "/etc/ssh/ssh_config":
			if found, err := hostName(rest, host); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("ssh: Could not resolve hostname %s: Name or service not known", host)
}

// RealiseOn builds as Realise does: the lab has one store for all.
func (b *Builder) RealiseOn(ctx context.Context, _ nix.SSH, _ string, outputs []nix.Output, p nix.Progress) error {
	return b.Realise(ctx, outputs, p)
}
