package nix

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

var hashStart = regexp.MustCompile(`^[0-9a-z]{32}-`)

// tailLength is how many last lines of a builder are kept for an error.
const tailLength = 10

// transcript follows what nix says during one command: it tells the progress,
// writes the readable log and keeps what an error will need.
type transcript struct {
	p       Progress
	log     io.Writer
	logName string

	acts       map[uint64]activity
	builds     counter
	fetches    counter
	fetching   map[uint64]int64 // bytes, by the activity that copies
	fetched    int64            // bytes of copies that have ended
	expected   int64            // bytes that nix expects to copy
	toldCount  counter
	toldBytes  counter
	tails      map[string][]string // by derivation
	faults     []fault
	evaluating string // the installable that is being evaluated, where nix says
	copies     int    // paths that were copied, or begun to be
	last       string // the last line that was not of the format
}

type activity struct {
	kind int
	drv  string
}

// counter is done and total.
type counter struct{ done, total int64 }

// fault is one error that nix reported.
type fault struct {
	text string // with the trace
	raw  string // without
	at   position
}

func newTranscript(p Progress, log io.Writer, logName string) *transcript {
	return &transcript{
		p: p, log: log, logName: logName,
		acts: map[uint64]activity{}, fetching: map[uint64]int64{}, tails: map[string][]string{},
	}
}

// line takes one line of nix's standard error.
func (t *transcript) line(line string) {
	m, ok := parseMessage(line)
	if !ok {
		t.write(plain(line))
		if strings.TrimSpace(line) != "" {
			t.last = plain(line)
		}
		return
	}
	switch m.Action {
	case "start":
		t.start(m)
	case "stop":
		t.stop(m)
	case "result":
		t.result(m)
	case "msg":
		t.message(m)
	}
}

func (t *transcript) start(m message) {
	act := activity{kind: m.Type}
	switch m.Type {
	case actBuild:
		act.drv = m.string(0)
		text := "building " + displayName(act.drv)
		if host := m.string(1); host != "" {
			text += " on " + host
		}
		t.phase(text)
	case actCopyPath:
		t.copies++
		t.phase(copying(m))
	}
	if what, ok := strings.CutPrefix(m.Text, "evaluating derivation '"); ok {
		t.evaluating = strings.TrimSuffix(what, "'")
		t.phase("evaluating " + t.evaluating)
	}
	t.acts[m.ID] = act
}

func (t *transcript) stop(m message) {
	if n, ok := t.fetching[m.ID]; ok {
		t.fetched += n
		delete(t.fetching, m.ID)
	}
	delete(t.acts, m.ID)
}

func (t *transcript) result(m message) {
	act := t.acts[m.ID]
	switch m.Type {
	case resBuildLogLine, resPostBuildLogLine:
		t.builderLine(act.drv, plain(m.string(0)))
	case resSetPhase:
		t.phase(displayName(act.drv) + ": " + m.string(0))
	case resSetExpected:
		if m.number(0) == actCopyPath {
			t.expected = m.number(1)
			t.tellBytes()
		}
	case resProgress:
		now := counter{m.number(0), m.number(1)}
		switch act.kind {
		case actBuilds:
			t.builds = now
		case actCopyPaths:
			t.fetches = now
		case actCopyPath:
			t.fetching[m.ID] = now.done
			t.tellBytes()
		}
		t.tellCount()
	}
}

func (t *transcript) message(m message) {
	text := plain(m.Msg)
	t.write(text)
	switch {
	case m.Level == levelError && strings.HasPrefix(text, "error:"):
		t.faults = append(t.faults, fault{text: text, raw: plain(m.RawMsg), at: m.position()})
	case m.Level == levelWarning && t.p.Log != nil:
		t.p.Log(text)
	}
}

func (t *transcript) builderLine(drv, line string) {
	tail := append(t.tails[drv], line)
	t.tails[drv] = tail[max(0, len(tail)-tailLength):]
	line = displayName(drv) + "> " + line
	t.write(line)
	if t.p.Log != nil {
		t.p.Log(line)
	}
}

func (t *transcript) phase(text string) {
	if t.p.Phase != nil {
		t.p.Phase(text)
	}
}

func (t *transcript) tellCount() {
	now := counter{t.builds.done + t.fetches.done, t.builds.total + t.fetches.total}
	if t.p.Count != nil && now != t.toldCount {
		t.toldCount = now
		t.p.Count(now.done, now.total)
	}
}

// tellBytes tells at most about every hundredth: nix reports each 8 KiB.
func (t *transcript) tellBytes() {
	now := counter{t.fetched, t.expected}
	for _, n := range t.fetching {
		now.done += n
	}
	if t.p.Bytes == nil || now == t.toldBytes {
		return
	}
	small := now.done-t.toldBytes.done < max(now.total/100, 1)
	if small && now.total == t.toldBytes.total && now.done < now.total {
		return
	}
	t.toldBytes = now
	t.p.Bytes(now.done, now.total)
}

func (t *transcript) write(line string) {
	_, _ = io.WriteString(t.log, strings.TrimRight(line, "\n")+"\n")
}

// copying says what a path's copy is about: it comes from a cache or a builder, or
// goes to another machine's store.
func copying(m message) string {
	if strings.HasPrefix(m.string(2), "ssh-ng://") { // since 2.26 without the host's name
		return "copying " + displayName(m.string(0))
	}
	return fmt.Sprintf("fetching %s from %s", displayName(m.string(0)), m.string(1))
}

// displayName is what a person calls a store path: without the hash, without .drv.
func displayName(storePath string) string {
	name := strings.TrimSuffix(path.Base(storePath), ".drv")
	if hashStart.MatchString(name) {
		return name[33:]
	}
	return name
}
