package markdown_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// page is a text as a reader of GitHub's markdown sees it.
type page struct {
	faults                                  []string
	tables, headings, links, fences, alerts int
	details, open                           int
	unclosed                                int
}

var (
	lively      = regexp.MustCompile(`(?i)[@$]|#[0-9]|gh-[0-9]|://|www\.`)
	summaryLine = regexp.MustCompile(`^<summary>(.*)</summary>$`)
	htmlCode    = regexp.MustCompile(`<code>[^<]*</code>`)
	entities    = regexp.MustCompile(`&(#[0-9]+|[a-z]+);`)
	diffLine    = regexp.MustCompile(`^(?:[-+ ]|@@ |… [0-9]+ lines? left out …$|$)`)
	ganttLine   = regexp.MustCompile(`^    (?:section [^:#;%<>&"\n]+|[✓✗] [^:#;%<>&"\n]+ :(?:done|crit), [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}, [1-9][0-9]*s)$`)
	alertHead   = regexp.MustCompile(`^\[!(CAUTION|WARNING|NOTE)\]$`)
)

// read parses a text and notes everything in it that only foreign text can have
// made: other HTML than ours, a link to elsewhere, a mention, a list or a heading.
func read(source string) page {
	var p page
	fault := func(format string, args ...any) { p.faults = append(p.faults, fmt.Sprintf(format, args...)) }
	if !utf8.ValidString(source) {
		fault("it is not UTF-8")
	}
	if strings.Contains(source, "<!--") {
		fault("it has a hidden comment")
	}
	if i := strings.IndexFunc(source, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }); i >= 0 {
		fault("it has the control character %q", source[i])
	}
	src := []byte(source)
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.RawHTML, *ast.AutoLink, *ast.Image, *ast.ThematicBreak, *ast.CodeBlock, *extast.Strikethrough, *extast.TaskCheckBox:
			fault("it has a %s: %q", n.Kind(), nodeText(n, src))
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.FencedCodeBlock:
			p.fences++
			if n.Info != nil && !ourFence(n, src) {
				fault("a fence has the info %q", n.Info.Segment.Value(src))
			}
		case *ast.HTMLBlock:
			p.html(n, src, fault)
		case *ast.Link:
			p.links++
			if !strings.HasPrefix(string(n.Destination), "https://github.com/acme/fleet/") {
				fault("it links to %q", n.Destination)
			}
		case *extast.Table:
			p.tables++
		case *ast.Heading:
			p.headings++
			if n.Level != 2 || n.PreviousSibling() != nil {
				fault("%q is a heading", nodeText(n, src))
			}
		case *ast.Blockquote:
			p.alerts++
			first, _, _ := strings.Cut(strings.TrimPrefix(nodeText(n.FirstChild(), src), "\n"), "\n")
			if !alertHead.MatchString(first) {
				fault("%q is a quotation", first)
			}
		case *ast.List:
			if n.Parent().Kind() != ast.KindBlockquote || n.IsOrdered() {
				fault("%q is a list", nodeText(n, src))
			}
		case *ast.Emphasis:
			if n.Level != 2 {
				fault("%q is stressed", nodeText(n, src))
			}
		case *ast.Text:
			if shown := entities.ReplaceAll(n.Segment.Value(src), nil); lively.Match(shown) {
				fault("%q is made a link or a mention of", shown)
			}
		}
		return ast.WalkContinue, nil
	})
	if p.unclosed != 0 {
		fault("%d <details> are not closed", p.unclosed)
	}
	p.rows(source, fault)
	return p
}

// ourFence says whether a fence of a language is one of ours: a diff of nothing but
// changed lines, or a time line of nothing but sections and tasks.
func ourFence(n *ast.FencedCodeBlock, src []byte) bool {
	lines := strings.Split(strings.TrimSuffix(string(n.Lines().Value(src)), "\n"), "\n")
	allowed := diffLine
	switch string(n.Info.Segment.Value(src)) {
	case "diff":
	case "mermaid":
		if len(lines) < 6 || strings.Join(lines[:4], "\n") != "%%{init: {\"gantt\": {\"useWidth\": 900}}}%%\ngantt\n    dateFormat YYYY-MM-DD HH:mm:ss\n    axisFormat %H:%M:%S" {
			return false
		}
		lines, allowed = lines[4:], ganttLine
	default:
		return false
	}
	return !slices.ContainsFunc(lines, func(line string) bool { return !allowed.MatchString(line) })
}

// html takes in a block of HTML: it may open or close details, and nothing else.
func (p *page) html(n *ast.HTMLBlock, src []byte, fault func(string, ...any)) {
	lines := n.Lines()
	for i := range lines.Len() {
		at := lines.At(i)
		line := strings.TrimRight(string(at.Value(src)), "\n")
		summary := summaryLine.FindStringSubmatch(line)
		switch {
		case line == "<details>":
			p.details++
			p.unclosed++
		case line == "<details open>":
			p.details++
			p.unclosed++
			p.open++
		case line == "</details>":
			if p.unclosed--; p.unclosed < 0 {
				fault("more details are closed than opened")
			}
		case summary != nil:
			rest := htmlCode.ReplaceAllString(strings.NewReplacer("<b>", "", "</b>", "").Replace(summary[1]), "")
			rest = entities.ReplaceAllString(rest, " ")
			if strings.ContainsAny(rest, "<>") || lively.MatchString(rest) {
				fault("the summary %q is more than text", line)
			}
		default:
			fault("it has the HTML %q", line)
		}
	}
}

// rows sees that every row of a table has as many cells as its head.
func (p *page) rows(source string, fault func(string, ...any)) {
	cells, fence := 0, ""
	for line := range strings.SplitSeq(source, "\n") {
		if marks := line[:len(line)-len(strings.TrimLeft(line, "`"))]; len(marks) >= 3 && (fence == "" && !strings.Contains(line[len(marks):], "`") || line == fence) {
			if fence == "" {
				fence = marks
			} else {
				fence = ""
			}
		}
		if fence != "" || !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		n := strings.Count(line, "|") - strings.Count(line, `\|`)
		if cells == 0 {
			cells = n
		}
		if n != cells || strings.Contains(line, `\\|`) {
			fault("a row is not one of %d cells: %q", cells-1, line)
		}
	}
	if fence != "" {
		fault("a fence is not closed")
	}
}

func nodeText(n ast.Node, src []byte) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(src))
			if t.SoftLineBreak() {
				b.WriteByte('\n')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

func (p page) complain(t *testing.T, what, source string) {
	t.Helper()
	for _, fault := range p.faults {
		t.Errorf("%s: %s", what, fault)
	}
	if t.Failed() && len(source) < 5000 {
		t.Log(source)
	}
}

func TestEveryCommentReadsAsItWasMeant(t *testing.T) {
	t.Parallel()
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			comment, summary := tell(s.events).Comment(s.frame), tell(s.events).Summary(s.frame)
			p := read(comment)
			p.complain(t, "comment", comment)
			read(summary).complain(t, "summary", summary)
			if p.headings != 1 {
				t.Errorf("it has %d headlines", p.headings)
			}
			if p.tables != s.tables && s.name != "huge" {
				t.Errorf("it has %d tables, want %d", p.tables, s.tables)
			}
			if got := p.details; got != s.details && s.name != "huge" {
				t.Errorf("it has %d details, want %d", got, s.details)
			}
			if p.open != s.open {
				t.Errorf("%d details stand open, want %d", p.open, s.open)
			}
		})
	}
}
