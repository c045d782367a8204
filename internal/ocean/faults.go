package ocean

import (
	"errors"
	"fmt"
	"strings"
)

// Fault is one reason why a rebuild would not work, known before anything is
// changed.
type Fault struct {
	// Server and Droplet may be empty; DropletID is 0 then.
	Server, Droplet string
	DropletID       int
	// What is wrong, and Fix what to do about it, in words.
	What, Fix string
}

// String is the fault in one line: where, what, and the fix.
func (f Fault) String() string {
	var where []string
	if f.Server != "" {
		where = append(where, "server "+f.Server)
	}
	if f.Droplet != "" {
		where = append(where, fmt.Sprintf("droplet %s (%d)", f.Droplet, f.DropletID))
	}
	s := f.What
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	if len(where) == 0 {
		return s
	}
	return strings.Join(where, ", ") + ": " + s
}

// FaultsError lists every fault that was found, not only the first.
type FaultsError struct{ Faults []Fault }

// Error is the one fault, or a list of them, one a line.
func (e *FaultsError) Error() string {
	if len(e.Faults) == 1 {
		return e.Faults[0].String()
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d faults:", len(e.Faults))
	for _, f := range e.Faults {
		s.WriteString("\n  - " + f.String())
	}
	return s.String()
}

// ForServer names the server in the faults of an error that does not name one
// yet, such as one from Select. Other errors are returned as they are.
func ForServer(server string, err error) error {
	var e *FaultsError
	if !errors.As(err, &e) {
		return err
	}
	named := make([]Fault, 0, len(e.Faults))
	for _, f := range e.Faults {
		if f.Server == "" {
			f.Server = server
		}
		named = append(named, f)
	}
	return &FaultsError{Faults: named}
}

// Faults are the faults in an error, joined ones included.
func Faults(err error) []Fault {
	var e *FaultsError
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // errors.As finds only the first
		var all []Fault
		for _, one := range joined.Unwrap() {
			all = append(all, Faults(one)...)
		}
		return all
	}
	if errors.As(err, &e) {
		return e.Faults
	}
	return nil
}

func asError(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &FaultsError{Faults: faults}
}
