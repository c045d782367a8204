package action_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action"
	"github.com/versatus/snowdrop/internal/action/workflow"
)

// metadata is action.yml.
type metadata struct {
	Name, Description string
	Branding          struct{ Icon, Color string }
	Inputs            map[string]struct {
		Description string
		Required    *bool
		Default     *string
	}
	Outputs map[string]struct{ Description string }
	Runs    struct {
		Using, Image string
		Args         []string
	}
}

func readMetadata(t *testing.T) metadata {
	t.Helper()
	var m metadata
	if err := yaml.Unmarshal([]byte(read(t, "../../action.yml")), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// inputsRead are the inputs that the code asks the runner for, sorted.
func inputsRead(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	asked := func(variable string) string {
		if name, ok := strings.CutPrefix(variable, "INPUT_"); ok {
			names[strings.ToLower(name)] = true
		}
		return ""
	}
	if _, err := workflow.ReadInputs(asked, nil); err != nil {
		t.Fatal(err)
	}
	workflow.Environment(asked)
	return slices.Sorted(maps.Keys(names))
}

func TestTheActionsFileNamesWhatTheCodeReadsAndWrites(t *testing.T) {
	t.Parallel()
	m := readMetadata(t)
	if diff := cmp.Diff(inputsRead(t), slices.Sorted(maps.Keys(m.Inputs))); diff != "" {
		t.Errorf("inputs: code (-), action.yml (+):\n%s", diff)
	}
	if diff := cmp.Diff(action.OutputNames(), slices.Sorted(maps.Keys(m.Outputs))); diff != "" {
		t.Errorf("outputs: code (-), action.yml (+):\n%s", diff)
	}
	given := map[string]string{}
	for name, input := range m.Inputs {
		if input.Description == "" || input.Required == nil {
			t.Errorf("input %s lacks a description, or whether it is required", name)
		}
		if input.Default != nil && !strings.Contains(*input.Default, "${{") {
			given["INPUT_"+strings.ToUpper(name)] = *input.Default
		}
	}
	none, err := workflow.ReadInputs(func(string) string { return "" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := workflow.ReadInputs(func(name string) string { return given[name] }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(none, defaults); diff != "" {
		t.Errorf("defaults: code (-), action.yml (+):\n%s", diff)
	}
	if m.Runs.Using != "docker" || !slices.Equal(m.Runs.Args, []string{"action"}) {
		t.Errorf("it runs %+v", m.Runs)
	}
}

func TestTheDocumentationNamesEveryInputAndOutput(t *testing.T) {
	t.Parallel()
	m := readMetadata(t)
	text := read(t, "../../docs/action.md")
	for heading, want := range map[string][]string{
		"Inputs":  slices.Sorted(maps.Keys(m.Inputs)),
		"Outputs": slices.Sorted(maps.Keys(m.Outputs)),
	} {
		_, section, _ := strings.Cut(text, "\n## "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		var got []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(section, -1) {
			got = append(got, row[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: action.yml (-), docs/action.md (+):\n%s", heading, diff)
		}
	}
	for name, input := range m.Inputs {
		if input.Default == nil || strings.Contains(*input.Default, "${{") {
			continue
		}
		if !strings.Contains(text, "| `"+name+"` | `"+*input.Default+"` |") {
			t.Errorf("docs/action.md gives another default of %s than %q", name, *input.Default)
		}
	}
	for _, verb := range workflow.Verbs() {
		if !strings.Contains(m.Inputs["command"].Description, verb) {
			t.Errorf("action.yml does not name the command %s", verb)
		}
	}
}
