package action

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
)

// order is what the action is to do.
type order struct {
	command string
	request deploy.Request
	image   int
	preview preview
	// why says how the command was found, for the log.
	why string
}

// chosen is the command that the event and the inputs ask for. Without an input,
// it follows the event. The error says what to set.
func chosen(e workflow.Event, in workflow.Inputs) (command, why string, err error) {
	if e.Name == "pull_request_target" {
		return "", "", errors.New("the event pull_request_target gives the secrets of the repository to code of anybody's pull request: " +
			"snowdrop does not run on it; use pull_request, where a pull request from a fork is evaluated without secrets")
	}
	if in.Command != "" {
		if e.Pull != nil && e.Pull.Fork && in.Command != "plan" {
			return "", "", fmt.Errorf("command %s: a pull request from a fork is planned only: somebody else's code is never brought onto your droplets before it is merged", in.Command)
		}
		return in.Command, "the input `command`", nil
	}
	switch e.Name {
	case "pull_request", "merge_group":
		return "plan", "the event " + e.Name, nil
	case "push":
		if e.DefaultBranch != "" && e.Ref == "refs/heads/"+e.DefaultBranch {
			return "deploy", "a push to " + e.DefaultBranch, nil
		}
		return "", "", fmt.Errorf("a push to %s deploys by itself only on the default branch%s: set the input `command` (plan, build, deploy, …), or narrow the workflow's `on: push: branches:`",
			strings.TrimPrefix(e.Ref, "refs/heads/"), named(e.DefaultBranch))
	case "schedule":
		return "deploy", "the schedule " + e.Schedule, nil
	case "workflow_dispatch":
		return "", "", fmt.Errorf("the workflow was started by hand and does not say what to do: set the input `command`, or give the workflow an input of that name under `on: workflow_dispatch: inputs:`; it is one of %s",
			strings.Join(workflow.Verbs(), ", "))
	default:
		return "", "", fmt.Errorf("the event %s does not say what to do: set the input `command` to one of %s",
			e.Name, strings.Join(workflow.Verbs(), ", "))
	}
}

func named(branch string) string {
	if branch == "" {
		return ""
	}
	return " (" + branch + ")"
}

// newOrder finds out what is to be done on which servers of the fleet.
func newOrder(e workflow.Event, in workflow.Inputs, f *fleet.Fleet) (order, error) {
	command, why, err := chosen(e, in)
	if err != nil {
		return order{}, err
	}
	o := order{command: command, why: why, image: in.Image, request: deploy.Request{
		Servers: in.Servers, Cycle: in.Cycle, DryRun: in.DryRun, Force: in.Force, Revision: in.Revision,
		Preview: command == "plan", NoBuild: in.NoBuild, Store: in.Store,
	}}
	if e.Pull != nil && command == "plan" {
		o.request.Base = e.Pull.BaseSHA
	}
	if e.Name == "schedule" && command != "preview-sweep" && in.Cycle == "" && len(in.Servers) == 0 {
		if o.request.Servers, o.request.Cycle, err = due(f, e.Schedule); err != nil {
			return order{}, err
		}
	}
	if command == "preview" || command == "preview-sweep" {
		if o.preview, err = newPreview(e, in, f); err != nil {
			return order{}, err
		}
		return o, nil
	}
	if slices.Contains([]string{"rebuild", "rollback", "switch"}, command) && len(o.request.Servers) == 0 && in.Cycle == "" {
		return order{}, fmt.Errorf("command %s wants to be told which servers: set the input `servers` or `cycle`", command)
	}
	if o.image != 0 && command != "rebuild" {
		return order{}, fmt.Errorf("the input `image` is for the command rebuild; the command is %s", command)
	}
	if o.image != 0 && o.request.Revision != "" {
		return order{}, errors.New("the inputs `image` and `revision` exclude each other: each names what to rebuild with")
	}
	if o.request.Revision != "" && !slices.Contains([]string{"plan", "deploy", "build", "rebuild", "switch"}, command) {
		return order{}, fmt.Errorf("the input `revision` is for plan, deploy, build, rebuild and switch; the command is %s", command)
	}
	if _, err := f.Select(o.request.Servers, o.request.Cycle); err != nil {
		return order{}, fmt.Errorf("choose servers: %w", err)
	}
	return o, nil
}

// due is the cycle whose cron fired, or, where several have that one, their servers.
func due(f *fleet.Fleet, schedule string) (servers []string, cycle string, err error) {
	var cycles, has []string
	for name, cycle := range f.Cycles {
		has = append(has, fmt.Sprintf("%s (%s)", name, cycle.Cron))
		if slices.Equal(strings.Fields(cycle.Cron), strings.Fields(schedule)) {
			cycles = append(cycles, name)
		}
	}
	slices.Sort(has)
	slices.Sort(cycles)
	if len(cycles) == 0 {
		return nil, "", fmt.Errorf("no cycle of %s has the cron %q that fired; it has: %s; write the same cron in the workflow and under `cycles:`, or set the input `cycle`",
			f.Path, schedule, none(has))
	}
	for name, server := range f.Servers {
		if slices.Contains(cycles, server.Cycle) {
			servers = append(servers, name)
		}
	}
	slices.Sort(servers)
	switch {
	case len(servers) == 0:
		return nil, "", fmt.Errorf("no server of %s is in the cycle %s whose cron %q fired: give a server `cycle: %s`", f.Path, strings.Join(cycles, ", "), schedule, cycles[0])
	case len(cycles) == 1:
		return nil, cycles[0], nil
	}
	for _, name := range cycles {
		if f.Cycles[name].Ref != "" {
			return nil, "", fmt.Errorf("the cron %q that fired is that of the cycles %s, and %s has a `ref:` of its own: give each of them another cron, or a job of its own with the input `cycle`",
				schedule, strings.Join(cycles, ", "), name)
		}
	}
	return servers, "", nil
}

func none(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
