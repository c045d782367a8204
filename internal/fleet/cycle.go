package fleet

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Next is when the cycle is due after a moment, in that moment's time zone. The
// error says that the schedule cannot be read; loading has refused such a fleet.
func (c Cycle) Next(after time.Time) (time.Time, error) {
	schedule, err := cron.ParseStandard(c.Cron)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the schedule %q: %w", c.Cron, err)
	}
	return schedule.Next(after), nil
}

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }
