package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/demo"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
)

func (a *app) demoCommand() *cobra.Command {
	var serve bool
	c := &cobra.Command{
		Use:     "demo",
		Short:   "Watch a fleet being deployed, in a lab of its own, in seconds",
		GroupID: groupStart,
		Long: `Starts a lab on this machine (DigitalOcean's API, a Space, droplets) and deploys a
fleet of three servers in it: a first release, the same again, and one whose unit
fails and is rolled back. Needs nothing but this binary and touches nothing outside
of the lab. With nix it builds the images from a flake; without, it makes them itself.

Each release is also a pull request on the lab's GitHub. --serve keeps the lab until
Ctrl-C and says where to look at its comment, checks and deployments.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return demo.Run(c.Context(), demo.Options{ //nolint:wrapcheck // the demo says what did not happen
				Out: a.io.Out, Getenv: a.io.Getenv, NewReport: func() demo.Report { return a.newReport() }, Serve: serve,
			})
		},
	}
	c.Flags().BoolVar(&serve, "serve", false, "at the end, keep the lab and its pages until Ctrl-C")
	return c
}

func (a *app) labCommand() *cobra.Command {
	cfg := lab.Config{}
	var droplets, faults []string
	var slow bool
	c := &cobra.Command{
		Use:     "lab",
		Short:   "Serve DigitalOcean's API, a Space, GitHub and droplets on this machine, to try things",
		GroupID: groupStart,
		Long: `Serves DigitalOcean's API, a Space (S3), GitHub's API and droplets on loopback
until it is interrupted, and prints the environment that leads snowdrop, doctl and
rclone there, and the address at which GitHub's pages can be looked at.

Droplets are simulated (an SSH server in this process with scripted systemd answers)
or, with --real, machines that systemd-nspawn boots from the uploaded image (Linux,
as root).

Faults can be asked for with --fault and while it runs, by POST to /lab/faults:
  KIND[=TARGET][,count=N][,skip=N][,status=N][,delay=D][,message=TEXT]
` + faultHelp(),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, text := range faults {
				f, err := lab.ParseFault(text)
				if err != nil {
					return deploy.UsageError{Err: err}
				}
				cfg.Faults = append(cfg.Faults, f)
			}
			for _, name := range droplets {
				cfg.Droplets = append(cfg.Droplets, dropletSpec(name))
			}
			if slow {
				cfg.Timings = lab.Realistic()
			}
			return a.lab(c.Context(), cfg)
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:0", "address of the API")
	f.StringVar(&cfg.Bucket, "bucket", "lab", "name of the Space")
	f.StringSliceVar(&droplets, "droplet", []string{"web-1", "web-2", "api-1", "db-1"}, "droplets that the account has: NAME or NAME@REGION")
	f.StringArrayVar(&faults, "fault", nil, "something that goes wrong (may be given several times)")
	f.BoolVar(&cfg.Real, "real", false, "droplets are machines booted by systemd-nspawn")
	f.BoolVar(&cfg.StrictHead, "strict-head", false, "an import fails where the URL does not answer HEAD")
	f.BoolVar(&slow, "slow", false, "take the time that the real services take")
	f.StringVar(&cfg.StateDir, "state-dir", "", "where objects and disks lie (default: the system's for temporary files)")
	return c
}

func dropletSpec(text string) lab.DropletSpec {
	name, region, _ := strings.Cut(text, "@")
	return lab.DropletSpec{Name: name, Region: region}
}

func faultHelp() string {
	var b strings.Builder
	for _, f := range lab.Faults() {
		_, _ = fmt.Fprintf(&b, "\n  %-18s %s", f.Kind, f.Text)
	}
	return b.String()
}

func (a *app) lab(ctx context.Context, cfg lab.Config) error {
	cfg.Log = func(line string) { _, _ = fmt.Fprintln(a.io.Err, line) }
	l, err := lab.Start(ctx, cfg)
	if err != nil {
		return err //nolint:wrapcheck // it says what it was doing
	}
	_, _ = fmt.Fprintln(a.io.Out, "# In another terminal:")
	for _, line := range l.Env() {
		name, value, _ := strings.Cut(line, "=")
		if name == "SSH_PRIVATE_KEY" {
			value = `$(cat ` + l.KeyFile() + `)`
			_, _ = fmt.Fprintf(a.io.Out, "export %s=\"%s\"\n", name, value)
			continue
		}
		_, _ = fmt.Fprintf(a.io.Out, "export %s='%s'\n", name, value)
	}
	for _, hint := range l.Hints() {
		_, _ = fmt.Fprintln(a.io.Out, "# "+hint)
	}
	_, _ = fmt.Fprintf(a.io.Out, "# GitHub, to look at: %s/\n# and for what runs as a workflow does:\n", l.GitHubURL())
	for _, line := range l.GitHubEnv() {
		_, _ = fmt.Fprintln(a.io.Out, "#   "+line)
	}
	_, _ = fmt.Fprintln(a.io.Out, "# The lab runs until it is interrupted (Ctrl-C).")
	<-ctx.Done()
	return l.Close() //nolint:wrapcheck // it says what it was doing
}
