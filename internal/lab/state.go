package lab

import (
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/lab/api"
	"github.com/versatus/snowdrop/internal/lab/bucket"
	"github.com/versatus/snowdrop/internal/lab/droplet"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

// State is all that the lab holds at one moment.
type State struct {
	// Images are those of the account, without public ones.
	Images   []api.Image     `json:"images"`
	Droplets []DropletState  `json:"droplets"`
	Actions  []api.Action    `json:"actions"`
	Objects  []bucket.Object `json:"objects"`
	// Uploads were neither completed nor aborted.
	Uploads []bucket.Upload `json:"uploads"`
	GitHub  hub.State       `json:"github"`
}

// DropletState is a droplet with its machine.
type DropletState struct {
	api.Droplet
	Machine droplet.Status `json:"machine"`
}

// Image returns the first image of that name, or nil.
func (s State) Image(name string) *api.Image {
	for i := range s.Images {
		if s.Images[i].Name == name {
			return &s.Images[i]
		}
	}
	return nil
}

// Droplet returns the droplet of that name, or nil.
func (s State) Droplet(name string) *DropletState {
	for i := range s.Droplets {
		if s.Droplets[i].Name == name {
			return &s.Droplets[i]
		}
	}
	return nil
}

// State says what the lab holds.
func (l *Lab) State() State {
	var s State
	var droplets []api.Droplet
	s.Images, droplets, s.Actions = l.api.State()
	for _, d := range droplets {
		state := DropletState{Droplet: d, Machine: droplet.Status{State: "off"}}
		if m, err := l.machines.of(d.ID); err == nil {
			state.Machine = m.Status()
		}
		s.Droplets = append(s.Droplets, state)
	}
	s.Objects, s.Uploads = l.bucket.State()
	s.GitHub = l.github.State()
	return s
}

// ReadFile reads a file of a simulated droplet as root, whatever its mode.
func (l *Lab) ReadFile(dropletName, path string) ([]byte, error) {
	l.machines.mu.Lock()
	m := l.machines.names[dropletName]
	l.machines.mu.Unlock()
	s, ok := m.(simulated)
	if !ok {
		return nil, fmt.Errorf("read %s of droplet %s: %w", path, dropletName, errors.New("not a simulated droplet"))
	}
	data, err := s.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a file of droplet %s: %w", dropletName, err)
	}
	return data, nil
}

// AgeUploads makes all unfinished uploads older, for tests of sweeping.
func (l *Lab) AgeUploads(by time.Duration) {
	for _, u := range l.State().Uploads {
		l.bucket.Age(u.ID, by)
	}
}
