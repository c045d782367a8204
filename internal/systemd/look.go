package systemd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
)

// Runner runs one command on the machine that is looked at.
type Runner interface {
	Run(ctx context.Context, command string, stdin io.Reader) (remote.Result, error)
}

const defaultJournalLines = 10

// Look sees all of the Request in one session, changing nothing. An answer that
// is cut off is ErrIncomplete; names that systemd could not have are refused
// before anything is sent.
func Look(ctx context.Context, r Runner, req Request) (State, error) {
	script, err := Script(req)
	if err != nil {
		return State{}, err
	}
	res, err := r.Run(ctx, Command, strings.NewReader(script))
	if err != nil {
		return State{}, fmt.Errorf("look at systemd: %w", err)
	}
	s, err := Parse(res.Stdout, req)
	if err != nil {
		return State{}, fmt.Errorf("look at systemd (%q exited %d%s): %w", Command, res.Exit, said(res.Stderr), err)
	}
	if err := complete(s, req); err != nil {
		return State{}, fmt.Errorf("look at systemd: %w", err)
	}
	return s, nil
}

func said(stderr []byte) string {
	text := printable(string(bytes.TrimSpace(stderr)))
	if text == "" {
		return ""
	}
	const enough = 300
	if len(text) > enough {
		text = "…" + text[len(text)-enough:]
	}
	return ", saying " + strconv.Quote(text)
}

// complete makes sure that nothing that was asked for is silently absent.
func complete(s State, req Request) error {
	var errs []error
	if s.BootID == "" {
		errs = append(errs, fmt.Errorf("%w: no boot id", ErrIncomplete))
	}
	for _, w := range wanted(req) {
		if !slices.ContainsFunc(s.Units, func(u release.Unit) bool { return u.User == w.user && u.Name == w.name }) {
			errs = append(errs, fmt.Errorf("%w: nothing about unit %s", ErrIncomplete, w.name))
		}
	}
	return errors.Join(errs...)
}

type unitName struct{ user, name string }

// wanted are the units of a Request in the order in which they are answered.
func wanted(req Request) []unitName {
	var out []unitName
	for _, u := range req.Units {
		out = append(out, unitName{name: u})
	}
	for _, user := range slices.Sorted(maps.Keys(req.UserUnits)) {
		for _, u := range req.UserUnits[user] {
			out = append(out, unitName{user: user, name: u})
		}
	}
	return out
}

// Script is the look's script for a Request. It begins with Marker and the
// Request; it is plain POSIX sh and reads nothing from its standard input.
func Script(req Request) (string, error) {
	if err := checkNames(req); err != nil {
		return "", err
	}
	text, err := json.Marshal(req)
	if err != nil {
		return "", fmt.Errorf("write the look's request as JSON: %w", err)
	}
	lines := req.JournalLines
	if lines <= 0 {
		lines = defaultJournalLines
	}
	var b strings.Builder
	b.WriteString(Marker + "\n" + RequestPrefix + string(text) + "\n")
	b.WriteString("properties=" + showProperties + " lines=" + strconv.Itoa(lines) + "\n")
	b.WriteString(library)
	b.WriteString("main() {\nmachine\nsystem_manager\n")
	for _, u := range req.Units {
		b.WriteString("wanted " + quote(u) + "\n")
	}
	b.WriteString("failed\nloaded\nrestarted\njobs\n")
	for _, user := range slices.Sorted(maps.Keys(req.UserUnits)) {
		b.WriteString("user_manager " + quote(user) + "\n")
		for _, u := range req.UserUnits[user] {
			b.WriteString("wanted " + quote(u) + "\n")
		}
		b.WriteString("failed\nloaded\n")
	}
	b.WriteString("host_keys\nnotes\n}\nmain </dev/null\n")
	return b.String(), nil
}

var (
	// See "unit names" in systemd.unit(5); a glob would show other units.
	unitNames = regexp.MustCompile(`^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$`) //nolint:gochecknoglobals // constant
	userNames = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)          //nolint:gochecknoglobals // constant
)

func checkNames(req Request) error {
	var errs []error
	for _, w := range wanted(req) {
		if !unitNames.MatchString(w.name) || len(w.name) > 255 {
			errs = append(errs, fmt.Errorf("%q is not a name that a systemd unit can have", w.name))
		}
	}
	for user := range req.UserUnits {
		if !userNames.MatchString(user) {
			errs = append(errs, fmt.Errorf("%q is not a name that a user can have", user))
		}
	}
	return errors.Join(errs...)
}

// quote makes one shell word of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
