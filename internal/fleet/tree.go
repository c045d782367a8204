package fleet

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// kind is what a node of the file is.
type kind string

const (
	null     kind = "nothing"
	text     kind = "a string"
	integer  kind = "a whole number"
	float    kind = "a fraction"
	boolean  kind = "a boolean"
	sequence kind = "a list"
	mapping  kind = "a mapping"
)

// node is a value of the file, its place, and its path such as servers.web.
// Aliases and merge keys are resolved; a value that is used by alias keeps the
// place where it is written.
type node struct {
	path                string
	kind                kind
	text                string // of a scalar, unquoted
	line, column, width int
	owner               *node // the key, if the node is a value of a mapping
	entries             []entry
	items               []*node
	bad                 bool // already reported: say nothing more about it
}

type entry struct{ key, value *node }

// get is the value of a key, or nil where it is absent or null. It may be asked
// of nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key.text == key && e.value.kind != null {
			return e.value
		}
	}
	return nil
}

// item is the list's i-th item, or the node itself where there is none.
func (n *node) item(i int) *node {
	if i < len(n.items) {
		return n.items[i]
	}
	return n
}

// head is where to point at when something is missing in a mapping: its key.
func (n *node) head() *node {
	if n.owner != nil {
		return n.owner
	}
	return n
}

// grower makes a tree of nodes from goccy's syntax tree.
type grower struct {
	*source
	anchors map[string]*node
}

func (g *grower) grow(path string, a ast.Node) *node {
	switch a := a.(type) {
	case *ast.MappingNode:
		return g.mapping(path, a, a.Values)
	case *ast.MappingValueNode:
		return g.mapping(path, a, []*ast.MappingValueNode{a})
	case *ast.SequenceNode:
		n := place(path, sequence, a.Start)
		for i, v := range a.Values {
			n.items = append(n.items, g.grow(fmt.Sprintf("%s[%d]", path, i), v))
		}
		return n
	case *ast.AnchorNode:
		n := g.grow(path, a.Value)
		g.anchors[a.Name.GetToken().Value] = n
		return n
	case *ast.AliasNode:
		return g.alias(path, a)
	case *ast.TagNode:
		return g.tagged(path, a)
	case nil:
		return &node{path: path, kind: null, line: 1, column: 1}
	default:
		return g.scalar(path, a)
	}
}

func (g *grower) scalar(path string, a ast.Node) *node {
	tk := a.GetToken()
	switch a := a.(type) {
	case *ast.NullNode:
		return place(path, null, tk)
	case *ast.IntegerNode:
		return place(path, integer, tk)
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return place(path, float, tk)
	case *ast.BoolNode:
		return place(path, boolean, tk)
	case *ast.StringNode:
		n := place(path, text, tk)
		n.text = a.Value
		return n
	case *ast.LiteralNode:
		n := place(path, text, a.Start)
		n.text = a.Value.Value
		return n
	default:
		n := place(path, null, tk)
		g.fault(n, "", "this cannot be a value here")
		n.bad = true
		return n
	}
}

func (g *grower) alias(path string, a *ast.AliasNode) *node {
	name := a.Value.GetToken()
	target, ok := g.anchors[name.Value]
	if !ok {
		n := place(path, null, name)
		known := make([]string, 0, len(g.anchors))
		for k := range g.anchors {
			known = append(known, k)
		}
		g.fault(n, didYouMean(name.Value, known), "nothing before this is marked &%s", name.Value)
		n.bad = true
		return n
	}
	same := *target
	same.path = path
	return &same
}

func (g *grower) tagged(path string, a *ast.TagNode) *node {
	n, at := g.grow(path, a.Value), place(path, null, a.Start)
	// goccy places a value behind a tag one column too far to the left.
	n.line, n.column, n.width = at.line, at.column, at.width
	switch tag := a.Start.Value; {
	case tag == "!!str" && n.kind != mapping && n.kind != sequence:
		n.kind = text
	case slices.Contains([]string{"!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"}, tag):
	default:
		g.fault(at, "leave it out", "the tag %s means nothing here", tag)
		n.bad = true
	}
	return n
}

func (g *grower) mapping(path string, a ast.Node, values []*ast.MappingValueNode) *node {
	n := place(path, mapping, start(a))
	n.text = ""
	var merged []entry
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merged = append(merged, g.mergeKey(path, v)...)
			continue
		}
		g.entry(n, v)
	}
	for _, e := range merged {
		if !n.has(e.key.text) {
			n.entries = append(n.entries, e)
		}
	}
	return n
}

// has says whether a key is there, null or not.
func (n *node) has(key string) bool {
	return slices.ContainsFunc(n.entries, func(e entry) bool { return e.key.text == key })
}

func (g *grower) entry(n *node, v *ast.MappingValueNode) {
	key := g.key(n.path, v.Key)
	key.path = join(n.path, key.text)
	value := g.grow(key.path, v.Value)
	value.owner = key
	for _, e := range n.entries {
		if e.key.text == key.text && !key.bad {
			g.fault(key, "keep one of the two",
				"%q stands here twice: line %d has it already", key.text, e.key.line)
			return
		}
	}
	n.entries = append(n.entries, entry{key, value})
}

func (g *grower) key(path string, k ast.MapKeyNode) *node {
	var inner ast.Node = k
	if m, ok := k.(*ast.MappingKeyNode); ok {
		inner = m.Value
	}
	n := g.grow(path, inner)
	if n.kind == sequence || n.kind == mapping {
		g.fault(n, "", "a key must be a plain word")
		n.bad = true
	}
	return n
}

// mergeKey is what `<<: *x` or `<<: [*x, *y]` brings in.
func (g *grower) mergeKey(path string, v *ast.MappingValueNode) []entry {
	n := g.grow(path, v.Value)
	from := []*node{n}
	if n.kind == sequence {
		from = n.items
	}
	var entries []entry
	for _, f := range from {
		if f.kind != mapping {
			g.fault(f, "", "<< takes a mapping, not %s", f.kind)
			continue
		}
		for _, e := range f.entries {
			value := *e.value
			value.path = join(path, e.key.text)
			entries = append(entries, entry{e.key, &value})
		}
	}
	return entries
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// start is the first token of a value; goccy's own token of a mapping in block
// style is its first colon.
func start(a ast.Node) *token.Token {
	switch a := a.(type) {
	case *ast.MappingNode:
		if !a.IsFlowStyle && len(a.Values) > 0 {
			return a.Values[0].Key.GetToken()
		}
		return a.Start
	case *ast.MappingValueNode:
		return a.Key.GetToken()
	default:
		return a.GetToken()
	}
}

// place makes a node at a token.
func place(path string, k kind, tk *token.Token) *node {
	n := &node{path: path, kind: k, line: 1, column: 1, width: 1}
	if tk == nil {
		return n
	}
	n.text = tk.Value
	n.width = max(1, utf8.RuneCountInString(tk.Value))
	if tk.Type == token.DoubleQuoteType || tk.Type == token.SingleQuoteType {
		n.width += 2
	}
	if k == mapping || k == sequence {
		n.width = 1
	}
	if tk.Position != nil {
		n.line, n.column = tk.Position.Line, tk.Position.Column
	}
	return n
}
