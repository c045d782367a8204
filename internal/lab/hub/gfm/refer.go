package gfm

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// refer makes links of what a text names: commits, pull requests, people. What is
// code, or a link already, stays as it is.
// https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
func (r *Renderer) refer(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		switch child.DataAtom {
		case atom.A, atom.Code, atom.Pre, atom.Kbd, atom.Samp, atom.Tt:
		default:
			if child.Type == html.TextNode {
				r.split(n, child)
			} else {
				r.refer(child)
			}
		}
		child = next
	}
}

// split puts links into one text.
func (r *Renderer) split(parent, text *html.Node) {
	named := regexp.MustCompile(`(^|[^\w/@#.-])(#\d+|@[A-Za-z0-9][A-Za-z0-9-]*|[0-9a-f]{7,40})\b`)
	rest := text.Data
	var found []*html.Node
	for {
		m := named.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		name := rest[m[4]:m[5]]
		found = append(found, &html.Node{Type: html.TextNode, Data: rest[:m[4]]}, r.link(name))
		rest = rest[m[5]:]
	}
	if found == nil {
		return
	}
	for _, n := range append(found, &html.Node{Type: html.TextNode, Data: rest}) {
		parent.InsertBefore(n, text)
	}
	parent.RemoveChild(text)
}

// link is a name as a link, or as text where it leads nowhere.
func (r *Renderer) link(name string) *html.Node {
	shown, class, to, key := name, "", r.to.Commit, name
	switch {
	case strings.HasPrefix(name, "#"):
		to, key = r.to.Pull, name[1:]
	case strings.HasPrefix(name, "@"):
		to, key, class = r.to.User, name[1:], "mention"
	default:
		shown, class = name[:7], "commit"
	}
	href := ""
	if to != nil {
		href = to(key)
	}
	if href == "" {
		return &html.Node{Type: html.TextNode, Data: name}
	}
	a := element(atom.A, class, shown)
	a.Attr = append(a.Attr, html.Attribute{Key: "href", Val: href})
	return a
}
