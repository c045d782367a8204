package fleet

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// HTTPVars are the values that a check's URL may speak of.
type HTTPVars struct{ IPv4, PrivateIPv4, Name string }

// Expand puts a droplet's values into the URL: {{.IPv4}}, {{.PrivateIPv4}} and
// {{.Name}}. It is an error if another value is named, if one that is named is
// empty, or if what comes out is no http or https URL.
func (c HTTPCheck) Expand(vars HTTPVars) (string, error) {
	expanded, err := c.expand(vars)
	if err != nil {
		return "", fmt.Errorf("expand the URL %q: %w", c.URL, err)
	}
	return expanded, nil
}

// expand is no text/template: a closed set of values needs neither functions
// nor loops, and can say what was meant.
func (c HTTPCheck) expand(vars HTTPVars) (string, error) {
	known := map[string]string{
		"{{.IPv4}}": vars.IPv4, "{{.PrivateIPv4}}": vars.PrivateIPv4, "{{.Name}}": vars.Name,
	}
	var b strings.Builder
	for rest := c.URL; rest != ""; {
		before, behind, found := strings.Cut(rest, "{{")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(behind, "}}")
		if !closed {
			return "", &valueError{"{{ is not closed", "write }} behind it"}
		}
		name = "{{" + strings.TrimSpace(name) + "}}"
		value, ok := known[name]
		switch {
		case !ok:
			hint := didYouMean(name, sortedKeys(known))
			if hint == "" {
				hint = "there are " + strings.Join(sortedKeys(known), ", ")
			}
			return "", &valueError{name + " is not known", hint}
		case value == "":
			return "", &valueError{"the droplet has no value for " + name, ""}
		}
		b.WriteString(value)
		rest = after
	}
	return b.String(), checkURL(b.String())
}

func checkURL(expanded string) error {
	u, err := url.Parse(expanded)
	switch {
	case err != nil:
		return &valueError{"it is not a URL", "write it like http://{{.IPv4}}:8080/healthz"}
	case u.Scheme != "http" && u.Scheme != "https":
		return &valueError{"it is not an http or https URL", "begin with http:// or https://"}
	case u.Hostname() == "":
		return &valueError{"it has no host", "write http://{{.IPv4}}/"}
	default:
		return nil
	}
}

func (s *source) urlTemplate(n *node, check HTTPCheck) {
	_, err := check.expand(HTTPVars{IPv4: "203.0.113.1", PrivateIPv4: "10.0.0.1", Name: "web-1"})
	var fault *valueError
	if errors.As(err, &fault) {
		s.fault(n, fault.hint, "%q cannot be a check's URL: %s", check.URL, fault.message)
	}
}
