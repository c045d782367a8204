package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/release"
)

// probeTimeout bounds one try of a check from outside; commandTimeout one of a
// command on the droplet.
const (
	probeTimeout   = 10 * time.Second
	commandTimeout = time.Minute
)

// probe is one check that is tried until it holds or the time is up.
type probe struct {
	name, want string
	// try says what was seen. Final means that trying again cannot help.
	try func(ctx context.Context) (got string, ok, final bool)
}

// probe tries the http, tcp and run checks; all that do not hold are in the
// evidence, not the first alone.
func (v *verification) probe(ctx context.Context) (bool, error) {
	held := true
	p := poll{clock: v.clock, deadline: v.deadline}
	var outside []release.Check // they follow those of the look, which may be replaced
	defer func() { v.evidence.Checks = append(v.evidence.Checks, outside...) }()
	for _, pr := range v.probes() {
		v.tell.Phase("%s", pr.name)
		got, ok, err := v.insist(ctx, &p, pr)
		if err != nil {
			return false, err
		}
		outside = append(outside, release.Check{Name: pr.name, OK: ok, Want: pr.want, Got: got})
		held = held && ok
	}
	return held, nil
}

// insist tries one check until it holds, cannot hold any more, or the time is up.
func (v *verification) insist(ctx context.Context, p *poll, pr probe) (got string, ok bool, err error) {
	for {
		got, ok, final := pr.try(ctx)
		if ctx.Err() != nil {
			return got, false, fmt.Errorf("%s: %w", pr.name, context.Cause(ctx))
		}
		if ok || final {
			return got, ok, nil
		}
		v.tell.Phase("%s: %s", pr.name, got)
		now, found := v.reconsider(ctx)
		if found == bad {
			v.evidence = now
			return got, false, nil
		}
		more, err := p.wait(ctx)
		if err != nil {
			return got, false, err
		}
		if !more {
			if found == wait {
				v.evidence = now
			}
			return got, false, nil
		}
	}
}

// reconsider looks at the droplet again while a check from outside does not hold:
// a unit that was active at first may have crashed since, and then it, not the
// check, is what a person has to read of. It returns the evidence as it would be.
func (v *verification) reconsider(ctx context.Context) (release.Evidence, verdict) {
	before := v.evidence
	s, err := v.look(ctx, v.request())
	if err != nil {
		return before, good // the check itself says more than that
	}
	found := v.judge(s, true)
	now := v.evidence
	v.evidence = before
	return now, found
}

func (v *verification) probes() []probe {
	var out []probe
	for _, h := range v.in.Verify.HTTP {
		out = append(out, v.httpProbe(h))
	}
	for _, port := range v.in.Verify.TCP {
		out = append(out, v.tcpProbe(port))
	}
	for _, command := range v.in.Verify.Run {
		out = append(out, v.runProbe(command))
	}
	return out
}

func (v *verification) httpProbe(h fleet.HTTPCheck) probe {
	status := h.Status
	if status == 0 {
		status = http.StatusOK
	}
	pr := probe{want: "status " + strconv.Itoa(status)}
	d := v.in.Droplet
	url, err := h.Expand(fleet.HTTPVars{IPv4: d.IPv4, PrivateIPv4: d.PrivateIPv4, Name: d.Name})
	if err != nil {
		pr.name = "http " + h.URL
		pr.try = func(context.Context) (string, bool, bool) { return err.Error(), false, true }
		return pr
	}
	pr.name = "http " + url
	pr.try = func(ctx context.Context) (string, bool, bool) {
		code, body, err := v.get(ctx, url)
		if err != nil {
			return err.Error(), false, false
		}
		got := "status " + strconv.Itoa(code)
		if code != status && body != "" {
			got += ": " + body
		}
		return got, code == status, false
	}
	return pr
}

// get does not follow redirects: their status is an answer to check, too.
func (v *verification) get(ctx context.Context, url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("no answer within %s", probeTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", url, err)
	}
	req.Header.Set("User-Agent", "snowdrop")
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return v.dialer.DialTCP(ctx, v.target, network, address)
			},
		},
	}
	res, err := client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return 0, "", fmt.Errorf("no answer: %w", err)
	}
	defer res.Body.Close()                                   //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // enough for an error page's first words
	if err != nil {
		return res.StatusCode, "", nil //nolint:nilerr // the status is what counts
	}
	return res.StatusCode, firstWords(string(text)), nil
}

func (v *verification) tcpProbe(port int) probe {
	number := strconv.Itoa(port)
	return probe{name: "tcp " + number, want: "open", try: func(ctx context.Context) (string, bool, bool) {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		conn, err := v.dialer.DialTCP(ctx, v.target, "tcp", net.JoinHostPort(v.target.Address, number))
		if err != nil {
			return err.Error(), false, false
		}
		_ = conn.Close() //nolint:errcheck // it was open
		return "open", true, false
	}}
}

func (v *verification) runProbe(command string) probe {
	return probe{name: "run " + command, want: "exit 0", try: func(ctx context.Context) (string, bool, bool) {
		ctx, cancel := context.WithTimeoutCause(ctx, commandTimeout, fmt.Errorf("not done within %s", commandTimeout))
		defer cancel()
		conn, err := v.dialer.Dial(ctx, v.target)
		if err != nil {
			return err.Error(), false, v.final(err)
		}
		defer conn.Close() //nolint:errcheck // its end is known
		res, err := conn.Run(ctx, command, nil)
		if err != nil {
			return errors.Unwrap(err).Error(), false, false
		}
		got := "exit " + strconv.Itoa(res.Exit)
		if tail := lastWords(string(res.Stdout) + "\n" + string(res.Stderr)); tail != "" {
			got += ": " + tail
		}
		return got, res.Exit == 0, false
	}}
}

const enough = 200

func firstWords(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return text
}

func lastWords(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > enough {
		text = "…" + strings.ToValidUTF8(text[len(text)-enough:], "")
	}
	return text
}
