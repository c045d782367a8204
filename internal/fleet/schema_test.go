package fleet

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

const committed = "../../snowdrop.schema.json"

func TestSchemaDescribesKeysInTheWordsOfTheDocComments(t *testing.T) {
	t.Parallel()
	var reflector jsonschema.Reflector
	if err := reflector.AddGoComments("fleet", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Fleet](), reflect.TypeFor[Space](), reflect.TypeFor[Nix](), reflect.TypeFor[Server](),
		reflect.TypeFor[Droplets](), reflect.TypeFor[SSH](), reflect.TypeFor[Jump](), reflect.TypeFor[File](),
		reflect.TypeFor[Source](), reflect.TypeFor[Rollout](), reflect.TypeFor[Verify](), reflect.TypeFor[HTTPCheck](),
		reflect.TypeFor[Cycle](), reflect.TypeFor[Preview](),
	} {
		keys := []string{typ.Name()}
		for key, i := range fieldsOf(typ) {
			keys = append(keys, typ.Name()+"."+typ.Field(i).Name)
			if typ.Field(i).Tag.Get("json") == "" {
				t.Errorf("%s.%s has no json tag", typ.Name(), key)
			}
		}
		for _, key := range keys {
			text := reflector.CommentMap["fleet."+key]
			if text == "" {
				t.Errorf("%s has no doc comment", key)
			}
			want[key] = strings.Join(strings.Fields(text), " ")
		}
	}
	var got map[string]string
	if *update {
		data, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "comments.json", string(data)+"\n")
		return
	}
	if err := json.Unmarshal(comments, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comments.json is old: run go generate ./internal/fleet twice (-want +got):\n%s", diff)
	}
}

func TestSchemaThatIsCommittedIsTheOneOfTheTypes(t *testing.T) {
	t.Parallel()
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, committed, string(schema))
}

// validate holds a fleet file against the schema.
func validate(t *testing.T, file string) error {
	t.Helper()
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := validator.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := validator.NewCompiler()
	if err := compiler.AddResource(schemaID, document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file) // #nosec G304 -- testdata
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "testdata/example.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if err := validate(t, file); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefusesWhatItCanKnowToBeWrong(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"batches", "cycle-names", "droplet-names", "durations", "enums", "file-modes", "file-paths",
		"flake-with-attribute", "installables", "jump", "names-and-tag", "no-servers", "not-a-mapping", "ports", "previews",
		"server-names", "servers-a-list", "servers-empty", "sources", "space-incomplete", "space-missing",
		"space-values", "units", "unknown-keys", "unquoted-mode", "wrong-types",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if validate(t, filepath.Join("testdata/bad", name+".yaml")) == nil {
				t.Error("accepted")
			}
		})
	}
}
