package workflow

import (
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/sethvargo/go-githubactions"
)

// Commands writes the log of a step, and the commands in it that the runner acts
// on. Text from outside cannot become a command. It is safe for concurrent use;
// what cannot be written is lost.
type Commands struct {
	mu     sync.Mutex
	out    *neverFails
	action *githubactions.Action
	// token makes a word that nobody can guess.
	token func() string
}

// NewCommands writes to out; token makes a new random word at each call.
func NewCommands(out io.Writer, token func() string) *Commands {
	quiet := &neverFails{out} // the toolkit panics where the log cannot be written
	return &Commands{out: quiet, action: githubactions.New(githubactions.WithWriter(quiet)), token: token}
}

type neverFails struct{ to io.Writer }

func (w *neverFails) Write(p []byte) (int, error) {
	_, _ = w.to.Write(p)
	return len(p), nil
}

// Close ends the log: what is written afterwards, by a report that was still under
// way when the run's time was up, is dropped.
func (c *Commands) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.to = io.Discard
}

// Write writes text of our own, of whole lines: words from outside that stand in
// it cannot be commands.
func (c *Commands) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.out, neutral(string(p)))
	return len(p), nil
}

// The runner takes "::name::" at the beginning of a line, space before it left aside,
// and the older "##[name]" anywhere in it (actions/runner,
// src/Runner.Common/ActionCommand.cs). Space and lines are .NET's: all space of
// Unicode counts, and a line ends at a carriage return, too.
var newCommand = regexp.MustCompile(`(^|[\n\r])([\s\v\x{85}\p{Z}]*):(:)`) //nolint:gochecknoglobals // a constant

// neutral breaks what the runner would take for a command by a space of no width.
func neutral(text string) string {
	if !strings.Contains(text, "::") && !strings.Contains(text, "##[") {
		return text
	}
	return strings.ReplaceAll(newCommand.ReplaceAllString(text, "$1$2:\u200b$3"), "##[", "##\u200b[")
}

// Group writes lines from outside, as they are, below a title that can be opened
// and closed. The runner takes no commands from them.
func (c *Commands) Group(title string, lines []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.action.Group(neutral(title))
	token := c.token()
	c.action.IssueCommand(&githubactions.Command{Name: "stop-commands", Message: token})
	_, _ = io.WriteString(c.out, strings.Join(lines, "\n")+"\n")
	c.action.IssueCommand(&githubactions.Command{Name: token})
	c.action.EndGroup()
}

// Place is where an annotation stands: a file, seen from the repository's root, and
// a line and column in it, counted from 1. The zero Place is none.
type Place struct {
	File         string
	Line, Column int
}

// Error writes an annotation of the run; GitHub shows ten of a step.
func (c *Commands) Error(at Place, title, message string) { c.annotate("error", at, title, message) }

// Warning is Error for what stops nothing.
func (c *Commands) Warning(title, message string) { c.annotate("warning", Place{}, title, message) }

func (c *Commands) annotate(level string, at Place, title, message string) {
	properties := githubactions.CommandProperties{}
	if title != "" {
		properties["title"] = title
	}
	if at.File != "" {
		properties["file"] = at.File
		if at.Line > 0 {
			properties["line"] = strconv.Itoa(at.Line)
		}
		if at.Column > 0 {
			properties["col"] = strconv.Itoa(at.Column)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.action.IssueCommand(&githubactions.Command{Name: level, Message: message, Properties: properties})
}

// leastMask is the length from which on a line of a secret is masked by itself: a
// shorter one would blot out ordinary words.
const leastMask = 8

// Mask has the runner take a secret out of the log, and each line of one of several
// lines, since that is how a program may print it.
func (c *Commands) Mask(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	secret = strings.TrimSpace(secret)
	if secret == "" {
		return
	}
	lines := strings.Split(secret, "\n")
	if len(lines) == 1 {
		c.action.AddMask(secret)
		return
	}
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(line) >= leastMask && !strings.HasPrefix(line, "-----") {
			c.action.AddMask(line)
		}
	}
}
