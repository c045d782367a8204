package fleet

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// decode fills v from a node and reports every fault on the way. What is faulty
// stays as it was; a list keeps its places, so that its items can be matched
// with the nodes later. Absent and null values change nothing.
func (s *source) decode(n *node, v reflect.Value) {
	if n == nil || n.kind == null {
		return
	}
	switch value := v.Addr().Interface().(type) {
	case *Batch:
		s.batch(n, value)
		return
	case encoding.TextUnmarshaler:
		s.unmarshal(n, value)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.decode(n, v.Elem())
	case reflect.Struct:
		s.structure(n, v)
	case reflect.Map:
		s.dictionary(n, v)
	case reflect.Slice:
		s.list(n, v)
	default:
		s.plain(n, v)
	}
}

// expect reports a node of another kind than the wanted one.
func (s *source) expect(n *node, want kind, hint string) bool {
	if n.kind == want {
		return true
	}
	name := n.path
	if name == "" {
		name = "a fleet file"
	}
	s.fault(n, hint, "%s must be %s, not %s", name, want, n.kind)
	n.bad = true
	return false
}

func (s *source) structure(n *node, v reflect.Value) {
	if !s.expect(n, mapping, "") {
		return
	}
	fields := fieldsOf(v.Type())
	for _, e := range n.entries {
		index, ok := fields[e.key.text]
		switch {
		case ok:
			field := v.Type().Field(index)
			s.decode(e.value.shaped(field.Tag.Get("accept")), v.Field(index))
		case n.path == "" && strings.HasPrefix(e.key.text, "x-"):
			// A place for anchors, as in Compose files.
		default:
			s.unknownKey(n, e.key, v.Type())
		}
	}
}

func (s *source) unknownKey(n, key *node, t reflect.Type) {
	hint := didYouMean(key.text, names(t))
	if hint == "" {
		if where := home(t, key.text); where != "" {
			hint = "it belongs under " + where
		}
	}
	if n.path == "" {
		s.fault(key, hint, "unknown key %q", key.text)
		return
	}
	s.fault(key, hint, "unknown key %q in %s", key.text, n.path)
}

func (s *source) dictionary(n *node, v reflect.Value) {
	if !s.expect(n, mapping, "") {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range n.entries {
		value := reflect.New(v.Type().Elem()).Elem()
		if e.value.kind == null && value.Kind() != reflect.Struct {
			s.fault(e.key, "", "%s has no value", e.value.path)
			continue
		}
		s.decode(e.value, value)
		v.SetMapIndex(reflect.ValueOf(e.key.text), value)
	}
}

func (s *source) list(n *node, v reflect.Value) {
	hint := ""
	if n.kind == text || n.kind == integer {
		hint = "write it as a list: [" + n.text + "]"
	}
	if !s.expect(n, sequence, hint) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		if item.kind == null {
			s.fault(item, "", "%s has no value", item.path)
			item.bad = true
			continue
		}
		s.decode(item, v.Index(i))
	}
}

func (s *source) plain(n *node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		hint := ""
		if n.kind != mapping && n.kind != sequence {
			hint = `put it in quotes: "` + n.text + `"`
		}
		if s.expect(n, text, hint) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if s.expect(n, boolean, "") {
			v.SetBool(strings.EqualFold(n.text, "true"))
		}
	default:
		if !s.expect(n, integer, "") {
			return
		}
		number, err := strconv.Atoi(n.text)
		if err != nil {
			s.fault(n, "write it in decimal digits", "%s is not a number that can be used here", n.text)
			n.bad = true
			return
		}
		v.SetInt(int64(number))
	}
}

func (s *source) batch(n *node, b *Batch) {
	if n.kind != integer && !s.expect(n, text, "") {
		return
	}
	if err := b.parse(n.text); err != nil {
		s.fault(n, "", "%s: %s", n.path, err)
		n.bad = true
	}
}

func (s *source) unmarshal(n *node, v encoding.TextUnmarshaler) {
	if n.kind != integer && !s.expect(n, text, "") {
		return
	}
	if err := v.UnmarshalText([]byte(n.text)); err != nil {
		s.fault(n, "", "%s: %s", n.path, err)
		n.bad = true
	}
}

// shaped turns a node into what its field holds, where a shorter way of writing
// is accepted: "shell" makes a list of one string, "scalars" makes strings of
// numbers and booleans.
func (n *node) shaped(accept string) *node {
	shaped := *n
	switch {
	case accept == "shell" && n.kind == text:
		part := func(t string) *node {
			p := *n
			p.text = t
			return &p
		}
		shaped.kind, shaped.items = sequence, []*node{part("sh"), part("-c"), part(n.text)}
		return &shaped
	case accept == "scalars" && n.kind == mapping:
		shaped.entries = nil
		for _, e := range n.entries {
			value := *e.value
			if value.kind == integer || value.kind == boolean || value.kind == float {
				value.kind = text
			}
			shaped.entries = append(shaped.entries, entry{e.key, &value})
		}
		return &shaped
	default:
		return n
	}
}

// fieldsOf maps the keys of a struct to the indices of its fields.
func fieldsOf(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			fields[key] = i
		}
	}
	return fields
}

func names(t reflect.Type) []string {
	var keys []string
	for key := range fieldsOf(t) {
		keys = append(keys, key)
	}
	return keys
}

// home finds the mapping below a struct in which a misplaced key is known.
func home(t reflect.Type, key string) string {
	for _, name := range names(t) {
		field := t.Field(fieldsOf(t)[name]).Type
		if field.Kind() != reflect.Struct || field == reflect.TypeFor[Batch]() {
			continue
		}
		if _, ok := fieldsOf(field)[key]; ok {
			return name
		}
	}
	return ""
}
