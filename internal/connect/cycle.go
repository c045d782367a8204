package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/git"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/redact"
)

// Forge is how GitHub is reached, for cycles.
type Forge struct {
	// Token may be empty: then git uses what it has itself, and no pull request is
	// opened.
	Token string
	// ServerURL is https://github.com where it is empty, APIURL the API's address.
	ServerURL, APIURL string
	// Repository is "owner/name" of the repository that is checked out.
	Repository string
	// Workflow says that this is a run of GitHub Actions.
	Workflow bool
	// Clock is nil for the real one.
	Clock github.Clock
}

// ForgeOf is what the environment says of GitHub, by the names that a workflow has for
// it.
func ForgeOf(getenv func(string) string) Forge {
	return Forge{
		Token: getenv("GITHUB_TOKEN"), ServerURL: getenv("GITHUB_SERVER_URL"), APIURL: getenv("GITHUB_API_URL"),
		Repository: getenv("GITHUB_REPOSITORY"), Workflow: getenv("GITHUB_ACTIONS") == "true",
	}
}

// Cycles makes what finds the commit that a release cycle deploys. Nothing is asked yet.
func Cycles(f *fleet.Fleet, o Options, forge Forge, r *redact.Redactor) deploy.CycleSource {
	server := cmp.Or(forge.ServerURL, "https://github.com")
	author := git.Identity{Name: "snowdrop", Email: "snowdrop@localhost"}
	if forge.Workflow {
		// https://github.com/actions/checkout#push-a-commit-using-the-built-in-token
		author = git.Identity{Name: "github-actions[bot]", Email: "41898282+github-actions[bot]@users.noreply.github.com"}
	}
	return deploy.CycleSource{
		Fleet: f, Nix: newNix(f, o), Git: git.New(git.Config{Token: forge.Token, Server: server}), Author: author,
		Server: server, Repository: forge.Repository, GitHub: forge.client, Sink: r.Sink(o.Sink), Now: time.Now,
	}
}

func (f Forge) client(repository string) (deploy.Proposer, error) {
	if f.Token == "" {
		return nil, errors.New("there is no token for GitHub: set GITHUB_TOKEN to one that may write contents and pull requests")
	}
	client, err := github.New(github.Config{Token: f.Token, BaseURL: f.APIURL, Repository: repository, UserAgent: "snowdrop/" + Version(), Clock: f.Clock})
	if err != nil {
		return nil, fmt.Errorf("prepare the GitHub client: %w", err)
	}
	return briefly{client}, nil
}

// proposing bounds one pull request: a GitHub that does not answer must not hold up the
// deploy that comes after it.
const proposing = time.Minute

type briefly struct{ deploy.Proposer }

// Propose implements deploy.Proposer.
func (b briefly) Propose(ctx context.Context, p github.Proposal) (github.Pull, github.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, proposing)
	defer cancel()
	return b.Proposer.Propose(ctx, p) //nolint:wrapcheck // it says what it did
}

// Withdraw implements deploy.Proposer.
func (b briefly) Withdraw(ctx context.Context, head, base, why string) (github.Pull, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, proposing)
	defer cancel()
	return b.Proposer.Withdraw(ctx, head, base, why) //nolint:wrapcheck // it says what it did
}
