package gfm

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// alerts makes boxes of quotes that begin with a line such as [!WARNING]. GitHub
// does so where they are not within something else.
// https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#alerts
func alerts(body *html.Node) {
	for n := range body.ChildNodes() {
		if n.DataAtom != atom.Blockquote {
			continue
		}
		paragraph := n.FirstChild
		for paragraph != nil && paragraph.Type == html.TextNode && strings.TrimSpace(paragraph.Data) == "" {
			paragraph = paragraph.NextSibling
		}
		if paragraph == nil || paragraph.DataAtom != atom.P {
			continue
		}
		kind := takeMarker(paragraph)
		if kind == "" {
			continue
		}
		n.Data, n.DataAtom = "div", atom.Div
		n.Attr = []html.Attribute{{Key: "class", Val: "alert alert-" + kind}}
		title := element(atom.P, "alert-title", strings.ToUpper(kind[:1])+kind[1:])
		n.InsertBefore(title, n.FirstChild)
		if paragraph.FirstChild == nil {
			n.RemoveChild(paragraph)
		}
	}
}

// takeMarker removes the first line of a paragraph if it is the marker of an alert,
// and returns which: "note", "tip", "important", "warning" or "caution".
func takeMarker(p *html.Node) string {
	first := p.FirstChild
	if first == nil || first.Type != html.TextNode {
		return ""
	}
	for _, kind := range []string{"note", "tip", "important", "warning", "caution"} {
		if !strings.EqualFold(strings.TrimSpace(first.Data), "[!"+kind+"]") {
			continue
		}
		next := first.NextSibling
		if next != nil && next.DataAtom != atom.Br {
			return ""
		}
		p.RemoveChild(first)
		if next != nil {
			p.RemoveChild(next)
		}
		return kind
	}
	return ""
}

func element(a atom.Atom, class, text string) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a}
	if class != "" {
		n.Attr = []html.Attribute{{Key: "class", Val: class}}
	}
	n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
	return n
}
