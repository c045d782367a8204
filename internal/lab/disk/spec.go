// Package disk holds the disk images of the lab: it makes small ones that carry a
// marker for simulated droplets, and it looks at any image the way an importer does.
package disk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/release"
)

// Marker stands before the line of JSON (a Spec) in an image for simulated droplets.
const Marker = "snowdrop-lab-image:"

// MarkerWithin is how far into the disk the marker may stand, in bytes.
const MarkerWithin = 1 << 20

// Boot is how a simulated droplet behaves when it starts from an image.
type Boot string

// The boot behaviours.
const (
	// BootOK reaches running with every unit as the Spec says.
	BootOK Boot = "ok"
	// BootFailedUnit reaches degraded: the units in Failed (or the first unit) fail.
	BootFailedUnit Boot = "failed-unit"
	// BootCrashLoop reaches running while a unit dies and is restarted for ever.
	BootCrashLoop Boot = "crash-loop"
	// BootHang answers SSH and stays "starting".
	BootHang Boot = "hang"
	// BootOldSystem comes up with the system that ran before the rebuild.
	BootOldSystem Boot = "old-system"
	// BootNever does not answer at all.
	BootNever Boot = "never"
)

// Boots are all the boot behaviours.
func Boots() []Boot {
	return []Boot{BootOK, BootFailedUnit, BootCrashLoop, BootHang, BootOldSystem, BootNever}
}

// Spec says what a simulated droplet does with the image that carries it.
type Spec struct {
	// Name is the server's name, for the store paths of a Builder.
	Name string `json:"name,omitempty"`
	// System is the toplevel that /run/current-system points to.
	System string `json:"system,omitempty"`
	// Boot is how it starts; "" means ok.
	Boot Boot `json:"boot,omitempty"`
	// Units are the system units and the ActiveState that each reaches.
	Units map[string]string `json:"units,omitempty"`
	// UserUnits are units of users' managers, by user.
	UserUnits map[string]map[string]string `json:"userUnits,omitempty"`
	// Failed are the units that fail, with their journal, for failed-unit and
	// crash-loop.
	Failed []release.Unit `json:"failed,omitempty"`
	// Needs are files without which a unit fails to start.
	Needs Needs `json:"needs,omitempty"`
	// Users are further users that the system knows, for files' owners and logins.
	Users []string `json:"users,omitempty"`
	// Sudo are the passwords that sudo asks users for; of a user who is not named it
	// asks for none.
	Sudo map[string]string `json:"sudo,omitempty"`
	// HTTP are the answers of its web servers: "/healthz" on port 80, or with a
	// port ":9292/health".
	HTTP map[string]Answer `json:"http,omitempty"`
	// SizeMiB is the size of the disk that Make writes; 0 means 16.
	SizeMiB int `json:"sizeMiB,omitempty"`
}

// Answer is what a simulated web server answers for one path.
type Answer struct {
	Status int    `json:"status"`
	Body   string `json:"body,omitempty"`
	// Unit must be active, else the connection is refused.
	Unit string `json:"unit,omitempty"`
}

// DefaultNeedsUnit is the unit of a need that names none.
const DefaultNeedsUnit = "sops-install.service"

// Need is a file that a unit cannot start without.
type Need struct {
	Unit string `json:"unit"`
	Path string `json:"path"`
}

// Needs are files that units cannot start without. In JSON one may be written as
// its path alone; it belongs to sops-install.service then.
type Needs []Need

// UnmarshalJSON reads a list of paths and of {unit, path}.
func (n *Needs) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("read needs: %w", err)
	}
	*n = nil
	for _, r := range raw {
		need := Need{Unit: DefaultNeedsUnit}
		if bytes.HasPrefix(r, []byte(`"`)) {
			if err := json.Unmarshal(r, &need.Path); err != nil {
				return fmt.Errorf("read needs: %w", err)
			}
		} else {
			type plain Need
			if err := json.Unmarshal(r, (*plain)(&need)); err != nil {
				return fmt.Errorf("read needs: %w", err)
			}
		}
		*n = append(*n, need)
	}
	return nil
}

// Validate returns every fault of the Spec.
func (s Spec) Validate() error {
	var errs []error
	if s.Boot != "" && !slices.Contains(Boots(), s.Boot) {
		errs = append(errs, fmt.Errorf("boot %q is none of %v", s.Boot, Boots()))
	}
	if s.SizeMiB < 0 || s.SizeMiB == 1 {
		errs = append(errs, fmt.Errorf("sizeMiB %d: a disk has at least 2", s.SizeMiB))
	}
	for _, n := range s.Needs {
		if !strings.HasPrefix(n.Path, "/") || n.Unit == "" {
			errs = append(errs, fmt.Errorf("need %+v: wants a unit and an absolute path", n))
		}
	}
	for key := range s.HTTP {
		if _, _, err := SplitHTTP(key); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// SplitHTTP splits a key of Spec.HTTP into port and path.
func SplitHTTP(key string) (port int, path string, err error) {
	if strings.HasPrefix(key, "/") {
		return 80, key, nil
	}
	if _, err := fmt.Sscanf(key, ":%d", &port); err != nil || !strings.Contains(key, "/") {
		return 0, "", fmt.Errorf("http %q: wants /path or :port/path", key)
	}
	return port, key[strings.Index(key, "/"):], nil
}

// Find returns the Spec that the start of an image carries, or nil.
func Find(head []byte) (*Spec, error) {
	_, after, ok := bytes.Cut(head, []byte(Marker))
	if !ok {
		return nil, nil //nolint:nilnil // no marker is no error: any other image is one too
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	var s Spec
	if err := json.Unmarshal(bytes.Trim(line, "\x00 "), &s); err != nil {
		return nil, fmt.Errorf("read the marker of a lab image: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("read the marker of a lab image: %w", err)
	}
	return &s, nil
}
