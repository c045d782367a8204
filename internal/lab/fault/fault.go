// Package fault holds what can be made to go wrong in the lab on purpose.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what goes wrong.
type Kind string

// The kinds; Kinds describes them.
const (
	APIError          Kind = "api-error"
	APILost           Kind = "api-lost"
	APIDrop           Kind = "api-drop"
	APIRateLimit      Kind = "api-rate-limit"
	APISlow           Kind = "api-slow"
	ImportFailed      Kind = "import-failed"
	ImportStuck       Kind = "import-stuck"
	ImportUnreachable Kind = "import-unreachable"
	ActionErrored     Kind = "action-errored"
	ActionStuck       Kind = "action-stuck"
	DropletBusy       Kind = "droplet-busy"
	BootFailedUnit    Kind = "boot-failed-unit"
	BootCrashLoop     Kind = "boot-crash-loop"
	BootHang          Kind = "boot-hang"
	BootOldSystem     Kind = "boot-old-system"
	BootNever         Kind = "boot-never"
	S3Error           Kind = "s3-error"
	S3Part            Kind = "s3-part"
	S3Slow            Kind = "s3-slow"
	SSHHang           Kind = "ssh-hang"
	SSHRefuse         Kind = "ssh-refuse"
	GitHubError       Kind = "github-error"
	GitHubLost        Kind = "github-lost"
	GitHubDrop        Kind = "github-drop"
	GitHubRateLimit   Kind = "github-rate-limit"
	GitHubSlow        Kind = "github-slow"
)

// Description says what a Kind does and what its target is.
type Description struct {
	Kind   Kind   `json:"kind"`
	Target string `json:"target"`
	Text   string `json:"text"`
}

// Kinds describes every kind, in a fixed order, for help texts.
func Kinds() []Description {
	const request, image, droplet, key = "METHOD /path", "image name", "droplet name", "METHOD /bucket/key"
	return []Description{
		{APIError, request, "answer 500 (or status=…) without doing anything"},
		{APILost, request, "do it, then answer 502: the answer is lost"},
		{APIDrop, request, "do it, then close the connection without an answer"},
		{APIRateLimit, request, "answer 429 with retry-after (delay=…)"},
		{APISlow, request, "answer late, by delay=…"},
		{ImportFailed, image, "the import ends as deleted with message=…"},
		{ImportStuck, image, "the import stays pending"},
		{ImportUnreachable, image, "answer 400 unreachable and leave a NEW image behind"},
		{ActionErrored, droplet, "the droplet's next action ends as errored (or an image's, by its name)"},
		{ActionStuck, droplet, "the droplet's next action stays in-progress (or an image's, by its name)"},
		{DropletBusy, droplet, "answer 422 pending event to an action"},
		{BootFailedUnit, droplet, "the next boot has a failed unit"},
		{BootCrashLoop, droplet, "the next boot has a unit that crashes for ever"},
		{BootHang, droplet, "the next boot never gets past starting"},
		{BootOldSystem, droplet, "the next rebuild comes up with the former system"},
		{BootNever, droplet, "the next boot never answers"},
		{S3Error, key, "answer 500 (or status=…) to a request of the Space"},
		{S3Part, key, "answer 500 (or status=…) to an uploaded part"},
		{S3Slow, key, "answer late, by delay=…"},
		{SSHHang, droplet, "accept the connection and never finish the SSH handshake"},
		{SSHRefuse, droplet, "refuse the connection"},
		{GitHubError, request, "answer 500 (or status=…) without doing anything"},
		{GitHubLost, request, "do it, then answer 502: the answer is lost"},
		{GitHubDrop, request, "do it, then close the connection without an answer"},
		{GitHubRateLimit, request, "answer 403 with retry-after (delay=…): too many at once"},
		{GitHubSlow, request, "answer late, by delay=…"},
	}
}

// Fault is one thing that goes wrong.
type Fault struct {
	Kind Kind `json:"kind"`
	// Target is what it happens to; "*" matches any text, "" everything.
	Target string `json:"target,omitempty"`
	// Count is how often; 0 means once, negative always.
	Count int `json:"count,omitempty"`
	// Skip is how many matches are let through first.
	Skip    int           `json:"skip,omitempty"`
	Message string        `json:"message,omitempty"`
	Status  int           `json:"status,omitempty"`
	Delay   time.Duration `json:"delay,omitempty"`
}

// String writes the Fault as Parse reads it.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	if f.Target != "" {
		b.WriteString("=" + f.Target)
	}
	for _, o := range []struct {
		name string
		n    int
	}{{"count", f.Count}, {"skip", f.Skip}, {"status", f.Status}} {
		if o.n != 0 {
			fmt.Fprintf(&b, ",%s=%d", o.name, o.n)
		}
	}
	if f.Delay != 0 {
		fmt.Fprintf(&b, ",delay=%s", f.Delay)
	}
	if f.Message != "" {
		b.WriteString(",message=" + f.Message)
	}
	return b.String()
}

// Validate fails on an unknown kind.
func (f Fault) Validate() error {
	var names []string
	for _, d := range Kinds() {
		if d.Kind == f.Kind {
			return nil
		}
		names = append(names, string(d.Kind))
	}
	return fmt.Errorf("unknown fault %q: there are %s", f.Kind, strings.Join(names, ", "))
}

// Parse reads KIND[=TARGET][,count=N][,skip=N][,status=N][,delay=D][,message=TEXT];
// the message is last and takes all that follows. It returns every mistake.
func Parse(s string) (Fault, error) {
	s, message, _ := strings.Cut(s, ",message=")
	head, options, _ := strings.Cut(s, ",")
	kind, target, _ := strings.Cut(head, "=")
	f := Fault{Kind: Kind(strings.TrimSpace(kind)), Target: strings.TrimSpace(target), Message: message}
	errs := []error{f.Validate()}
	for option := range strings.SplitSeq(options, ",") {
		if option != "" {
			errs = append(errs, f.set(option))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	return f, nil
}

func (f *Fault) set(option string) error {
	name, value, _ := strings.Cut(option, "=")
	var err error
	switch name {
	case "count":
		f.Count, err = strconv.Atoi(value)
	case "skip":
		f.Skip, err = strconv.Atoi(value)
	case "status":
		f.Status, err = strconv.Atoi(value)
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	default:
		return fmt.Errorf("unknown option %q: there are count, skip, status, delay, message", name)
	}
	if err != nil {
		return fmt.Errorf("option %s: %w", name, err)
	}
	return nil
}

// Set holds the faults that are armed. It is safe for concurrent use; the zero Set
// is empty.
type Set struct {
	mu     sync.Mutex
	faults []Fault
}

// Add arms a fault. It fails on an unknown kind.
func (s *Set) Add(f Fault) error {
	if err := f.Validate(); err != nil {
		return err
	}
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	return nil
}

// List returns the faults that are still armed.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// Clear disarms everything.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Take returns the first armed fault of a kind that matches one of the targets,
// and counts it as used.
func (s *Set) Take(kind Kind, targets ...string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Kind != kind || !f.matches(targets) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		taken := *f
		if f.Count > 0 {
			f.Count--
		}
		if f.Count == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return taken, true
	}
	return Fault{}, false
}

func (f *Fault) matches(targets []string) bool {
	return f.Target == "" || slices.ContainsFunc(targets, func(t string) bool { return glob(f.Target, t) })
}

// glob matches "*" with any text, "/" included, which path.Match does not.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, last)
}
