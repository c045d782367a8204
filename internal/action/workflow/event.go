package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

// Event is what started the workflow, and where it runs.
type Event struct {
	// Name is GitHub's name of the event, such as "pull_request"; Action is what
	// happened to its subject, such as "opened".
	Name, Action string
	// Repository is "owner/name".
	Repository string
	ServerURL  string
	APIURL     string
	Workspace  string
	Actor      string
	// SHA is the commit that checks and deployments belong to. On a pull request it
	// is the head of its branch, not the merge that is checked out.
	SHA           string
	Ref           string
	DefaultBranch string
	RunID         int64
	Attempt       int
	// Pull is the pull request; nil for other events.
	Pull *Pull
	// Schedule is the cron that fired.
	Schedule string
	// Dispatched are the inputs of workflow_dispatch.
	Dispatched map[string]string
}

// Pull is a pull request.
type Pull struct {
	Number           int
	BaseSHA, HeadSHA string
	// Fork says that its branch is in another repository.
	Fork bool
	// Closed says that it is closed or merged.
	Closed bool
	// Labels are the names of those that it carries.
	Labels []string
}

// payload is what is read of the event's JSON, which has far more.
type payload struct {
	Action     string `json:"action"`
	Schedule   string `json:"schedule"`
	Repository struct {
		DefaultBranch string `json:"default_branch"`
		FullName      string `json:"full_name"`
	} `json:"repository"`
	PullRequest *struct {
		Number int    `json:"number"`
		State  string `json:"state"`
		Head   branch `json:"head"`
		Base   branch `json:"base"`
		Labels []struct {
			Name string `json:"name"`
		} `json:"labels"`
	} `json:"pull_request"`
	MergeGroup *struct {
		HeadSHA string `json:"head_sha"`
	} `json:"merge_group"`
	Inputs map[string]any `json:"inputs"`
}

type branch struct {
	SHA string `json:"sha"`
	// Repo is null when the fork was deleted.
	Repo *struct {
		FullName string `json:"full_name"`
	} `json:"repo"`
}

// ReadEvent reads what the runner says of the event. The error names the variable
// or the file that is not as it should be.
func ReadEvent(getenv func(string) string) (Event, error) {
	about, err := githubactions.New(githubactions.WithGetenv(getenv)).Context()
	if err != nil {
		return Event{}, fmt.Errorf("read what the runner says of the workflow: %w", err)
	}
	var p payload
	if about.EventPath != "" {
		// The toolkit has it as a map only.
		data, err := os.ReadFile(about.EventPath)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Event{}, fmt.Errorf("read the event: %w", err)
		}
		if len(data) > 0 {
			if err := json.Unmarshal(data, &p); err != nil {
				return Event{}, fmt.Errorf("read the event in %s: %w", about.EventPath, err)
			}
		}
	}
	e := Event{
		Name: about.EventName, Action: p.Action, Repository: about.Repository, ServerURL: about.ServerURL, APIURL: about.APIURL,
		Workspace: about.Workspace, Actor: about.Actor, SHA: about.SHA, Ref: about.Ref, DefaultBranch: p.Repository.DefaultBranch,
		RunID: about.RunID, Attempt: int(max(1, about.RunAttempt)), Schedule: p.Schedule,
	}
	if e.Name == "" {
		return e, errors.New("GITHUB_EVENT_NAME is not set: the command `action` is for GitHub's runner alone; on a terminal use the other commands (snowdrop --help)")
	}
	if e.Repository == "" {
		e.Repository = p.Repository.FullName
	}
	if p.PullRequest != nil {
		e.pull(p)
	}
	if p.MergeGroup != nil && p.MergeGroup.HeadSHA != "" {
		e.SHA = p.MergeGroup.HeadSHA
	}
	e.Dispatched = texts(p.Inputs)
	return e, nil
}

func (e *Event) pull(p payload) {
	r := p.PullRequest
	e.Pull = &Pull{Number: r.Number, BaseSHA: r.Base.SHA, HeadSHA: r.Head.SHA, Closed: r.State == "closed"}
	for _, label := range r.Labels {
		e.Pull.Labels = append(e.Pull.Labels, label.Name)
	}
	base := p.Repository.FullName
	if r.Base.Repo != nil {
		base = r.Base.Repo.FullName
	}
	e.Pull.Fork = r.Head.Repo == nil || !strings.EqualFold(r.Head.Repo.FullName, base)
	if r.Head.SHA != "" {
		e.SHA = r.Head.SHA
	}
}

// texts are the inputs as the runner would hand them on; a workflow may declare
// booleans and numbers.
func texts(inputs map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range inputs {
		switch v := value.(type) {
		case string:
			out[name] = v
		case bool:
			out[name] = strconv.FormatBool(v)
		case float64:
			out[name] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return out
}

// RunURL is where the run can be watched; empty where the runner does not say.
func (e Event) RunURL() string {
	if e.RunID == 0 || e.Repository == "" {
		return ""
	}
	url := fmt.Sprintf("%s/actions/runs/%d", e.RepositoryURL(), e.RunID)
	if e.Attempt > 1 {
		url += fmt.Sprintf("/attempts/%d", e.Attempt)
	}
	return url
}

// RepositoryURL is the repository's page.
func (e Event) RepositoryURL() string {
	return strings.TrimSuffix(e.ServerURL, "/") + "/" + e.Repository
}

// Dependabot says whether its pull request started the workflow: such a run has a
// read-only token and, like one of a fork, none of the repository's secrets.
func (e Event) Dependabot() bool { return e.Actor == "dependabot[bot]" }
