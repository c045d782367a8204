package fleet

import (
	"fmt"
	"time"
	_ "time/tzdata" // a cron names its time zone on machines without a database of them too

	"github.com/robfig/cron/v3"
)

// Next is when the cycle is due after a moment. Its cron means UTC, whatever the
// moment's time zone, as GitHub's does; a cron with CRON_TZ= before it means that zone.
// The error says that the schedule cannot be read; loading has refused such a fleet.
func (c Cycle) Next(after time.Time) (time.Time, error) {
	schedule, err := cron.ParseStandard(c.Cron)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the schedule %q: %w", c.Cron, err)
	}
	return schedule.Next(after.UTC()), nil
}

// complete fills in what is left out.
func (c Cycle) complete() {
	if c.Update != nil && c.Update.Via == "" {
		c.Update.Via = ViaPullRequest
	}
}

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }
