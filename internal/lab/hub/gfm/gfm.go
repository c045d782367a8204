// Package gfm shows Markdown as GitHub shows it in comments: tables, task lists,
// alerts, a line's end as a line's end, and of HTML only what is harmless.
package gfm

import (
	"bytes"
	"fmt"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	goldhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// References are the addresses of what a text can name without a link; "" where
// there is no such thing, and it stays text.
type References struct {
	// Commit is asked with 7 to 40 hexadecimal digits, Pull with a number.
	Commit, Pull func(name string) string
	// User is asked with a login.
	User func(login string) string
}

// Renderer turns Markdown into HTML. It is safe for concurrent use.
type Renderer struct {
	markdown goldmark.Markdown
	to       References
}

// New makes a Renderer; References may lack any of its functions.
func New(to References) *Renderer {
	return &Renderer{to: to, markdown: goldmark.New(
		goldmark.WithExtensions(
			extension.Linkify, extension.Strikethrough, extension.TaskList, extension.Footnote,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		),
		// Raw HTML goes through here and is sieved after it was parsed: what is not
		// closed can not spill over.
		goldmark.WithRendererOptions(goldhtml.WithHardWraps(), goldhtml.WithUnsafe()),
	)}
}

// HTML is a text as HTML that can stand in a page.
func (r *Renderer) HTML(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := r.markdown.Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("render Markdown: %w", err)
	}
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(&out, body)
	if err != nil {
		return "", fmt.Errorf("read rendered Markdown: %w", err)
	}
	for _, n := range nodes {
		body.AppendChild(n)
	}
	sieve(body)
	alerts(body)
	r.refer(body)
	out.Reset()
	for n := range body.ChildNodes() {
		if err := html.Render(&out, n); err != nil {
			return "", fmt.Errorf("write rendered Markdown: %w", err)
		}
	}
	return template.HTML(out.String()), nil //nolint:gosec // it was sieved
}
