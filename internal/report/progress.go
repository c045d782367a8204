package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// doing says how far a running step is: a bar, numbers, and its phase.
func (d drawing) doing(r *row, t *task) {
	room := barLimit + 80
	if d.width > 0 {
		room = d.width - 2 - d.names - 2 - stepColumn - 2 - width(r.right.text) - 2
	}
	parts := t.facts(d.now)
	bar := t.total > 0
	if t.phase != "" && t.total > 0 && t.done >= t.total {
		parts, bar = nil, false // something else goes on by now
	}
	facts := strings.Join(parts, "  ")
	for len(parts) > 1 && width(strings.TrimRight(facts, " ")) > room {
		parts = parts[:len(parts)-1]
		facts = strings.Join(parts, "  ")
	}
	if n := min(room-width(facts)-2, barLimit); n >= 6 && bar {
		d.bar(r, t, n)
	}
	r.add(normal, facts)
	if t.phase != "" {
		if facts != "" {
			r.add(normal, "  ")
		}
		r.add(dim, t.phase)
	}
}

func (d drawing) bar(r *row, t *task, n int) {
	share := math.Min(math.Max(float64(t.done)/float64(t.total), 0), 1)
	full := int(share * float64(n))
	tip := ""
	if full < n && full > 0 {
		full--
		tip = d.symbols.tip
	}
	r.add(busy, strings.Repeat(d.symbols.full, full)+tip)
	r.add(dim, strings.Repeat(d.symbols.empty, n-full-len([]rune(tip))))
	r.add(normal, "  ")
}

// facts are a step's numbers, the most important first. Those that change
// often have a fixed width, so that nothing dances.
func (t *task) facts(now time.Time) []string {
	if t.done == 0 && t.total == 0 {
		return nil
	}
	if t.unit != "bytes" {
		text := fmt.Sprintf("%d of %d %s", t.done, t.total, t.unit)
		if t.total == 0 {
			text = fmt.Sprintf("%d %s", t.done, t.unit)
		}
		return []string{strings.TrimSpace(text)}
	}
	parts := []string{Bytes(t.done)}
	if t.total > 0 {
		parts[0] = pad(parts[0]+" of "+Bytes(t.total), 18)
	}
	speed := t.speed.perSecond(now)
	if speed < 1 || t.done >= t.total && t.total > 0 {
		return parts
	}
	parts = append(parts, pad(Bytes(int64(speed))+"/s", 9))
	if left := t.left(speed); left > 0 {
		parts = append(parts, Duration(left)+" left")
	}
	return parts
}

// left is the remaining time at a speed in bytes a second, in whole seconds; 0
// where it cannot be told.
func (t *task) left(speed float64) time.Duration {
	seconds := math.Ceil(float64(t.total-t.done) / speed)
	if speed < 1 || seconds <= 0 || seconds > 24*3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// meter measures a speed over the last seconds.
type meter struct{ samples []sample }

type sample struct {
	done int64
	at   time.Time
}

const (
	meterWindow  = 8 * time.Second
	meterSpacing = 250 * time.Millisecond
)

func (m *meter) add(done int64, at time.Time) {
	n := len(m.samples)
	if n > 0 && done < m.samples[n-1].done {
		m.samples = nil // begun anew
	} else if n > 1 && at.Sub(m.samples[n-2].at) < meterSpacing {
		m.samples[n-1] = sample{done, at}
		return
	}
	m.samples = append(m.samples, sample{done, at})
	for len(m.samples) > 2 && at.Sub(m.samples[0].at) > meterWindow {
		m.samples = m.samples[1:]
	}
}

// perSecond is the speed as seen from now: it falls while nothing comes.
func (m *meter) perSecond(now time.Time) float64 {
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	span := last.at.Sub(first.at)
	if idle := now.Sub(last.at); idle > 2*time.Second {
		span += idle
	}
	if span < meterSpacing {
		return 0
	}
	return float64(last.done-first.done) / span.Seconds()
}
