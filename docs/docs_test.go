// Package docs_test keeps the documentation equal to the program.
package docs_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/cli"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // a file of this repository
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// schema is what the test needs of a JSON Schema.
type schema struct {
	Ref        string             `json:"$ref"`
	Defs       map[string]*schema `json:"$defs"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	// Additional is a schema or false.
	Additional json.RawMessage `json:"additionalProperties"`
}

// keys are the dotted paths of all keys: those of a server without a prefix, as
// they may stand under servers and under defaults.
func (s *schema) keys(t *testing.T, root *schema, prefix string) []string {
	t.Helper()
	if s.Ref != "" {
		s = root.Defs[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	var out []string
	for _, one := range s.AnyOf {
		out = append(out, one.keys(t, root, prefix)...)
	}
	for name, sub := range s.Properties {
		key := prefix + name
		out = append(out, key)
		switch key {
		case "defaults": // the same as a server's
		case "servers":
			out = append(out, sub.additional(t).keys(t, root, "")...)
		case "cycles":
			out = append(out, sub.additional(t).keys(t, root, "cycles.<name>.")...)
		default:
			out = append(out, sub.keys(t, root, key+".")...)
		}
	}
	if s.Items != nil {
		out = append(out, s.Items.keys(t, root, strings.TrimSuffix(prefix, ".")+"[].")...)
	}
	return out
}

func (s *schema) additional(t *testing.T) *schema {
	t.Helper()
	var sub schema
	if err := json.Unmarshal(s.Additional, &sub); err != nil {
		t.Fatal(err)
	}
	return &sub
}

func schemaKeys(t *testing.T) []string {
	t.Helper()
	data, err := fleet.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	keys := root.keys(t, &root, "")
	slices.Sort(keys)
	return slices.Compact(keys)
}

func TestEveryKeyOfTheFleetFileIsDocumented(t *testing.T) {
	t.Parallel()
	keys := schemaKeys(t)
	if len(keys) < 50 {
		t.Fatalf("only %d keys were found in the schema: %v", len(keys), keys)
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	var rows []string
	for _, m := range row.FindAllStringSubmatch(read(t, "fleet-file.md"), -1) {
		rows = append(rows, m[1])
	}
	for _, key := range keys {
		if !slices.Contains(rows, key) {
			t.Errorf("fleet-file.md has no row for the key %s", key)
		}
	}
	for _, key := range rows {
		if !slices.Contains(keys, key) {
			t.Errorf("fleet-file.md has a row for %s, which is no key", key)
		}
	}
}

// help is what a command says of itself, and its flags.
func help(t *testing.T, command ...string) string {
	t.Helper()
	var out bytes.Buffer
	none := func(string) string { return "" }
	args := append(slices.Clone(command), "--help")
	if code := cli.Run(t.Context(), args, cli.IO{In: &bytes.Buffer{}, Out: &out, Err: &out, Getenv: none}); code != deploy.ExitDone {
		t.Fatalf("snowdrop %v exits %d: %s", args, code, out.String())
	}
	return out.String()
}

func commands(t *testing.T) []string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^  ([a-z][a-z-]+) +[A-Z]`)
	usage, _, _ := strings.Cut(help(t), "\nFlags:")
	var names []string
	for _, m := range line.FindAllStringSubmatch(usage, -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Fatalf("only these commands were found: %v", names)
	}
	return names
}

// subcommands are those that a command's help names.
func subcommands(help string) []string {
	_, list, ok := strings.Cut(help, "\nAvailable Commands:\n")
	if !ok {
		return nil
	}
	list, _, _ = strings.Cut(list, "\n\n")
	var names []string
	for _, line := range strings.Split(list, "\n") {
		if words := strings.Fields(line); len(words) > 0 {
			names = append(names, words[0])
		}
	}
	return names
}

func TestEveryCommandAndFlagIsDocumented(t *testing.T) {
	t.Parallel()
	text := read(t, "commands.md")
	sections := regexp.MustCompile("(?m)^### `snowdrop ([a-z-]+)[^`]*`$").FindAllStringSubmatchIndex(text, -1)
	section := map[string]string{}
	for _, at := range sections {
		body := text[at[1]:]
		if end := regexp.MustCompile(`(?m)^##`).FindStringIndex(body); end != nil {
			body = body[:end[0]]
		}
		section[text[at[2]:at[3]]] = body
	}
	common, _, _ := strings.Cut(text, "\n## Deploy")
	flag := regexp.MustCompile(`(?m)^\s+(?:-\w, )?(--[a-z-]+)`)
	names := commands(t)
	for _, name := range names {
		if name == "help" {
			continue
		}
		body, ok := section[name]
		if !ok {
			t.Errorf("commands.md has no section for %s", name)
			continue
		}
		own, global, _ := strings.Cut(help(t, name), "\nGlobal Flags:")
		for _, below := range subcommands(own) {
			flags, _, _ := strings.Cut(help(t, name, below), "\nGlobal Flags:")
			own += flags
			if !strings.Contains(body, "`"+name+" "+below) && name != "completion" {
				t.Errorf("commands.md: the section of %s does not name %s %s", name, name, below)
			}
		}
		for _, m := range flag.FindAllStringSubmatch(own, -1) {
			if m[1] != "--help" && !strings.Contains(body, "`"+m[1]+"`") {
				t.Errorf("commands.md: %s has the flag %s, which its section does not name", name, m[1])
			}
		}
		for _, m := range flag.FindAllStringSubmatch(global, -1) {
			if !strings.Contains(common, "`"+m[1]+"`") {
				t.Errorf("commands.md does not name the flag %s of all commands", m[1])
			}
		}
		for _, m := range regexp.MustCompile("`(--[a-z-]+)`").FindAllStringSubmatch(body, -1) {
			if !strings.Contains(own+global, m[1]) && name != "completion" {
				t.Errorf("commands.md: the section of %s names %s, which is no flag of it", name, m[1])
			}
		}
	}
	for name := range section {
		if !slices.Contains(names, name) {
			t.Errorf("commands.md has a section for %s, which is no command", name)
		}
	}
}

func TestEveryFaultOfTheLabIsDocumented(t *testing.T) {
	t.Parallel()
	text := read(t, "lab.md")
	for _, f := range lab.Faults() {
		if !strings.Contains(text, "| `"+string(f.Kind)+"` |") {
			t.Errorf("lab.md has no row for the fault %s", f.Kind)
		}
	}
}

// pages are all Markdown files that people are meant to read.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../*.md", "*.md", "../examples/*/*.md", "../e2e/*.md", "../bench/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	if len(out) < 10 {
		t.Fatalf("only these pages were found: %v", out)
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)      //nolint:gochecknoglobals // a constant
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)   //nolint:gochecknoglobals // a constant
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```") //nolint:gochecknoglobals // a constant
)

// anchors are the fragments that GitHub gives the headings of a page.
func anchors(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				b.WriteRune(r)
			case r == ' ':
				b.WriteByte('-')
			}
		}
		out = append(out, b.String())
	}
	return out
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, fragment, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			at, err := os.Stat(target)
			switch {
			case err != nil:
				t.Errorf("%s links to %s, which is not there", page, m[1])
			case fragment != "" && at.Mode()&fs.ModeDir == 0 && !slices.Contains(anchors(read(t, target)), fragment):
				t.Errorf("%s links to %s: there is no such heading", page, m[1])
			}
		}
	}
}

func TestEveryFleetFileThatIsShownLoads(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	seen := 0
	for _, page := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(m[1], "space:") || !strings.Contains(m[1], "servers:") {
				continue // a part of one
			}
			seen++
			if _, err := fleet.Parse(page, []byte(m[1])); err != nil {
				t.Error(err)
			}
		}
	}
	if seen < 2 {
		t.Errorf("only %d fleet files were found", seen)
	}
}
