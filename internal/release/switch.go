package release

import (
	"slices"
	"time"
)

// BeginSwitch makes the record of a release that reaches machines without an image:
// it is Begin for those of provider ssh. The way back is the last verified system.
func BeginSwitch(server string, former *Record, next Release, now time.Time) *Record {
	rec := &Record{Server: server, Release: next, Outcome: Pending, StartedAt: now}
	if former == nil {
		return rec
	}
	rec.Droplets = slices.Clone(former.Droplets)
	rec.Previous = former.Previous
	verified := former.Outcome == Verified || former.Outcome == RolledBack
	if verified && former.Toplevel != "" && former.Toplevel != next.Toplevel {
		rec.Previous = new(former.Release)
	}
	if rec.Previous != nil && rec.Previous.Toplevel == next.Toplevel {
		rec.Previous = nil
	}
	return rec
}
