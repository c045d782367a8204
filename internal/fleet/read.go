package fleet

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxBytes and maxDepth keep a file from exhausting the parser, which is
// recursive and keeps the path of every node.
const (
	maxBytes = 1 << 20
	maxDepth = 64
)

const exampleHint = "`snowdrop init` writes a fleet file from a flake and your droplets"

// read makes the tree of the file, or nil where it cannot be read at all.
func (s *source) read(data []byte) *node {
	if !s.readable(data) {
		return nil
	}
	body := s.parse(strings.Join(s.lines, "\n"))
	if body == nil {
		if len(s.errors) == 0 {
			s.faultAt(0, 0, 0, exampleHint, "the file is empty")
		}
		return nil
	}
	g := grower{source: s, anchors: map[string]*node{}}
	root := g.grow("", body)
	if !s.expect(root, mapping, "a fleet file begins with keys such as `space:` and `servers:`") {
		return nil
	}
	return root
}

// readable reports what is not a text of a sensible size.
func (s *source) readable(data []byte) bool {
	if len(data) > maxBytes {
		s.faultAt(0, 0, 0, "", fmt.Sprintf("the file has %d bytes; %d are allowed", len(data), maxBytes))
		return false
	}
	for i, line := range s.lines {
		if at := strings.IndexByte(line, 0); at >= 0 || !utf8.ValidString(line) {
			if at < 0 {
				at = strings.IndexRune(strings.ToValidUTF8(line, "\x00"), 0)
			}
			s.faultAt(i+1, utf8.RuneCountInString(line[:at])+1, 1, "save it as UTF-8", "the file is not UTF-8 text")
			return false
		}
	}
	return true
}

// parse is the one document of the file, or nil.
func (s *source) parse(data string) (body ast.Node) {
	defer func() {
		// goccy/go-yaml has panicked on broken input before; for whoever wrote
		// the file that is a syntax error like any other.
		if r := recover(); r != nil {
			s.faultAt(0, 0, 0, "", fmt.Sprintf("the file is not YAML that can be read (%v)", r))
			body = nil
		}
	}()
	tokens := lexer.Tokenize(data)
	if deep := tooDeep(tokens); deep != nil {
		s.fault(place("", null, deep), "", "the file is nested more than %d levels deep", maxDepth)
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		s.syntax(err)
		return nil
	}
	for _, doc := range file.Docs {
		if empty(doc.Body) {
			continue
		}
		if body != nil {
			s.fault(place("", null, start(doc.Body)), "", "a fleet file is one YAML document; here begins a second one")
			return body
		}
		body = doc.Body
	}
	return body
}

func empty(n ast.Node) bool {
	switch n.(type) {
	case nil, *ast.CommentGroupNode, *ast.NullNode, *ast.DirectiveNode:
		return true
	default:
		return false
	}
}

// tooDeep is the token that opens one level too many. Levels that are made by
// indentation cannot be many: the file is not long enough.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, entries, line := 0, 0, 0
	for _, tk := range tokens {
		if tk.Position.Line != line {
			line, entries = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			entries++
		}
		if flow > maxDepth || entries > maxDepth {
			return tk
		}
	}
	return nil
}

// syntax reports the parser's error.
func (s *source) syntax(err error) {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		s.faultAt(0, 0, 0, "", "not valid YAML: "+err.Error())
		return
	}
	message, hint := at.GetMessage(), ""
	switch {
	case strings.Contains(message, "'\t'"):
		message, hint = "a tab cannot stand here", "indent with spaces"
	case strings.HasPrefix(message, "mapping value is not allowed"):
		hint = "a string with a colon and a blank in it must stand in quotes"
	}
	s.fault(place("", null, at.GetToken()), hint, "not valid YAML: %s", message)
}
