package fleet

import (
	"errors"
	"fmt"
	"slices"
)

// Select is the servers of the given names, or all of them where no name is
// given; with a cycle only those of the cycle. They are sorted by name. Every
// unknown name is reported in one error. No server at all is no error: a cycle
// may be empty.
func (f *Fleet) Select(names []string, cycle string) ([]Server, error) {
	var faults []error
	for _, name := range names {
		if _, ok := f.Servers[name]; !ok {
			faults = append(faults, f.unknown("server", name, sortedKeys(f.Servers)))
		}
	}
	if _, ok := f.Cycles[cycle]; cycle != "" && !ok {
		faults = append(faults, f.unknown("cycle", cycle, sortedKeys(f.Cycles)))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	var selected []Server
	for _, name := range sortedKeys(f.Servers) {
		server := f.Servers[name]
		if (len(names) == 0 || slices.Contains(names, name)) && (cycle == "" || server.Cycle == cycle) {
			selected = append(selected, server)
		}
	}
	return selected, nil
}

func (f *Fleet) unknown(what, name string, known []string) error {
	hint := didYouMean(name, known)
	switch {
	case hint != "":
	case len(known) == 0:
		hint = "it declares none"
	default:
		hint = "it has " + quoteList(known)
	}
	return fmt.Errorf("there is no %s %q in %s: %s", what, name, f.Path, hint)
}

// URL is the S3 endpoint's address: the given one, or the region's.
func (s Space) URL() string {
	if s.Endpoint != "" {
		return s.Endpoint
	}
	return "https://" + s.Region + ".digitaloceanspaces.com"
}
