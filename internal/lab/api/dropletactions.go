package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

type dropletAction struct {
	Type  string
	Name  string
	Image json.RawMessage
}

func ofDroplet(id int) func(*Action) bool {
	return func(a *Action) bool { return a.ResourceType == "droplet" && a.ResourceID == id }
}

func (s *Server) listDropletActions(c *call) (int, any, error) {
	id := c.number("id")
	if s.droplets[id] == nil {
		return 0, nil, notFound()
	}
	return page(c, "actions", s.newestActions(ofDroplet(id)))
}

func (s *Server) postDropletAction(c *call) (int, any, error) {
	d := s.droplets[c.number("id")]
	if d == nil {
		return 0, nil, notFound()
	}
	var in dropletAction
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	a, err := s.act(d, in)
	return 201, map[string]any{"action": a}, err
}

// postDropletActionByTag starts an action on every droplet with a tag. A rebuild is
// not to be had by tag.
func (s *Server) postDropletActionByTag(c *call) (int, any, error) {
	var in dropletAction
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if !slices.Contains([]string{"power_cycle", "power_on", "power_off", "shutdown", "snapshot"}, in.Type) {
		return 0, nil, unprocessable("Type is not available by tag: " + in.Type)
	}
	started := []*Action{}
	for _, d := range s.sortedDroplets() {
		if slices.Contains(d.Tags, c.URL.Query().Get("tag_name")) {
			a, err := s.act(d, in)
			if err != nil {
				return 0, nil, err
			}
			started = append(started, a)
		}
	}
	return 201, map[string]any{"actions": started}, nil
}

func (s *Server) act(d *Droplet, in dropletAction) (*Action, error) {
	if _, ok := s.cfg.Faults.Take(fault.DropletBusy, d.Name); ok || d.Locked {
		return nil, unprocessable("Droplet already has a pending event.")
	}
	switch in.Type {
	case "rebuild":
		return s.rebuild(d, in)
	case "reboot", "power_cycle":
		return s.power(d, in.Type, "reset", "active"), nil
	case "power_off", "shutdown":
		return s.power(d, in.Type, "off", "off"), nil
	case "power_on":
		return s.power(d, in.Type, "on", "active"), nil
	case "rename":
		return s.lock(d, in.Type, 0, func(context.Context) (func(), error) {
			return func() { d.Name = in.Name }, nil
		}), nil
	case "snapshot":
		return s.snapshot(d, in.Name), nil
	default:
		return nil, unprocessable("Type is not one that the lab knows: " + in.Type)
	}
}

// lock starts an action during which the droplet takes no other.
func (s *Server) lock(d *Droplet, kind string, took time.Duration, do work) *Action {
	d.Locked = true
	return s.start(Action{Type: kind, ResourceID: d.ID, ResourceType: "droplet", RegionSlug: d.Region.Slug},
		took, []string{d.Name, kind}, do, func() { d.Locked = false })
}

func (s *Server) rebuild(d *Droplet, in dropletAction) (*Action, error) {
	i, err := s.image(strings.Trim(string(in.Image), `"`))
	if err != nil {
		return nil, unprocessable("Image is invalid: it could not be found")
	}
	if err := fits(d, i); err != nil {
		return nil, err
	}
	id := d.ID
	copied := *i
	return s.lock(d, "rebuild", s.cfg.Timings.Rebuild, func(ctx context.Context) (func(), error) {
		if err := s.cfg.Machines.Rebuild(ctx, id, copied.disk); err != nil {
			return nil, fmt.Errorf("rebuild droplet %d: %w", id, err)
		}
		return func() { d.Image, d.Status = copied, "active" }, nil
	}), nil
}

// fits says why a droplet cannot run an image.
func fits(d *Droplet, i *Image) error {
	switch {
	case i.Status != "available":
		return unprocessable("Image is not available: its status is " + i.Status)
	case !slices.Contains(i.Regions, d.Region.Slug):
		return unprocessable("The image is not available in the Droplet's region " + d.Region.Slug + ".")
	case i.MinDiskSize > d.Disk:
		return unprocessable(fmt.Sprintf("The image needs a disk of %d GB; the Droplet's has %d GB.", i.MinDiskSize, d.Disk))
	case i.Type == "custom" && d.IPv6():
		return unprocessable("The image you specified is not compatible with ipv6.")
	}
	return nil
}

func (s *Server) power(d *Droplet, kind, to, status string) *Action {
	id := d.ID
	return s.lock(d, kind, s.cfg.Timings.Power, func(ctx context.Context) (func(), error) {
		if err := s.cfg.Machines.Power(ctx, id, to); err != nil {
			return nil, fmt.Errorf("%s droplet %d: %w", kind, id, err)
		}
		return func() { d.Status = status }, nil
	})
}

func (s *Server) snapshot(d *Droplet, name string) *Action {
	return s.lock(d, "snapshot", s.cfg.Timings.Snapshot, func(context.Context) (func(), error) {
		return func() {
			i := d.Image
			i.ID, i.Name, i.Type, i.Slug, i.Public = s.id(), or(name, d.Name+"-snapshot"), "snapshot", nil, false
			i.Regions, i.Tags, i.CreatedAt = []string{d.Region.Slug}, []string{}, now()
			i.MinDiskSize = d.Disk
			s.images[i.ID] = &i
			d.SnapshotIDs = append(d.SnapshotIDs, i.ID)
		}, nil
	})
}
