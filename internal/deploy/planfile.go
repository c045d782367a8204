package deploy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
)

// planVersion is the version of the plan file's format that this program writes.
const planVersion = 1

// KeptPlan is a plan as a file keeps it: what was found, and what is to be done
// about it. It holds no secret.
type KeptPlan struct {
	Version      int          `json:"version"`
	MadeAt       time.Time    `json:"madeAt"`
	Revision     string       `json:"revision,omitempty"`
	RevisionTime time.Time    `json:"revisionTime,omitzero"`
	Ref          string       `json:"ref,omitempty"` // that of a cycle, where there is one
	Force        bool         `json:"force,omitempty"`
	Servers      []keptServer `json:"servers"`
}

type keptServer struct {
	Server string `json:"server"`
	// Image and Toplevel are store paths.
	Image    string `json:"image"`
	Toplevel string `json:"toplevel,omitempty"`
	// Config stands for what the fleet file says of the server, its installables left
	// aside: files, rollout and verification are part of what a plan does.
	Config string `json:"config"`
	// CustomImage is the one that is there already; absent, it is to be made.
	CustomImage *keptImage `json:"customImage,omitempty"`
	// Record is what the server's record said; absent, there was none.
	Record   *keptRecord   `json:"record,omitempty"`
	Batches  [][]string    `json:"batches,omitempty"`
	Droplets []keptDroplet `json:"droplets"`
}

type keptImage struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// keptRecord is what tells one record of a server from the next.
type keptRecord struct {
	Revision    string          `json:"revision,omitempty"`
	CustomImage keptImage       `json:"customImage"`
	Outcome     release.Outcome `json:"outcome"`
	StartedAt   time.Time       `json:"startedAt"`
}

type keptDroplet struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	// Image is what it runs, Todo what it needs: "nothing", "verify" or "rebuild".
	Image keptImage `json:"image"`
	Todo  string    `json:"todo"`
	// Switched says what it was switched to over SSH; empty where it was not.
	Switched string `json:"switched,omitempty"`
}

// Keep is the plan as a file keeps it.
func (d *Deployer) Keep(p *Plan) KeptPlan {
	kept := KeptPlan{
		Version: planVersion, MadeAt: d.Clock.Now().UTC(), Revision: p.Revision, RevisionTime: p.RevisionTime, Ref: p.Ref, Force: p.Force,
	}
	for _, s := range p.Servers {
		one := keptServer{
			Server: s.Server.Name, Image: s.Want.ImagePath, Toplevel: s.Want.Toplevel,
			Config: configOf(s.Server), Record: keepRecord(s.Record), Batches: s.batches(),
		}
		if s.Image != nil {
			one.CustomImage = &keptImage{s.Image.ID, s.Image.Name}
		}
		for i, droplet := range s.Droplets {
			one.Droplets = append(one.Droplets, keptDroplet{
				droplet.ID, droplet.Name, keptImage{droplet.ImageID, droplet.ImageName}, s.Todo[i].String(), s.Switched(droplet),
			})
		}
		kept.Servers = append(kept.Servers, one)
	}
	return kept
}

// configOf is a digest of a server's part of the fleet file.
func configOf(s fleet.Server) string {
	s.Image, s.System = "", "" // what they give is compared, and how they are written depends on the revision
	data, err := json.Marshal(s)
	if err != nil {
		return err.Error() // its types have no values that cannot be written
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))[:16]
}

func keepRecord(r *release.Record) *keptRecord {
	if r == nil {
		return nil
	}
	return &keptRecord{
		Revision: r.Revision, Outcome: r.Outcome, StartedAt: r.StartedAt,
		CustomImage: keptImage{r.CustomImage.ID, r.CustomImage.Name},
	}
}

// String is the word that a plan file has for it.
func (t Todo) String() string {
	switch t {
	case RebuildIt:
		return "rebuild"
	case VerifyOnly:
		return "verify"
	case SwitchIt:
		return "switch"
	default:
		return "nothing"
	}
}

// ReadPlan reads what Keep made. A file of a newer format is an error, since what
// it demands is not known.
func ReadPlan(r io.Reader) (KeptPlan, error) {
	var kept KeptPlan
	if err := json.NewDecoder(r).Decode(&kept); err != nil {
		return kept, fmt.Errorf("not a plan: %w", err)
	}
	switch {
	case kept.Version > planVersion:
		return kept, fmt.Errorf("written by a newer snowdrop (format %d, this one knows %d): update snowdrop", kept.Version, planVersion)
	case kept.Version < 1 || len(kept.Servers) == 0:
		return kept, errors.New("not a plan: it names no servers; `snowdrop plan --out FILE` writes one")
	}
	return kept, nil
}

// Names are the plan's servers.
func (k KeptPlan) Names() []string {
	names := make([]string, len(k.Servers))
	for i, s := range k.Servers {
		names[i] = s.Server
	}
	return names
}

// StalePlanError says that the world is no longer the one that a plan was made for.
type StalePlanError struct {
	// Differences are a sentence each.
	Differences []string
	// Cause is what a plan that is made now fails with, if it does.
	Cause error
}

// Error names every difference and says what to do.
func (e *StalePlanError) Error() string {
	text := "the plan is out of date, so nothing was changed:\n  - " + strings.Join(e.Differences, "\n  - ")
	if e.Cause != nil {
		text += "\n" + e.Cause.Error()
	}
	return text + "\nMake a new one with `snowdrop plan --out FILE`, and look at it"
}

// Unwrap returns the cause.
func (e *StalePlanError) Unwrap() error { return e.Cause }

// PlanFrom makes a kept plan again, at the revision that it was made of. It errors
// with a *StalePlanError if what is found or is to be done is not what was kept.
func (d *Deployer) PlanFrom(ctx context.Context, kept KeptPlan, dryRun bool) (*Plan, error) {
	req := Request{Servers: kept.Names(), Force: kept.Force, DryRun: dryRun}
	if kept.Revision != "" {
		meta, err := d.Nix.Metadata(ctx, d.Fleet.Flake)
		if err != nil {
			return nil, wrap(err, "read the flake's revision")
		}
		if meta.Dirty || meta.Revision != kept.Revision {
			req.Revision, req.Ref = kept.Revision, kept.Ref
		}
	}
	plan, err := d.Plan(ctx, req)
	if plan == nil {
		return nil, err
	}
	if found := kept.differences(plan); len(found) > 0 {
		return nil, &StalePlanError{Differences: found, Cause: err}
	}
	return plan, err
}

// differences compares a plan that was just made with the kept one.
func (k KeptPlan) differences(p *Plan) []string {
	var found []string
	for _, was := range k.Servers {
		var here []string
		at := slices.IndexFunc(p.Servers, func(s ServerPlan) bool { return s.Server.Name == was.Server })
		if at < 0 { // it cannot be planned any more: the plan's error says why
			here = was.lost(p.world.droplets)
		} else {
			here = was.differences(p.Servers[at])
		}
		for _, text := range here {
			found = append(found, "server "+was.Server+": "+text)
		}
	}
	return found
}

// differences says how a server differs from what was kept of it.
func (was keptServer) differences(is ServerPlan) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if is.Want.ImagePath != was.Image {
		say("the flake gives %s, the plan has %s", is.Want.ImagePath, was.Image)
	} else if is.Want.Toplevel != was.Toplevel {
		say("the flake gives the system %s, the plan has %s", is.Want.Toplevel, was.Toplevel)
	}
	if configOf(is.Server) != was.Config {
		say("the fleet file says something else of it now: its files, rollout, verification or droplets")
	}
	if image := was.CustomImage; image != nil {
		switch {
		case is.Image == nil:
			say("%s is gone from the account", imageWords(image.Name, image.ID))
		case is.Image.ID != image.ID:
			say("%s was replaced by %d", imageWords(image.Name, image.ID), is.Image.ID)
		}
	}
	if now := keepRecord(is.Record); !was.Record.same(now) {
		say("its record says %s; when the plan was made, %s", now.words(), was.Record.words())
	}
	droplets := was.droplets(is)
	if now := is.batches(); len(droplets) == 0 && !slices.EqualFunc(now, was.Batches, slices.Equal) {
		say("its droplets are rebuilt as %s; the plan has %s", batchWords(now), batchWords(was.Batches))
	}
	return append(found, droplets...)
}

// droplets says how the droplets of a server differ from what was kept of them.
func (was keptServer) droplets(is ServerPlan) []string {
	found := was.lost(is.Droplets)
	for i, droplet := range is.Droplets {
		at := slices.IndexFunc(was.Droplets, func(d keptDroplet) bool { return d.ID == droplet.ID })
		if at < 0 {
			found = append(found, fmt.Sprintf("droplet %s (%d) is new", droplet.Name, droplet.ID))
			continue
		}
		former := was.Droplets[at]
		switch todo, switched := is.Todo[i].String(), is.Switched(droplet); {
		case droplet.ImageID != former.Image.ID:
			found = append(found, fmt.Sprintf("droplet %s (%d) runs %s; when the plan was made, %s", droplet.Name, droplet.ID,
				imageWords(droplet.ImageName, droplet.ImageID), imageWords(former.Image.Name, former.Image.ID)))
		case todo != former.Todo:
			found = append(found, fmt.Sprintf("what droplet %s (%d) needs is %s; the plan has %s", droplet.Name, droplet.ID, todo, former.Todo))
		case switched != former.Switched:
			found = append(found, fmt.Sprintf("droplet %s (%d): %s; when the plan was made: %s", droplet.Name, droplet.ID,
				cmp.Or(switched, notSwitched), cmp.Or(former.Switched, notSwitched)))
		}
	}
	return found
}

// lost says which droplets are not among those that there are.
func (was keptServer) lost(droplets []ocean.Droplet) []string {
	var found []string
	for _, former := range was.Droplets {
		if !slices.ContainsFunc(droplets, func(d ocean.Droplet) bool { return d.ID == former.ID }) {
			found = append(found, fmt.Sprintf("droplet %s (%d) is gone", former.Name, former.ID))
		}
	}
	return found
}

func (r *keptRecord) same(other *keptRecord) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Revision == other.Revision && r.CustomImage.ID == other.CustomImage.ID && r.Outcome == other.Outcome &&
		r.StartedAt.Equal(other.StartedAt)
}

func (r *keptRecord) words() string {
	if r == nil {
		return "there was none"
	}
	return fmt.Sprintf("revision %s with %s of %s, %s", short(r.Revision), imageWords(r.CustomImage.Name, r.CustomImage.ID), stamp(r.StartedAt), r.Outcome)
}

// batchWords is "web-1, then web-2 and web-3".
func batchWords(batches [][]string) string {
	words := make([]string, len(batches))
	for i, batch := range batches {
		words[i] = strings.Join(batch, " and ")
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", then ")
}
