package api

import (
	"context"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

func (s *Server) actionRoutes() []route {
	read := []string{"actions:read"}
	return []route{
		{"GET /v2/actions", read, func(c *call) (int, any, error) {
			return page(c, "actions", s.newestActions(func(*Action) bool { return true }))
		}},
		{"GET /v2/actions/{action}", read, func(c *call) (int, any, error) {
			return s.oneAction(c.number("action"), func(*Action) bool { return true })
		}},
	}
}

// newestActions are the actions that match, the newest first.
func (s *Server) newestActions(match func(*Action) bool) []*Action {
	var found []*Action
	for _, a := range slices.Backward(s.actions) {
		if match(a) {
			found = append(found, a)
		}
	}
	return found
}

func (s *Server) oneAction(id int, match func(*Action) bool) (int, any, error) {
	for _, a := range s.actions {
		if a.ID == id && match(a) {
			return 200, map[string]any{"action": a}, nil
		}
	}
	return 0, nil, notFound()
}

// work is what an action does once its time is over. It runs without the lock; what
// it returns is done with the lock held, together with the end of the action.
type work func(ctx context.Context) (done func(), err error)

// start begins an action that ends after d, unless a fault for one of the names
// lets it end otherwise. after is called with the lock held, however it ended.
func (s *Server) start(a Action, d time.Duration, names []string, do work, after func()) *Action {
	a.ID, a.Status, a.StartedAt = 2_000_000_000+s.id(), "in-progress", now()
	a.Region = regionOf(a.RegionSlug)
	s.actions = append(s.actions, &a)
	s.run(func(ctx context.Context) {
		if _, ok := s.cfg.Faults.Take(fault.ActionStuck, names...); ok {
			return
		}
		if !wait(ctx, d) {
			return
		}
		status, done := "completed", func() {}
		if _, ok := s.cfg.Faults.Take(fault.ActionErrored, names...); ok {
			status = "errored"
		} else if then, err := do(ctx); err != nil {
			s.cfg.Log("action " + a.Type + ": " + err.Error())
			status = "errored"
		} else if then != nil {
			done = then
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		done()
		after()
		at := now()
		a.Status, a.CompletedAt = status, &at
	})
	return &a
}

func (s *Server) listImageActions(c *call) (int, any, error) {
	i, err := s.image(c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return page(c, "actions", s.newestActions(ofImage(i.ID)))
}

func (s *Server) getImageAction(c *call) (int, any, error) {
	return s.oneAction(c.number("action"), ofImage(c.number("id")))
}

func ofImage(id int) func(*Action) bool {
	return func(a *Action) bool { return a.ResourceType == "image" && a.ResourceID == id }
}

func (s *Server) postImageAction(c *call) (int, any, error) {
	i, err := s.image(c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	var in struct{ Type, Region string }
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	switch {
	case in.Type != "transfer":
		return 0, nil, unprocessable("Type is invalid: the lab knows transfer")
	case !knownRegion(in.Region):
		return 0, nil, unprocessable("Region is invalid")
	case i.Status != "available":
		return 0, nil, unprocessable("Image is not available")
	case slices.Contains(i.Regions, in.Region):
		return 0, nil, unprocessable("Image is already available in " + in.Region)
	}
	do := func(context.Context) (func(), error) {
		return func() { i.Regions = append(i.Regions, in.Region) }, nil
	}
	a := s.start(Action{Type: "transfer", ResourceID: i.ID, ResourceType: "image", RegionSlug: in.Region},
		s.cfg.Timings.Transfer, []string{i.Name, "transfer"}, do, func() {})
	return 201, map[string]any{"action": a}, nil
}
