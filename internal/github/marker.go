package github

import (
	"cmp"
	"encoding/json"
	"strings"
)

// The first line of a comment of ours is an HTML comment, which is not shown. It
// says in JSON what the comment is about and which run wrote it.
const (
	markerStart = "<!-- snowdrop "
	markerEnd   = " -->"
)

type marker struct {
	Kind     string `json:"kind"`
	Run      int64  `json:"run"`
	Attempt  int    `json:"attempt"`
	Revision string `json:"revision,omitempty"`
	// Folded is set where another comment of ours counts instead of this one.
	Folded bool `json:"folded,omitempty"`
}

// line is the marker as it stands in a comment. JSON as Go writes it has no '>'
// in it (it is written \u003e) and no line break, so no content can end the HTML
// comment.
func (m marker) line() (string, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return "", err //nolint:wrapcheck // strings and numbers: it does not happen
	}
	return markerStart + string(data) + markerEnd, nil
}

// markerOf reads the first line of a comment, where alone a marker counts: what
// a person quotes stands further down or behind "> ".
func markerOf(body string) (marker, bool) {
	line, _, _ := strings.Cut(body, "\n")
	data, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), markerStart)
	if !ok {
		return marker{}, false
	}
	data, ok = strings.CutSuffix(data, markerEnd)
	var m marker
	if !ok || json.Unmarshal([]byte(data), &m) != nil {
		return marker{}, false
	}
	return m, true
}

// compare tells which run is the newer one: GitHub counts runs up, and the
// attempts of each.
func (m marker) compare(other marker) int {
	return cmp.Or(cmp.Compare(m.Run, other.Run), cmp.Compare(m.Attempt, other.Attempt))
}
