package fleet

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/crypto/ssh"
)

// The enumerations, here for the checks and for the schema.
func deliveries() []string { return []string{string(Presigned), string(PublicRead)} }
func policies() []string   { return []string{string(Rotate), string(Strict), string(AcceptNew)} }
func reactions() []string  { return []string{string(Stop), string(Rollback)} }
func providers() []string  { return []string{string(DigitalOcean), string(SSHHosts)} }
func updateWays() []string { return []string{string(ViaPullRequest), string(ViaBranch)} }
func addresses() []string  { return []string{"public", "private"} }

// The patterns, here for the checks and for the schema.
const (
	namePattern    = `^[a-z0-9][a-z0-9_-]*$`
	bucketPattern  = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`
	regionPattern  = `^[a-z0-9][a-z0-9-]*$`
	tagPattern     = `^[A-Za-z0-9:_-]{1,255}$`
	dropletPattern = `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
	urlPattern     = `^https?://[^\s/?#]+([/?#]\S*)?$`
	hostPattern    = `^[A-Za-z0-9._:%-]+$`
	refPattern     = `^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`
	inputPattern   = `^[a-zA-Z][a-zA-Z0-9_/-]*$`
	envPattern     = `^[A-Za-z_][A-Za-z0-9_]*$`
	modePattern    = `^[0-7]{3,4}$`
	userPattern    = `^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$`
	unitPattern    = `^[A-Za-z0-9:_.\\@-]+\.(` + unitTypes + `)$`
	globPattern    = `^[A-Za-z0-9:_.\\@*?\[\]^!-]+$`
	unitTypes      = `service|socket|timer|mount|automount|path|target|swap|slice|scope|device`
)

// The compiled patterns are constants in all but name.
//
//nolint:gochecknoglobals // regexps cannot be constants
var (
	validName    = regexp.MustCompile(namePattern)
	validBucket  = regexp.MustCompile(bucketPattern)
	validRegion  = regexp.MustCompile(regionPattern)
	validTag     = regexp.MustCompile(tagPattern)
	validDroplet = regexp.MustCompile(dropletPattern)
	validURL     = regexp.MustCompile(urlPattern)
	validHost    = regexp.MustCompile(hostPattern)
	validRef     = regexp.MustCompile(refPattern)
	validInput   = regexp.MustCompile(inputPattern)
	validEnv     = regexp.MustCompile(envPattern)
	validMode    = regexp.MustCompile(modePattern)
	validUser    = regexp.MustCompile(userPattern)
	validUnit    = regexp.MustCompile(unitPattern)
	validGlob    = regexp.MustCompile(globPattern)
)

// matches reports a string that does not match. The node may be nil.
func (s *source) matches(n *node, want *regexp.Regexp, hint string) {
	if n != nil && !n.bad && !want.MatchString(n.text) {
		s.fault(n, hint, "%s cannot be %q", n.path, n.text)
	}
}

func (s *source) oneOf(n *node, allowed []string) {
	if n == nil || slices.Contains(allowed, n.text) {
		return
	}
	s.fault(n, didYouMean(n.text, allowed), "%s must be %s, not %q", n.path, quoteList(allowed), n.text)
}

func (s *source) atLeast(n *node, value, least int) {
	if n != nil && value < least {
		s.fault(n, "", "%s must be %d or more, not %d", n.path, least, value)
	}
}

func (s *source) positive(n *node, d Duration) {
	if n != nil && d <= 0 {
		s.fault(n, "", "%s must be longer than nothing", n.path)
	}
}

func (s *source) port(n *node, port int) {
	if n != nil && (port < 1 || port > 65535) {
		s.fault(n, "", "%d is not a port: they go from 1 to 65535", port)
	}
}

func (s *source) user(n *node) {
	if n != nil && !n.bad && !validUser.MatchString(n.text) {
		s.fault(n, "", "%q cannot be the name of a user or a group", n.text)
	}
}

func (s *source) units(n *node, globs bool) {
	if n == nil || n.bad {
		return
	}
	for _, item := range n.items {
		switch {
		case item.bad, validUnit.MatchString(item.text):
		case globs && strings.ContainsAny(item.text, "*?[") && validGlob.MatchString(item.text):
		case validGlob.MatchString(item.text) && !strings.ContainsAny(item.text, "*?["):
			s.fault(item, unitHint(item.text), "%q is not a unit's name: it does not end in a type such as .service", item.text)
		default:
			s.fault(item, "", "%q is not a unit's name", item.text)
		}
	}
}

// unitHint completes "nginx" and mends "nginx.servcie".
func unitHint(unit string) string {
	if i := strings.LastIndex(unit, "."); i > 0 {
		if t := nearest(unit[i+1:], strings.Split(unitTypes, "|")); t != "" {
			return `did you mean "` + unit[:i+1] + t + `"?`
		}
	}
	return `did you mean "` + unit + `.service"?`
}

func (s *source) publicKeys(n *node, keys []string) {
	if n == nil || n.bad {
		return
	}
	for i, key := range keys {
		if hint, err := checkPublicKey(key); err != nil {
			s.fault(n.item(i), hint, "%s is not a public key: %s", n.item(i).path, err)
		}
	}
}

// checkPublicKey says what is wrong with a key in authorized_keys form.
func checkPublicKey(key string) (hint string, err error) {
	if strings.Contains(key, "PRIVATE KEY") {
		return "take it out of the file, replace it on its host, and write the .pub file's line",
			errors.New("it is a private one")
	}
	_, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(key))
	const form = "write it as in the .pub file: ssh-ed25519 AAAA…"
	switch {
	case err != nil:
		return form, errors.New("nothing in it can be read as one")
	case len(options) > 0:
		return "write only the key's type and the key", fmt.Errorf("%q stands before it", strings.Join(options, ","))
	case strings.TrimSpace(string(rest)) != "":
		return "write one key an item", errors.New("there is more than one line")
	default:
		return "", nil
	}
}

// checkCron says what is wrong with a cron expression.
func checkCron(spec string) error {
	// robfig/cron panics on a time zone without fields behind it (robfig/cron#552).
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		if !strings.Contains(spec, " ") {
			return errors.New("there is nothing behind the time zone")
		}
	}
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	// Next gives up after five years: 31 February never comes.
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return errors.New("that day never comes")
	}
	return nil
}
