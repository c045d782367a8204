package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

// Inputs are what a workflow gave to the action under `with:`. Those that hold
// credentials are not here: see Credentials.
type Inputs struct {
	Command  string
	Config   string
	Servers  []string
	Cycle    string
	Image    int // 0: none
	Revision string
	DryRun   bool
	Force    bool
	// NoBuild keeps a plan from building what it compares.
	NoBuild bool
	// Store is where else a plan asks what systems are made of.
	Store string
	// Preview asks for a preview, whatever the pull request's labels.
	Preview bool

	Environment   string
	GitHubToken   string
	CommentAuthor string
	// These are the reports that are wanted.
	Comment, Checks, Deployments, Summary bool

	// NixConfig are lines for nix.conf.
	NixConfig string
}

// Verbs are what the action can do, as its input `command` names them.
func Verbs() []string {
	return []string{"plan", "deploy", "build", "rebuild", "rollback", "switch", "verify", "prune", "status", "preview", "preview-sweep"}
}

// credentials are the inputs that stand for a variable of the environment.
func credentials() map[string]string {
	return map[string]string{
		"digitalocean-token":       "DIGITALOCEAN_ACCESS_TOKEN",
		"spaces-access-key-id":     "SPACES_ACCESS_KEY_ID",
		"spaces-secret-access-key": "SPACES_SECRET_ACCESS_KEY",
		"ssh-private-key":          "SSH_PRIVATE_KEY",
	}
}

// Environment is the environment with the credentials of the inputs in it, by the
// names that the command line knows. An input goes before the variable.
func Environment(getenv func(string) string) func(string) string {
	action := githubactions.New(githubactions.WithGetenv(getenv))
	given := map[string]string{}
	for input, variable := range credentials() {
		if value := action.GetInput(input); value != "" {
			given[variable] = value
		}
	}
	// A token that is given as an input is meant, whatever else is set.
	if given["DIGITALOCEAN_ACCESS_TOKEN"] != "" {
		given["DIGITALOCEAN_TOKEN"] = ""
	}
	return func(name string) string {
		if value, ok := given[name]; ok {
			return value
		}
		return getenv(name)
	}
}

// ReadInputs reads the inputs. What workflow_dispatch was asked for (dispatched, by
// name) serves where an input itself is not given. The error lists every input
// that cannot be understood.
func ReadInputs(getenv func(string) string, dispatched map[string]string) (Inputs, error) {
	r := inputReader{action: githubactions.New(githubactions.WithGetenv(getenv)), dispatched: dispatched}
	in := Inputs{
		Command: r.text("command", ""), Config: r.text("config", "snowdrop.yaml"), Servers: r.list("servers"),
		Cycle: r.text("cycle", ""), Image: r.number("image"), Revision: r.text("revision", ""),
		DryRun: r.boolean("dry-run", false), NoBuild: r.boolean("no-build", false), Store: r.given("store"), Force: r.boolean("force", false), Preview: r.boolean("preview", false),
		Environment: r.text("environment", "production"), GitHubToken: r.given("github-token"),
		CommentAuthor: r.given("comment-author"),
		Comment:       r.boolean("comment", true), Checks: r.boolean("checks", true),
		Deployments: r.boolean("deployments", true), Summary: r.boolean("summary", true),
		NixConfig: r.given("nix-config"),
	}
	if in.Command != "" && !slices.Contains(Verbs(), in.Command) {
		r.fault("command", in.Command, "it is one of "+strings.Join(Verbs(), ", "))
	}
	return in, errors.Join(r.faults...)
}

type inputReader struct {
	action     *githubactions.Action
	dispatched map[string]string
	faults     []error
}

// given is what the workflow itself gave.
func (r *inputReader) given(name string) string { return r.action.GetInput(name) }

// text is an input, or what was typed when the workflow was dispatched. An input
// that only has its default gives way to that.
func (r *inputReader) text(name, byDefault string) string {
	value := r.given(name)
	if typed := strings.TrimSpace(r.dispatched[name]); typed != "" && (value == "" || value == byDefault) {
		return typed
	}
	if value == "" {
		return byDefault
	}
	return value
}

func (r *inputReader) list(name string) []string {
	return strings.FieldsFunc(r.text(name, ""), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r' })
}

func (r *inputReader) number(name string) int {
	text := r.text(name, "")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		r.fault(name, text, "it is the id of a custom image, a number")
	}
	return n
}

// boolean reads what YAML 1.2 calls a boolean, as GitHub's own toolkit does.
func (r *inputReader) boolean(name string, byDefault bool) bool {
	switch text := r.text(name, strconv.FormatBool(byDefault)); text {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	default:
		r.fault(name, text, "it is true or false")
		return byDefault
	}
}

func (r *inputReader) fault(name, value, want string) {
	r.faults = append(r.faults, fmt.Errorf("input %s: %q: %s", name, value, want))
}
