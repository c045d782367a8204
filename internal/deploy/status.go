package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
)

// ServerStatus is what is known of a server without asking its droplets.
type ServerStatus struct {
	Server fleet.Server    `json:"-"`
	Name   string          `json:"server"`
	Record *release.Record `json:"record,omitempty"`
	// Droplets are those that the account has now.
	Droplets []DropletStatus `json:"droplets"`
	// Images are the server's custom images, newest first.
	Images []ocean.Image `json:"images,omitempty"`
	// Next is when the server's cycle is due; zero without a cycle.
	Next time.Time `json:"next,omitzero"`
	// Fault is why the droplets are not known.
	Fault string `json:"fault,omitempty"`
}

// DropletStatus compares a droplet with its record.
type DropletStatus struct {
	ocean.Droplet
	// Drift says in a sentence how it differs from the record; empty if it does not.
	Drift string `json:"drift,omitempty"`
	// Switched is what it was switched to over SSH since it has its image.
	Switched *release.Switched `json:"switched,omitempty"`
	// VerifiedAt is when it was last verified; zero if it never was.
	VerifiedAt time.Time `json:"verifiedAt,omitzero"`
}

// Status asks the account and the Space what every server runs. A server whose
// droplets cannot be found is in the answer, with the fault.
func (d *Deployer) Status(ctx context.Context, req Request) ([]ServerStatus, error) {
	servers, err := d.Fleet.Select(req.Servers, req.Cycle)
	if err != nil {
		return nil, fmt.Errorf("choose servers: %w", err)
	}
	now, err := d.look(ctx, servers)
	if err != nil {
		return nil, err
	}
	status := make([]ServerStatus, len(servers))
	for i, s := range servers {
		status[i] = d.status(now, s)
	}
	return status, nil
}

// StatusVerified is Status after all droplets of servers that were released were
// verified, as by Verify. The error is that of Verify: the status is there with it, and
// names each droplet that could not be verified.
func (d *Deployer) StatusVerified(ctx context.Context, req Request) ([]ServerStatus, error) {
	status, err := d.Status(ctx, req)
	if err != nil {
		return nil, err
	}
	var released []string
	for _, s := range status {
		if s.Record != nil && s.Fault == "" {
			released = append(released, s.Name)
		}
	}
	if len(released) == 0 {
		return status, nil
	}
	plan, err := d.PlanVerify(ctx, Request{Servers: released})
	if err != nil {
		return status, err
	}
	result, failed := d.Verify(ctx, plan)
	if ctx.Err() != nil {
		return status, failed
	}
	if status, err = d.Status(ctx, req); err != nil {
		return nil, errors.Join(failed, err)
	}
	for _, s := range status {
		for i := range s.Droplets {
			if err := result.failure(s.Name, s.Droplets[i].ID); err != nil && s.Droplets[i].Drift == "" {
				s.Droplets[i].Drift = "could not be verified: " + firstLine(err)
			}
		}
	}
	return status, failed
}

// failure is why a droplet's part of a run failed; nil if it did not.
func (r *Result) failure(server string, droplet int) error {
	for _, s := range r.Servers {
		for _, d := range s.Droplets {
			if s.Server == server && d.Droplet.ID == droplet {
				return d.Err
			}
		}
	}
	return nil
}

func (d *Deployer) status(now world, s fleet.Server) ServerStatus {
	out := ServerStatus{Server: s, Name: s.Name, Record: now.records[s.Name]}
	if s.Cycle != "" {
		// Loading has checked the cycle and its schedule.
		out.Next, _ = d.Fleet.Cycles[s.Cycle].Next(d.Clock.Now().UTC())
	}
	for _, image := range now.images {
		if image.MadeFor(now.fleet, s.Name) {
			out.Images = append(out.Images, image)
		}
	}
	droplets, err := machines(s, now.droplets)
	if err != nil {
		out.Fault = err.Error()
		return out
	}
	differs := drift
	if s.Provider == fleet.SSHHosts {
		differs = driftOfHost
	}
	for _, droplet := range droplets {
		one := DropletStatus{Droplet: droplet, Drift: differs(out.Record, droplet)}
		if known := out.Record.Droplet(droplet.ID); known != nil {
			one.VerifiedAt, one.Switched = known.VerifiedAt, switchedOn(droplet, known)
		}
		out.Droplets = append(out.Droplets, one)
	}
	return out
}

// drift says how a droplet differs from what its record says.
func drift(rec *release.Record, d ocean.Droplet) string {
	if rec == nil {
		return "never released by snowdrop, runs " + imageWords(d.ImageName, d.ImageID)
	}
	known := rec.Droplet(d.ID)
	switch {
	case known == nil:
		return "not in the record, runs " + imageWords(d.ImageName, d.ImageID)
	case known.Rebuild != nil:
		return fmt.Sprintf("a rebuild with image %d was begun %s and not finished", known.Rebuild.ImageID, stamp(known.Rebuild.StartedAt))
	case known.ImageID != 0 && d.ImageID != known.ImageID:
		return fmt.Sprintf("runs %s, the record says image %d", imageWords(d.ImageName, d.ImageID), known.ImageID)
	case switchedOn(d, known) != nil:
		return switchedWords(rec, known, fleet.DigitalOcean) + unwell(known)
	case rec.CustomImage.ID == 0: // it was switched, and went back
		return "never released by snowdrop, runs " + imageWords(d.ImageName, d.ImageID)
	case d.ImageID != rec.CustomImage.ID:
		return fmt.Sprintf("runs %s, the release is %s", imageWords(d.ImageName, d.ImageID), imageWords(rec.CustomImage.Name, rec.CustomImage.ID))
	case switched(known.Evidence) != "":
		return switched(known.Evidence)
	case known.Evidence != nil && !known.Evidence.OK():
		return "the last verification failed: " + checkNames(known.Evidence.Failures())
	case known.VerifiedAt.IsZero():
		return "not verified"
	}
	return ""
}

// unwell says of a switched machine that its last verification failed.
func unwell(known *release.Droplet) string {
	if known.Evidence == nil || known.Evidence.OK() {
		return ""
	}
	return "; the last verification failed: " + checkNames(known.Evidence.Failures())
}

// switched says of a droplet that was seen with another system than its image has,
// what it ran; empty if it was not.
func switched(e *release.Evidence) string {
	for _, c := range e.Failures() {
		if c.Name == "system" && c.Got != "" {
			return fmt.Sprintf("ran %s when it was last looked at, and not what its image has: switched by hand?", c.Got)
		}
	}
	return ""
}

func checkNames(checks []release.Check) string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.Name
	}
	return list(names)
}
