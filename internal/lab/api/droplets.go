package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func (s *Server) dropletRoutes() []route {
	read, update, remove := []string{"droplet:read"}, []string{"droplet:update"}, []string{"droplet:delete"}
	return []route{
		{"GET /v2/droplets", read, s.listDroplets},
		{"POST /v2/droplets", []string{"droplet:create"}, s.createDroplets},
		{"DELETE /v2/droplets", remove, s.deleteDropletsByTag},
		{"GET /v2/droplets/{id}", read, s.getDroplet},
		{"DELETE /v2/droplets/{id}", remove, s.deleteDroplet},
		{"GET /v2/droplets/{id}/snapshots", read, s.listDropletSnapshots},
		{"GET /v2/droplets/{id}/actions", read, s.listDropletActions},
		{"POST /v2/droplets/{id}/actions", update, s.postDropletAction},
		{"GET /v2/droplets/{id}/actions/{action}", read, func(c *call) (int, any, error) {
			return s.oneAction(c.number("action"), ofDroplet(c.number("id")))
		}},
		{"POST /v2/droplets/actions", update, s.postDropletActionByTag},
	}
}

// DropletSpec is a droplet to be made.
type DropletSpec struct {
	Name, Region, Size string
	Tags, Volumes      []string
	IPv6               bool
	// DiskGB overrides the disk of the size.
	DiskGB int
	// Disk is what it runs; the zero Disk is a plain Ubuntu.
	Disk Disk
}

// AddDroplet makes a droplet that is there already, and starts its machine.
func (s *Server) AddDroplet(ctx context.Context, spec DropletSpec) (Droplet, error) {
	s.mu.Lock()
	base, _ := s.image("ubuntu-24-04-x64")
	d, err := s.newDroplet(spec, *base)
	if err != nil {
		s.mu.Unlock()
		return Droplet{}, err
	}
	d.Status = "active"
	copied := *d
	s.mu.Unlock()
	if err := s.cfg.Machines.Create(ctx, copied, spec.Disk); err != nil {
		return Droplet{}, fmt.Errorf("start droplet %s: %w", spec.Name, err)
	}
	return copied, nil
}

func (s *Server) newDroplet(spec DropletSpec, from Image) (*Droplet, error) {
	z, ok := sizeOf(or(spec.Size, "s-1vcpu-1gb"))
	if !ok {
		return nil, unprocessable("Size is invalid")
	}
	slug := or(spec.Region, "nyc3")
	if !knownRegion(slug) {
		return nil, unprocessable("Region is invalid")
	}
	if err := validTags(spec.Tags); err != nil {
		return nil, err
	}
	if s.lastHost >= 250 {
		return nil, unprocessable("The lab has no more than 250 addresses")
	}
	s.lastHost++
	d := &Droplet{
		ID: 400_000_000 + s.id(), Name: spec.Name, Memory: z.Memory, VCPUs: z.VCPUs, Disk: or(spec.DiskGB, z.Disk),
		Status: "new", CreatedAt: now(), Features: []string{"private_networking"}, BackupIDs: []int{},
		SnapshotIDs: []int{}, Image: from, VolumeIDs: append([]string{}, spec.Volumes...), Size: z, SizeSlug: z.Slug,
		Region: regionOf(slug), Tags: append([]string{}, spec.Tags...), VPCUUID: "5a4981aa-9653-4bd1-bef5-d6bff52042e4",
		DiskInfo: localDisk(or(spec.DiskGB, z.Disk)),
		Networks: networks{V6: []networkV6{}, V4: []networkV4{
			{fmt.Sprintf("10.132.0.%d", s.lastHost+1), "255.255.0.0", "10.132.0.1", "private"},
			{fmt.Sprintf("203.0.113.%d", s.lastHost+1), "255.255.255.0", "203.0.113.1", "public"},
		}},
	}
	if spec.IPv6 {
		d.Features = append(d.Features, "ipv6")
		d.Networks.V6 = []networkV6{{fmt.Sprintf("2001:db8::%x", s.lastHost+1), 64, "2001:db8::1", "public"}}
	}
	s.droplets[d.ID] = d
	s.useTags(spec.Tags)
	return d, nil
}

func (s *Server) sortedDroplets() []*Droplet {
	all := make([]*Droplet, 0, len(s.droplets))
	for _, d := range s.droplets {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Droplet) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (s *Server) listDroplets(c *call) (int, any, error) {
	q := c.URL.Query()
	name, tagName := q.Get("name"), q.Get("tag_name")
	if tagName != "" && (name != "" || q.Get("type") != "") {
		return 0, nil, unprocessable("tag_name can not be combined with name or type")
	}
	var found []*Droplet
	for _, d := range s.sortedDroplets() {
		if (name == "" || strings.EqualFold(d.Name, name)) && (tagName == "" || slices.Contains(d.Tags, tagName)) &&
			q.Get("type") != "gpus" {
			found = append(found, d)
		}
	}
	return page(c, "droplets", found)
}

func (s *Server) getDroplet(c *call) (int, any, error) {
	d := s.droplets[c.number("id")]
	if d == nil {
		return 0, nil, notFound()
	}
	return 200, map[string]any{"droplet": d}, nil
}

func (s *Server) createDroplets(c *call) (int, any, error) {
	var in struct {
		Name, Region, Size string
		Names              []string
		Image              json.RawMessage
		IPv6               bool
		Tags, Volumes      []string
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	i, err := s.image(strings.Trim(string(in.Image), `"`))
	if err != nil {
		return 0, nil, unprocessable("You specified an invalid image for Droplet creation.")
	}
	names := in.Names
	if in.Name != "" {
		names = []string{in.Name}
	}
	if len(names) == 0 {
		return 0, nil, unprocessable("Name is required")
	}
	type link struct {
		ID   int    `json:"id"`
		Rel  string `json:"rel"`
		Href string `json:"href"`
	}
	var made []*Droplet
	var links []link
	for _, name := range names {
		d, err := s.newDroplet(DropletSpec{Name: name, Region: in.Region, Size: in.Size, Tags: in.Tags, Volumes: in.Volumes, IPv6: in.IPv6}, *i)
		if err != nil {
			return 0, nil, err
		}
		if err := fits(d, i); err != nil {
			delete(s.droplets, d.ID)
			return 0, nil, err
		}
		a := s.startCreate(d, i.disk)
		made = append(made, d)
		links = append(links, link{a.ID, "create", fmt.Sprintf("http://%s/v2/actions/%d", c.Host, a.ID)})
	}
	body := map[string]any{"links": map[string]any{"actions": links}}
	if in.Name != "" {
		body["droplet"] = made[0]
	} else {
		body["droplets"] = made
	}
	return 202, body, nil
}

func (s *Server) startCreate(d *Droplet, from Disk) *Action {
	d.Locked = true
	copied := *d
	do := func(ctx context.Context) (func(), error) {
		if err := s.cfg.Machines.Create(ctx, copied, from); err != nil {
			return nil, fmt.Errorf("create %s: %w", copied.Name, err)
		}
		return func() { d.Status = "active" }, nil
	}
	return s.start(Action{Type: "create", ResourceID: d.ID, ResourceType: "droplet", RegionSlug: d.Region.Slug},
		s.cfg.Timings.Create, []string{d.Name, "create"}, do, func() { d.Locked = false })
}

func (s *Server) deleteDroplet(c *call) (int, any, error) {
	d := s.droplets[c.number("id")]
	if d == nil {
		return 0, nil, notFound()
	}
	s.destroy(d)
	return 204, nil, nil
}

func (s *Server) deleteDropletsByTag(c *call) (int, any, error) {
	name := c.URL.Query().Get("tag_name")
	if name == "" {
		return 0, nil, badRequest("tag_name is required")
	}
	for _, d := range s.sortedDroplets() {
		if slices.Contains(d.Tags, name) {
			s.destroy(d)
		}
	}
	return 204, nil, nil
}

func (s *Server) destroy(d *Droplet) {
	delete(s.droplets, d.ID)
	s.run(func(ctx context.Context) {
		if err := s.cfg.Machines.Destroy(ctx, d.ID); err != nil {
			s.cfg.Log("destroy " + d.Name + ": " + err.Error())
		}
	})
}

func (s *Server) listDropletSnapshots(c *call) (int, any, error) {
	d := s.droplets[c.number("id")]
	if d == nil {
		return 0, nil, notFound()
	}
	var found []*Image
	for _, i := range s.sortedImages() {
		if slices.Contains(d.SnapshotIDs, i.ID) {
			found = append(found, i)
		}
	}
	return page(c, "snapshots", found)
}
