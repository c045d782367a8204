package systemd

import (
	"encoding/json"
	"strings"
)

// ClaimFile is where a system says which release it is; the NixOS module writes it.
const ClaimFile = "/etc/snowdrop/release.json"

// Claim is what a system says of itself. It is no proof: whoever makes a system can
// write into it what they like.
type Claim struct {
	// Server is the server that it was made for.
	Server string `json:"server,omitempty"`
	// Flake is where its configuration is.
	Flake string `json:"flake,omitempty"`
	// Revision is the configuration's commit; empty where the system was not told, as
	// it is by default.
	Revision string `json:"revision,omitempty"`
}

// line is the Claim as it stands in an answer.
func (c *Claim) line() string {
	text, err := json.Marshal(c)
	if err != nil { // three texts can be marshalled
		return "{}"
	}
	return string(text)
}

// claimed reads the file's lines. A file that is none of ours, and one that says
// nothing, are no Claim.
func (s *State) claimed(body []string) {
	var c Claim
	if err := json.Unmarshal([]byte(strings.Join(body, "\n")), &c); err != nil {
		s.Notes = append(s.Notes, ClaimFile+" cannot be read: "+printable(err.Error()))
		return
	}
	for _, text := range []*string{&c.Server, &c.Flake, &c.Revision} {
		*text = word(*text)
	}
	if c != (Claim{}) {
		s.Claim = &c
	}
}

// word is a text of a machine, as far as it may stand in a report's line.
func word(text string) string {
	const enough = 200
	text = printable(text)
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return text
}
