package fleet

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// schemaID is where the schema of the newest release is served.
const schemaID = "https://raw.githubusercontent.com/versatus/snowdrop/main/snowdrop.schema.json"

// comments are the doc comments of this package's types, by "Type" and
// "Type.Field": the source is not there at run time. A test keeps them fresh.
//
//go:generate go test -run TestSchema -update .
//go:embed comments.json
var comments []byte //nolint:gochecknoglobals // go:embed wants a variable

// Schema is the JSON Schema (2020-12) of a fleet file, indented, made from the
// types. It knows what can be said of single values; that a cycle exists or that
// two servers do not share a droplet only Parse knows.
func Schema() ([]byte, error) {
	texts := map[string]string{}
	if err := json.Unmarshal(comments, &texts); err != nil {
		return nil, fmt.Errorf("read the embedded comments: %w", err)
	}
	reflector := jsonschema.Reflector{
		Anonymous:      true,
		ExpandedStruct: true,
		Mapper:         ownSchema,
		LookupComment: func(t reflect.Type, field string) string {
			return texts[strings.TrimSuffix(t.Name()+"."+field, ".")]
		},
	}
	schema := reflector.Reflect(&Fleet{})
	schema.ID = schemaID
	schema.Title = "snowdrop.yaml"
	r := refiner{root: schema}
	r.fleet()
	r.server()
	r.verify()
	r.preview()
	if r.missing != nil {
		return nil, fmt.Errorf("refine the schema: no key %s", strings.Join(r.missing, ", "))
	}
	data, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(data, '\n'), nil
}

// ownSchema is the schema of the types that read themselves.
func ownSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{
			Type:     "string",
			Pattern:  `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`,
			Examples: []any{"10s", "20m", "1h30m"},
		}
	case reflect.TypeFor[Batch]():
		return &jsonschema.Schema{
			OneOf: []*jsonschema.Schema{
				{Type: "integer", Minimum: "1"},
				{Type: "string", Pattern: `^([1-9][0-9]?|100)%$`},
			},
			Examples: []any{1, "50%"},
		}
	default:
		return nil
	}
}

// refiner adds to the reflected schema what the types do not say.
type refiner struct {
	root    *jsonschema.Schema
	missing []string
}

// def is the definition of a type.
func (r *refiner) def(name string) *jsonschema.Schema {
	if name == "Fleet" {
		return r.root
	}
	if d := r.root.Definitions[name]; d != nil {
		return d
	}
	r.missing = append(r.missing, name)
	return &jsonschema.Schema{Properties: jsonschema.NewProperties()}
}

// key is the schema of a type's key.
func (r *refiner) key(of, key string) *jsonschema.Schema {
	if p, ok := r.def(of).Properties.Get(key); ok {
		return p
	}
	r.missing = append(r.missing, of+"."+key)
	return &jsonschema.Schema{Items: &jsonschema.Schema{}, AdditionalProperties: &jsonschema.Schema{}}
}

// pattern demands a form of a string.
func (r *refiner) pattern(of, key, pattern string, examples ...any) {
	p := r.key(of, key)
	p.Pattern, p.Examples = pattern, examples
}

// enum names the allowed values; the first one is the default.
func (r *refiner) enum(of, key string, values []string) {
	p := r.key(of, key)
	for _, v := range values {
		p.Enum = append(p.Enum, v)
	}
	p.Default = values[0]
}

// number bounds a number; -1 is no upper bound.
func (r *refiner) number(of, key string, least, most, preset int) {
	p := r.key(of, key)
	p.Minimum = json.Number(fmt.Sprint(least))
	if most >= 0 {
		p.Maximum = json.Number(fmt.Sprint(most))
	}
	if preset >= least {
		p.Default = preset
	}
}

// items demands a form of each string in a list.
func (r *refiner) items(of, key, pattern string, examples ...any) {
	p := r.key(of, key)
	p.Items.Pattern, p.Items.Examples = pattern, examples
}

// preset names the value that holds where the key is left out.
func (r *refiner) preset(of, key string, value any) { r.key(of, key).Default = value }
