package redact

// automaton finds many literals in one pass over a text (Aho and Corasick, 1975).
// It is never changed once it is built.
type automaton struct {
	next  map[edge]int32
	first [256]int32 // the root's edges, which most bytes of a text need
	fail  []int32    // the longest proper suffix that begins a literal, too
	depth []int32    // how many bytes of a literal have been seen
	match []int32    // the length of the longest literal that ends here, or 0
}

type edge struct {
	from int32
	by   byte
}

// span is a piece of a text, in bytes.
type span struct{ start, end int }

func newAutomaton(patterns []string) *automaton {
	a := &automaton{next: map[edge]int32{}, fail: []int32{0}, depth: []int32{0}, match: []int32{0}}
	var order []edge // in the order in which the nodes were made
	for _, p := range patterns {
		node := int32(0)
		for i := range len(p) {
			e := edge{node, p[i]}
			child, ok := a.next[e]
			if !ok {
				child = int32(len(a.fail)) //nolint:gosec // there are not two thousand million bytes of secrets
				a.next[e] = child
				a.fail = append(a.fail, 0)
				a.depth = append(a.depth, a.depth[node]+1)
				a.match = append(a.match, 0)
				order = append(order, e)
			}
			node = child
		}
		a.match[node] = a.depth[node]
	}
	for by := range a.first {
		a.first[by] = a.next[edge{0, byte(by)}]
	}
	a.link(order)
	return a
}

// link sets the suffix links, the nodes nearer to the root first.
func (a *automaton) link(order []edge) {
	byDepth := [][]edge{}
	for _, e := range order {
		d := int(a.depth[e.from])
		for len(byDepth) <= d {
			byDepth = append(byDepth, nil)
		}
		byDepth[d] = append(byDepth[d], e)
	}
	for d, edges := range byDepth {
		for _, e := range edges {
			node := a.next[e]
			if d > 0 {
				a.fail[node] = a.step(a.fail[e.from], e.by)
			}
			a.match[node] = max(a.match[node], a.match[a.fail[node]])
		}
	}
}

func (a *automaton) step(node int32, by byte) int32 {
	for node != 0 {
		if child, ok := a.next[edge{node, by}]; ok {
			return child
		}
		node = a.fail[node]
	}
	return a.first[by]
}

// find returns where literals are, in order; those that touch or overlap are
// one span.
func (a *automaton) find(text string) []span {
	spans, _ := a.scan(text)
	return spans
}

// scan finds the literals, and how many bytes at the end of the text may be the
// beginning of one.
func (a *automaton) scan(text string) (spans []span, open int) {
	node := int32(0)
	for i := range len(text) {
		node = a.step(node, text[i])
		n := int(a.match[node])
		if n == 0 {
			continue
		}
		s := span{i + 1 - n, i + 1}
		for len(spans) > 0 && spans[len(spans)-1].end >= s.start {
			s.start = min(s.start, spans[len(spans)-1].start)
			spans = spans[:len(spans)-1]
		}
		spans = append(spans, s)
	}
	return spans, int(a.depth[node])
}
