package nix

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Lock is what a flake.lock says.
type Lock struct {
	// Inputs are the flake's own inputs by name.
	Inputs map[string]Locked
	// nodes are all that are locked, those of inputs too, by their names in the file.
	nodes map[string]Locked
	own   map[string]bool
}

// Locked is an input at a revision.
type Locked struct {
	// Source is where it is from, as a flake reference without a revision.
	Source string
	// Revision is git's; empty for what is not from git.
	Revision string
	// Modified is its commit's time.
	Modified time.Time
	// Hash is its content's.
	Hash string
	// Page is where its commits are to be seen; empty where that is not known.
	Page string
}

// lockNode is a node of the file. What an input is, is its node's name, or the path to
// the input that it follows.
type lockNode struct {
	Inputs map[string]json.RawMessage `json:"inputs"`
	Locked *struct {
		Type, Owner, Repo, URL, Path, ID, Host, Rev, NarHash string
		LastModified                                         int64
	} `json:"locked"`
}

// ParseLock reads a flake.lock. One that is empty, as where there is no such file yet,
// locks nothing.
func ParseLock(data []byte) (Lock, error) {
	lock := Lock{Inputs: map[string]Locked{}, nodes: map[string]Locked{}, own: map[string]bool{}}
	if len(data) == 0 {
		return lock, nil
	}
	var file struct {
		Root  string
		Nodes map[string]lockNode
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Lock{}, fmt.Errorf("read flake.lock: %w", err)
	}
	for name, node := range file.Nodes {
		if node.Locked != nil {
			lock.nodes[name] = node.locked()
		}
	}
	for input, raw := range file.Nodes[file.Root].Inputs {
		var node string
		if json.Unmarshal(raw, &node) != nil {
			lock.Inputs[input] = Locked{} // it follows another input, which is listed
			continue
		}
		lock.Inputs[input] = lock.nodes[node]
		lock.own[node] = true
	}
	return lock, nil
}

func (n lockNode) locked() Locked {
	l := n.Locked
	out := Locked{Revision: l.Rev, Hash: l.NarHash}
	if l.LastModified != 0 {
		out.Modified = time.Unix(l.LastModified, 0).UTC()
	}
	switch l.Type {
	case "github", "gitlab", "sourcehut":
		out.Source = l.Type + ":" + l.Owner + "/" + l.Repo
		if l.Type == "github" && l.Host == "" {
			out.Page = "https://github.com/" + l.Owner + "/" + l.Repo
		}
	case "indirect":
		out.Source = l.ID
	case "path":
		out.Source = "path:" + l.Path
	case "git":
		out.Source = "git+" + l.URL
	default:
		out.Source = l.URL
	}
	return out
}

// Missing are the inputs of names that the flake does not have. Of "a/b", which is
// the input b of the input a, it is a that the flake has.
func (l Lock) Missing(names []string) []string {
	var missing []string
	for _, name := range names {
		own, _, _ := strings.Cut(name, "/")
		if _, ok := l.Inputs[own]; !ok {
			missing = append(missing, name)
		}
	}
	return missing
}

// Names are the flake's own inputs, sorted.
func (l Lock) Names() []string { return slices.Sorted(maps.Keys(l.Inputs)) }

// Moved is an input that one lock file has otherwise than another.
type Moved struct {
	Input string
	// From is empty for a new input, To for one that is gone.
	From, To Locked
}

// Since are the flake's own inputs that moved since a former lock file, in the order
// of their names, and how many inputs of inputs did.
func (l Lock) Since(former Lock) (own []Moved, others int) {
	names := maps.Clone(l.Inputs)
	maps.Copy(names, former.Inputs)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if moved := (Moved{Input: name, From: former.Inputs[name], To: l.Inputs[name]}); moved.From != moved.To {
			own = append(own, moved)
		}
	}
	for name, node := range l.nodes {
		if !l.own[name] && former.nodes[name] != node {
			others++
		}
	}
	return own, others
}

// String is "nixpkgs: abc1234 (2026-11-01) → def5678 (2026-11-20)".
func (m Moved) String() string {
	switch {
	case m.From == Locked{}:
		return m.Input + ": new, " + m.To.words()
	case m.To == Locked{}:
		return m.Input + ": gone, was " + m.From.words()
	}
	from := m.From.words()
	if m.From.Source != m.To.Source {
		return fmt.Sprintf("%s: %s %s → %s %s", m.Input, m.From.Source, from, m.To.Source, m.To.words())
	}
	return fmt.Sprintf("%s: %s → %s", m.Input, from, m.To.words())
}

// Page is where what lies between is to be seen; empty where that is not known.
func (m Moved) Page() string {
	if m.To.Page == "" || m.From.Page != m.To.Page || m.From.Revision == "" || m.To.Revision == "" {
		return ""
	}
	return m.To.Page + "/compare/" + m.From.Revision + "..." + m.To.Revision
}

func (l Locked) words() string {
	text := l.Revision[:min(7, len(l.Revision))]
	if text == "" {
		text = l.Hash
	}
	if !l.Modified.IsZero() {
		text += " (" + l.Modified.Format(time.DateOnly) + ")"
	}
	return text
}
