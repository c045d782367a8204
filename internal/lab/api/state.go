package api

import "slices"

// State returns copies of the account's own images, its droplets and all actions,
// each the oldest first.
func (s *Server) State() ([]Image, []Droplet, []Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var images []Image
	for _, i := range s.sortedImages() {
		if !i.Public {
			copied := *i
			copied.Regions, copied.Tags = slices.Clone(i.Regions), slices.Clone(i.Tags)
			images = append(images, copied)
		}
	}
	var droplets []Droplet
	for _, d := range s.sortedDroplets() {
		copied := *d
		copied.Tags, copied.SnapshotIDs = slices.Clone(d.Tags), slices.Clone(d.SnapshotIDs)
		droplets = append(droplets, copied)
	}
	var actions []Action
	for _, a := range s.actions {
		actions = append(actions, *a)
	}
	return images, droplets, actions
}
