package publish

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/github"
)

// DeploymentAPI is what GitHub does for Deployments. *github.Client does it.
type DeploymentAPI interface {
	CreateDeployment(ctx context.Context, d github.Deployment) (int64, error)
	SetDeploymentStatus(ctx context.Context, id int64, s github.DeploymentStatus) error
}

// DeploymentsConfig says what deployments are written.
type DeploymentsConfig struct {
	GitHub DeploymentAPI
	// Ref is the commit that is deployed.
	Ref string
	// Environment is the name that the servers stand below, as in production/web.
	Environment string
	// Task is what the deployments are of, to find them by; empty: deploy.
	Task string
	// Transient says that the environments will cease to be. Place names a server's
	// below Environment; nil: its own name.
	Transient bool
	Place     func(server string) string
	RunURL    string
	// Run tells this run's deployments from those of others.
	Run string
	// Describe is how a server stands, in one line.
	Describe func(server string) string
	// URL is where a server can be seen, whose droplet is at an address (empty while
	// it is not known); empty where nobody knows.
	URL  func(server, address string) string
	Warn func(text string)
}

// Deployments writes one deployment for each server that is changed: each in an
// environment of its own, so that GitHub shows what every server runs. In one
// environment for all, the success of one server would make those of the others
// inactive.
type Deployments struct {
	base
	cfg     DeploymentsConfig
	servers []*deployment
}

// deployment is one server's. What stands above the line belongs to Run alone,
// what stands below is guarded by the mutex.
type deployment struct {
	server string
	id     int64
	told   string
	// ----
	finished *event.ServerFinished
	address  string
}

var _ Reporter = (*Deployments)(nil)

// NewDeployments makes the reporter; Run writes.
func NewDeployments(cfg DeploymentsConfig) *Deployments {
	return &Deployments{base: newBase("deployments", "deployments", cfg.Warn), cfg: cfg}
}

// Emit takes in an event. A deployment begins with the first step that works on its
// server: a server that is left as it is has none.
func (d *Deployments) Emit(e event.Event) {
	d.mu.Lock()
	defer d.stir()
	defer d.mu.Unlock()
	switch e := e.(type) {
	case event.StepStarted:
		if e.Server != "" && e.Step != "prune" && d.find(e.Server) == nil {
			d.servers = append(d.servers, &deployment{server: e.Server})
		}
	case event.DropletFinished:
		if one := d.find(e.Server); one != nil && one.address == "" {
			one.address = e.Address
		}
	case event.ServerFinished:
		if one := d.find(e.Server); one != nil {
			one.finished = &e
		}
	}
}

func (d *Deployments) find(server string) *deployment {
	for _, one := range d.servers {
		if one.server == server {
			return one
		}
	}
	return nil
}

// Run implements Reporter.
func (d *Deployments) Run(ctx context.Context) {
	d.loop(ctx, func(ctx context.Context, end *Ending) time.Duration {
		d.mu.Lock()
		servers := slices.Clone(d.servers)
		d.mu.Unlock()
		if end != nil && end.Cancelled {
			together(servers, func(one *deployment) { d.write(ctx, one, end) })
			return 0
		}
		for _, one := range servers {
			if end == nil && d.ending() != nil {
				return 0 // what is still to be written is how it ended
			}
			d.write(ctx, one, end)
		}
		return 0
	})
}

func (d *Deployments) write(ctx context.Context, one *deployment, end *Ending) {
	d.mu.Lock()
	finished, address := one.finished, one.address
	d.mu.Unlock()
	state := "in_progress"
	switch {
	case finished != nil:
		state = deploymentState(finished.Outcome)
	case end != nil:
		state = "error" // the run broke off
	}
	if d.isOff() || one.told == state || ctx.Err() != nil {
		return
	}
	environment := d.environment(one.server)
	if one.id == 0 {
		id, err := d.cfg.GitHub.CreateDeployment(ctx, github.Deployment{
			Ref: d.cfg.Ref, Environment: environment, Task: cmp.Or(d.cfg.Task, "deploy"), Description: "snowdrop deploys " + one.server,
			Transient: d.cfg.Transient, Production: d.cfg.Environment == "production",
			Payload: map[string]string{"server": one.server, "run": d.cfg.Run},
		})
		if !d.ok(err) {
			return
		}
		one.id = id
	}
	err := d.cfg.GitHub.SetDeploymentStatus(ctx, one.id, github.DeploymentStatus{
		State: state, Description: d.cfg.Describe(one.server), LogURL: d.cfg.RunURL, EnvironmentURL: d.cfg.URL(one.server, address),
		Environment: environment, AutoInactive: true,
	})
	if d.ok(err) {
		one.told = state
	}
}

func (d *Deployments) environment(server string) string {
	if d.cfg.Place != nil {
		server = d.cfg.Place(server)
	}
	return d.cfg.Environment + "/" + server
}

// deploymentState is GitHub's word for how a server ended.
func deploymentState(o event.Outcome) string {
	switch o {
	case event.Verified, event.Unchanged, event.Built:
		return "success"
	case event.Cancelled:
		return "error"
	case event.Untouched:
		return "inactive"
	default:
		return "failure"
	}
}
