package action

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
)

// outcome is what a use case came to.
type outcome struct {
	plan   *deploy.Plan
	result *deploy.Result
	status []deploy.ServerStatus
	// preview says that the result is that of a preview.
	preview bool
}

// carryOut does what was ordered.
func carryOut(ctx context.Context, d *deploy.Deployer, o order) (outcome, error) {
	if o.command == "status" {
		status, err := d.Status(ctx, o.request)
		return outcome{status: status}, err //nolint:wrapcheck // the use case says what it did
	}
	plan, err := planFor(ctx, d, o)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{plan: plan}
	switch o.command {
	case "plan":
		out.result, err = d.Preview(ctx, plan)
	case "deploy":
		out.result, err = d.Deploy(ctx, plan)
	case "build":
		out.result, err = d.Build(ctx, plan)
	case "verify":
		out.result, err = d.Verify(ctx, plan)
	case "prune":
		out.result, err = d.Prune(ctx, plan)
	case "switch":
		out.result, err = d.Switch(ctx, plan)
	default:
		out.result, err = d.Rebuild(ctx, o.command, plan)
	}
	return out, err //nolint:wrapcheck // the use case says what it did
}

func planFor(ctx context.Context, d *deploy.Deployer, o order) (*deploy.Plan, error) {
	switch o.command {
	case "rebuild":
		return d.PlanRebuild(ctx, o.request, o.image) //nolint:wrapcheck // the use case says what it did
	case "rollback":
		return d.PlanRollback(ctx, o.request) //nolint:wrapcheck // as above
	case "verify":
		return d.PlanVerify(ctx, o.request) //nolint:wrapcheck // as above
	case "prune":
		return d.PlanPrune(ctx, o.request) //nolint:wrapcheck // as above
	case "switch":
		// Nobody is there to say --sudo: who is not root needs it.
		return d.PlanSwitch(ctx, deploy.SwitchRequest{Request: o.request, SudoUnlessRoot: true}) //nolint:wrapcheck // as above
	default:
		return d.Plan(ctx, o.request) //nolint:wrapcheck // as above
	}
}

// report is the output `result`.
type report struct {
	Command  string         `json:"command"`
	Revision string         `json:"revision,omitempty"`
	Exit     int            `json:"exit"`
	Error    string         `json:"error,omitempty"`
	Servers  []serverReport `json:"servers"`
	// Status is there for the command status alone.
	Status []deploy.ServerStatus `json:"status,omitempty"`
}

type serverReport struct {
	Server   string          `json:"server"`
	Outcome  string          `json:"outcome"`
	Took     float64         `json:"took"` // seconds
	Image    *imageReport    `json:"image,omitempty"`
	Droplets []dropletReport `json:"droplets,omitempty"`
	Error    string          `json:"error,omitempty"`
}

type imageReport struct {
	ID   int    `json:"id,omitempty"` // 0: not there yet
	Name string `json:"name"`
}

type dropletReport struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	State   string `json:"state"`
}

// longestError is for the run's error and for each server's, in bytes: a step that is
// given the output in a variable cannot be started where that has more than 128 KiB, and
// GitHub drops outputs of more than 1 MiB. The log has the rest.
const longestError = 4 << 10

// newReport sums up a run for the steps that follow, without secrets in its errors.
func newReport(o order, out outcome, exit int, err error, clean func(string) string) report {
	brief := func(err error) string {
		text := clean(err.Error()) // first: half of a secret is not known as one
		if len(text) <= longestError {
			return text
		}
		const left = longestError / 2
		return strings.ToValidUTF8(text[:left], "") + "\n…\n" + strings.ToValidUTF8(text[len(text)-left:], "")
	}
	r := report{Command: o.command, Revision: out.revision(), Exit: exit, Servers: []serverReport{}, Status: out.status}
	if err != nil {
		r.Error = brief(err)
	}
	if out.result == nil {
		return r
	}
	for _, s := range out.result.Servers {
		one := serverReport{Server: s.Server, Outcome: string(s.Outcome), Took: s.Took.Seconds()}
		if s.Image.Name != "" {
			one.Image = &imageReport{ID: s.Image.ID, Name: s.Image.Name}
		}
		if s.Err != nil {
			one.Error = brief(s.Err)
		}
		for _, d := range s.Droplets {
			one.Droplets = append(one.Droplets, dropletReport{ID: d.Droplet.ID, Name: d.Droplet.Name, Outcome: string(d.Outcome), State: d.State})
		}
		r.Servers = append(r.Servers, one)
	}
	return r
}

func (o outcome) revision() string {
	switch {
	case o.result != nil:
		return o.result.Revision
	case o.plan != nil:
		return o.plan.Revision
	default:
		return ""
	}
}

// changed says whether anything was changed or, in a plan, would be: "true",
// "false", or nothing where it is not known.
func (o outcome) changed() string {
	switch {
	case o.preview:
		return strconv.FormatBool(o.result != nil && slices.ContainsFunc(o.result.Servers, func(s deploy.ServerResult) bool {
			return s.Outcome != event.Unchanged
		}))
	case o.plan == nil && o.status == nil:
		return "" // only evaluated, or not even planned
	case o.plan != nil && o.plan.DryRun:
		return strconv.FormatBool(len(o.pending()) > 0)
	case o.result == nil:
		return "false"
	}
	return strconv.FormatBool(slices.ContainsFunc(o.result.Servers, func(s deploy.ServerResult) bool {
		return s.Outcome == event.Built || s.Outcome == event.Pruned || slices.ContainsFunc(s.Droplets, func(d deploy.DropletResult) bool {
			return d.Rebuilt || d.Switched
		})
	}))
}

// pending are the servers that need something.
func (o outcome) pending() []string {
	names := []string{}
	if o.plan == nil {
		return names
	}
	for _, s := range o.plan.Pending() {
		names = append(names, s.Server.Name)
	}
	return names
}

// images are the custom images by server.
func (r report) images() map[string]imageReport {
	images := map[string]imageReport{}
	for _, s := range r.Servers {
		if s.Image != nil {
			images[s.Server] = *s.Image
		}
	}
	return images
}

// outputs are the step's outputs by name.
func outputs(r report, out outcome, commentURL string) (map[string]string, error) {
	all := map[string]string{
		"changed": out.changed(), "release": r.Revision, "comment-url": commentURL,
	}
	for name, value := range map[string]any{
		"result": r, "matrix": map[string][]string{"server": out.pending()}, "images": r.images(),
	} {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("write the output %s: %w", name, err)
		}
		all[name] = string(data)
	}
	return all, nil
}
