package nix

import (
	"encoding/json"
	"regexp"
	"strings"
)

var colour = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// A message is one line of nix's --log-format internal-json. The format is not
// documented; it is what src/libutil/logging.cc writes. Fields that a version
// does not know are left out, so everything is optional here.
type message struct {
	Action string            `json:"action"` // start, stop, result, msg
	ID     uint64            `json:"id"`
	Type   int               `json:"type"` // of an activity or of a result
	Level  int               `json:"level"`
	Text   string            `json:"text"`
	Fields []json.RawMessage `json:"fields"`

	Msg    string          `json:"msg"`
	RawMsg string          `json:"raw_msg"`
	File   json.RawMessage `json:"file"`
	Line   json.RawMessage `json:"line"`
	Column json.RawMessage `json:"column"`
}

// The types of activities and of results that are of use here (logging.hh).
const (
	actCopyPath  = 100
	actRealise   = 102
	actCopyPaths = 103
	actBuilds    = 104
	actBuild     = 105

	resBuildLogLine     = 101
	resSetPhase         = 104
	resProgress         = 105
	resSetExpected      = 106
	resPostBuildLogLine = 107

	levelError   = 0
	levelWarning = 1
)

// parseMessage reads one line; ok is false for a line that is not of the format.
func parseMessage(line string) (m message, ok bool) {
	body, found := strings.CutPrefix(line, "@nix ")
	if !found {
		return message{}, false
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Action == "" {
		return message{}, false
	}
	return m, true
}

// number is field i, or 0 where it is missing or something else.
func (m message) number(i int) int64 {
	var n int64
	if i < len(m.Fields) {
		_ = json.Unmarshal(m.Fields[i], &n)
	}
	return n
}

// string is field i, or "" where it is missing or something else.
func (m message) string(i int) string {
	if i >= len(m.Fields) {
		return ""
	}
	return rawString(m.Fields[i])
}

// position is where the message says that the fault lies; File is empty where
// it does not say.
func (m message) position() position {
	p := position{File: rawString(m.File)}
	_ = json.Unmarshal(m.Line, &p.Line)
	_ = json.Unmarshal(m.Column, &p.Column)
	// Nix 2.26 writes the place into the file's name too.
	if at, ok := parsePosition(p.File); ok {
		p.File = at.File
	}
	if p.Line == 0 {
		return position{}
	}
	return p
}

func rawString(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// plain is s without the escape sequences for colours.
func plain(s string) string {
	return colour.ReplaceAllString(s, "")
}
