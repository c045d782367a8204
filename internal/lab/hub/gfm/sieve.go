package gfm

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// shown says whether GitHub shows an element.
// https://github.github.com/gfm/#disallowed-raw-html-extension- and
// https://github.com/github/markup#github-markup
func shown(a atom.Atom) bool {
	switch a {
	case atom.A, atom.B, atom.Blockquote, atom.Br, atom.Code, atom.Dd, atom.Del, atom.Details, atom.Div, atom.Dl, atom.Dt, atom.Em,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.I, atom.Input, atom.Ins, atom.Kbd, atom.Li, atom.Ol, atom.P,
		atom.Pre, atom.Q, atom.S, atom.Samp, atom.Span, atom.Strong, atom.Sub, atom.Summary, atom.Sup, atom.Table, atom.Tbody, atom.Td,
		atom.Tfoot, atom.Th, atom.Thead, atom.Tr, atom.Tt, atom.Ul, atom.Var:
		return true
	default:
		return false
	}
}

// silent says whether not even the text in an element is shown.
func silent(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Title, atom.Textarea, atom.Iframe, atom.Noscript, atom.Noembed, atom.Noframes, atom.Xmp,
		atom.Plaintext, atom.Template, atom.Select, atom.Object, atom.Svg, atom.Math:
		return true
	default:
		return false
	}
}

// sieve removes below a node what is not to be shown: comments, elements, and
// attributes.
func sieve(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		switch {
		case child.Type == html.TextNode:
		case child.Type != html.ElementNode || silent(child.DataAtom) || child.Namespace != "":
			n.RemoveChild(child)
		case child.DataAtom == atom.Img:
			// A picture would be fetched from elsewhere.
			n.InsertBefore(&html.Node{Type: html.TextNode, Data: attribute(child, "alt")}, child)
			n.RemoveChild(child)
		case !shown(child.DataAtom) || child.DataAtom == atom.Input && attribute(child, "type") != "checkbox":
			sieve(child)
			for child.FirstChild != nil {
				inner := child.FirstChild
				child.RemoveChild(inner)
				n.InsertBefore(inner, child)
			}
			n.RemoveChild(child)
		default:
			child.Attr = attributes(child)
			sieve(child)
		}
		child = next
	}
}

// attributes are those that an element keeps.
func attributes(n *html.Node) []html.Attribute {
	kept := slices.DeleteFunc(slices.Clone(n.Attr), func(a html.Attribute) bool {
		switch n.DataAtom {
		case atom.A:
			return a.Key != "href" || !harmless(a.Val)
		case atom.Details:
			return a.Key != "open"
		case atom.Td, atom.Th:
			return a.Key != "align" && a.Key != "colspan" && a.Key != "rowspan"
		case atom.Code:
			return a.Key != "class" || !strings.HasPrefix(a.Val, "language-")
		case atom.Input:
			return a.Key != "type" && a.Key != "checked"
		case atom.Ol:
			return a.Key != "start"
		default:
			return true
		}
	})
	switch n.DataAtom {
	case atom.A:
		kept = append(kept, html.Attribute{Key: "rel", Val: "nofollow"})
	case atom.Input:
		kept = append(kept, html.Attribute{Key: "disabled"})
	}
	return kept
}

// harmless says whether a link may lead there: to the web, to mail, or within the
// page and the site.
func harmless(href string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(href), ":")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		return true
	}
	return scheme == "http" || scheme == "https" || scheme == "mailto"
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
