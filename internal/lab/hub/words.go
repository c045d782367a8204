package hub

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Short is how a commit is called.
func (v *view) Short(sha string) string { return sha[:min(7, len(sha))] }

// Subject is the first line of a commit's message.
func (c Commit) Subject() string {
	subject, _, _ := strings.Cut(c.Message, "\n")
	return cmp.Or(subject, "No commit message")
}

// Rest is what follows the first line of the message.
func (c Commit) Rest() string {
	_, rest, _ := strings.Cut(c.Message, "\n")
	return strings.TrimSpace(rest)
}

// App says whether a login is an app's.
func (v *view) App(login string) bool { return strings.HasSuffix(login, "[bot]") }

// Who is a login without the mark of an app.
func (v *view) Who(login string) string { return strings.TrimSuffix(login, "[bot]") }

// Face is what stands in for the picture of an account: a letter on one of eight
// colours.
type Face struct {
	Letter string
	Hue    int64
	App    bool
}

// Face is that of a login.
func (v *view) Face(login string) Face {
	f := Face{Letter: "?", Hue: numberOf(login) % 8, App: v.App(login)}
	for _, r := range login {
		f.Letter = strings.ToUpper(string(r))
		break
	}
	return f
}

// Ago says how long something is over, roughly.
func (v *view) Ago(t time.Time) string {
	d := v.now.Sub(t)
	plural := func(n int, unit string) string {
		if n == 1 {
			return fmt.Sprintf("1 %s ago", unit)
		}
		return fmt.Sprintf("%d %ss ago", n, unit)
	}
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 24*time.Hour:
		return plural(int(d.Hours()), "hour")
	case d < 30*24*time.Hour:
		return plural(int(d.Hours()/24), "day")
	default:
		return "on " + t.Format("Jan 2, 2006")
	}
}

// Stamp is a time in full.
func (v *view) Stamp(t time.Time) string { return t.UTC().Format("Jan 2, 2006, 15:04:05 UTC") }

// Day is the date of a time.
func (v *view) Day(t time.Time) string { return t.UTC().Format("Jan 2, 2006") }

// Outcome is what became of a check run, in one word: its conclusion, or its status
// while there is none.
func (k Check) Outcome() string {
	if k.Conclusion != "" {
		return k.Conclusion
	}
	return k.Status
}

// Verdict says it for people, with how long it took.
func (k Check) Verdict() string {
	words := map[string]string{
		"success": "Successful", "failure": "Failing", "neutral": "Neutral", "cancelled": "Cancelled", "skipped": "Skipped",
		"timed_out": "Timed out", "action_required": "Action required", "queued": "Queued", "in_progress": "In progress",
	}[k.Outcome()]
	if took := k.CompletedAt.Sub(k.StartedAt); k.Status == "completed" && !k.CompletedAt.IsZero() && took >= 0 && k.Conclusion != "skipped" {
		return words + " " + connective(k.Conclusion) + " " + duration(took)
	}
	return words
}

// duration is a time span without what is zero in it.
func duration(d time.Duration) string {
	text := d.Round(time.Second).String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func connective(conclusion string) string {
	if conclusion == "success" {
		return "in"
	}
	return "after"
}

// Lines says where an annotation is.
func (a Annotation) Lines() string {
	if a.StartLine == a.EndLine {
		return fmt.Sprintf("L%d", a.StartLine)
	}
	return fmt.Sprintf("L%d-L%d", a.StartLine, a.EndLine)
}

// count is a number with its word.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
