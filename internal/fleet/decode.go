package fleet

import (
	"errors"
	"fmt"
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
		s.reads(n, value.parse)
		return
	case *Duration:
		s.reads(n, func(text string) error { return value.UnmarshalText([]byte(text)) })
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
	wanted := string(want)
	if want == boolean {
		wanted = "true or false"
	}
	s.fault(n, hint, "%s must be %s, not %s", name, wanted, n.kind)
	n.bad = true
	return false
}

func (s *source) structure(n *node, v reflect.Value) {
	if !s.expect(n, mapping, n.longhand(v.Type())) {
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
		hint = home(t, key.text)
	}
	if hint == "" {
		hint = "known here: " + strings.Join(names(t), ", ")
	}
	if n.path == "" {
		s.fault(key, hint, "unknown key %q", key.text)
	} else {
		s.fault(key, hint, "unknown key %q in %s", key.text, n.path)
	}
	key.bad = true
}

// longhand is how to write a mapping of which only the one value was written.
func (n *node) longhand(t reflect.Type) string {
	if n.kind != text {
		return ""
	}
	switch t {
	case reflect.TypeFor[Droplets]():
		return "write {names: [" + n.text + "]}"
	case reflect.TypeFor[HTTPCheck]():
		return `write {url: "` + n.text + `"}`
	case reflect.TypeFor[Cycle]():
		return `write {cron: "` + n.text + `"}`
	case reflect.TypeFor[Source]():
		return "write {env: NAME}, {file: PATH} or {command: [PROGRAM]}"
	default:
		return ""
	}
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

// reads lets a value read itself from a scalar.
func (s *source) reads(n *node, read func(string) error) {
	if n.kind == mapping || n.kind == sequence {
		s.expect(n, text, "")
		return
	}
	var fault *valueError
	if err := read(n.text); errors.As(err, &fault) {
		s.fault(n, fault.hint, "%s: %s", n.path, fault.message)
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

func names(t reflect.Type) []string { return sortedKeys(fieldsOf(t)) }

// home says under which mapping of a struct a misplaced key belongs.
func home(t reflect.Type, key string) string {
	for _, name := range names(t) {
		field := t.Field(fieldsOf(t)[name]).Type
		if field.Kind() != reflect.Struct || field == reflect.TypeFor[Batch]() {
			continue
		}
		for known := range fieldsOf(field) {
			if flatten(known) == flatten(key) {
				return fmt.Sprintf("did you mean %q under %s?", known, name)
			}
		}
	}
	return ""
}
