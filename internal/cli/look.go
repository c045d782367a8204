package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report"
)

func (a *app) verifyCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "verify [SERVER]...",
		Short:   "Look over SSH whether droplets run what their record says, and run well",
		GroupID: groupLook,
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(f, args, func(s *session) error {
				plan, err := s.deployer.PlanVerify(c.Context(), f.request(args))
				if err != nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				_, err = s.deployer.Verify(c.Context(), plan)
				return a.shown(err)
			})
		},
	}
	f.addSelect(a, c)
	a.addJSON(c, "tell what happens as JSON, one event a line")
	return c
}

func (a *app) statusCommand() *cobra.Command {
	var f runFlags
	var verify bool
	c := &cobra.Command{
		Use:     "status [SERVER]...",
		Short:   "Show what every server runs, since when, and what differs from its record",
		GroupID: groupLook,
		Long: `Shows every server: revision, image, droplets, when they were verified, and where
what a droplet runs differs from what the record says. Asks DigitalOcean and the
Space, and with --verify the droplets too, as 'snowdrop verify' does.`,
		RunE: func(c *cobra.Command, args []string) error {
			a.document = a.json
			return a.run(f, args, func(s *session) error {
				ask := s.deployer.Status
				if verify {
					ask = s.deployer.StatusVerified
				}
				status, err := ask(c.Context(), f.request(args))
				if status == nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				if a.json {
					return errors.Join(err, a.printJSON(status))
				}
				s.report.Close() // the table comes below what it tells
				if verify {
					_, _ = fmt.Fprintln(a.io.Out)
				}
				a.printStatus(status, time.Now())
				return a.shown(err)
			})
		},
	}
	f.addSelect(a, c)
	c.Flags().BoolVar(&verify, "verify", false, "verify the droplets first, over SSH, and write what was seen into the records")
	a.addJSON(c, "print the status as JSON")
	return c
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of snowdrop.yaml, for editors",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := fleet.Schema()
			if err != nil {
				return fmt.Errorf("make the schema: %w", err)
			}
			_, err = a.io.Out.Write(schema)
			return err //nolint:wrapcheck // standard output says it all
		},
	}
}

func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.io.Out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// printStatus writes a row a droplet, and below the table what needs a person.
func (a *app) printStatus(status []deploy.ServerStatus, now time.Time) {
	o, _ := a.options()
	var rows [][]string
	for _, s := range status {
		rows = append(rows, statusRows(s, now)...)
	}
	report.Table(a.io.Out, []string{"SERVER", "STATE", "SINCE", "REVISION", "IMAGE", "DROPLET", "ADDRESS", "VERIFIED", "VOLUMES", "NEXT"}, rows, o)
	for _, s := range status {
		if s.Fault != "" {
			_, _ = fmt.Fprintf(a.io.Out, "\n%s: %s\n", s.Name, s.Fault)
		}
		if text := unfinished(s.Record); text != "" {
			_, _ = fmt.Fprintf(a.io.Out, "\n%s: %s\n", s.Name, text)
		}
		for _, d := range s.Droplets {
			if d.Drift != "" {
				_, _ = fmt.Fprintf(a.io.Out, "\n%s/%s: %s\n", s.Name, d.Name, d.Drift)
			}
		}
	}
}

// unfinished says of a record how its release ended, if not well.
func unfinished(rec *release.Record) string {
	switch {
	case rec == nil:
		return ""
	case rec.Outcome == release.Pending:
		return "the last run was cut off; the next deploy goes on where it stopped. " + rec.Failure
	case rec.Failure != "":
		return fmt.Sprintf("the last release ended as %s: %s", rec.Outcome, rec.Failure)
	}
	return ""
}

func statusRows(s deploy.ServerStatus, now time.Time) [][]string {
	state, since, revision, image := "not released", "", "", ""
	if r := s.Record; r != nil {
		since = sinceWords(r)
		state, revision, image = string(r.Outcome), report.Short(r.Revision), report.ShortImage(r.CustomImage.Name)
	}
	released := s.Record != nil && s.Record.Outcome != release.Unreleased
	if s.Record != nil && !released { // and switched all the same
		state, since = "not released", ""
	}
	if s.Server.Provider == fleet.SSHHosts {
		image = "none"
	}
	next := ""
	if !s.Next.IsZero() {
		next = s.Next.Format("Mon 2 Jan 15:04 MST")
	}
	if len(s.Droplets) == 0 {
		return [][]string{{s.Name, state, since, revision, image, "", "", "", "", next}}
	}
	var rows [][]string
	for i, d := range s.Droplets {
		row := []string{"", "", "", "", "", d.Name, d.IPv4, verifiedWords(d, released || d.Switched != nil, now), volumeWords(s.Server, d), ""}
		if i == 0 {
			row[0], row[1], row[2], row[3], row[4], row[9] = s.Name, state, since, revision, image, next
		}
		rows = append(rows, row)
	}
	return rows
}

// sinceWords is when the record's release ended, or began if it did not end.
func sinceWords(r *release.Record) string {
	at := r.FinishedAt
	if at.IsZero() {
		at = r.StartedAt
	}
	return at.UTC().Format("2006-01-02 15:04")
}

func verifiedWords(d deploy.DropletStatus, released bool, now time.Time) string {
	switch {
	case !released:
		return "never"
	case d.Switched != nil && d.Drift != "" && !d.VerifiedAt.IsZero():
		return "switched, " + report.Duration(now.Sub(d.VerifiedAt).Round(time.Second)) + " ago"
	case d.Switched != nil && d.Drift != "":
		return "switched"
	case d.Drift != "":
		return "drift"
	case d.VerifiedAt.IsZero():
		return "never"
	default:
		return report.Duration(now.Sub(d.VerifiedAt).Round(time.Second)) + " ago"
	}
}

// volumeWords says what of a droplet would survive a rebuild beside its addresses;
// nothing of a host, which nobody rebuilds.
func volumeWords(s fleet.Server, d deploy.DropletStatus) string {
	if s.Provider == fleet.SSHHosts {
		return ""
	}
	if len(d.Volumes) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d survive", len(d.Volumes))
}
