package toplevel

import (
	"regexp"
	"slices"
	"strings"
)

// nftTokens are the parts of a set of rules that matter: words, quoted words, braces,
// and what ends a statement.
var nftTokens = regexp.MustCompile(`#[^\n]*|"[^"\n]*"|[{}]|[;\n]|,|[^\s{};,"#]+`)

// statement is the words of one statement. The braces of a set are among them.
type statement []string

// nftables reads the rules of all chains that a packet for this machine passes: those
// with the hook input, and those they jump to.
func (o *openings) nftables(rules string) {
	chains := nftChains(rules)
	var visit []string
	for name, body := range chains {
		if slices.ContainsFunc(body, func(s statement) bool { return s.after("hook") == "input" }) {
			visit = append(visit, name)
		}
	}
	slices.Sort(visit)
	seen := map[string]bool{}
	for len(visit) > 0 {
		name := visit[0]
		visit = visit[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, s := range chains[name] {
			for i := 0; i+1 < len(s); i++ {
				if s[i] == "jump" || s[i] == "goto" {
					visit = append(visit, nftTable(name)+" "+s[i+1])
				}
			}
			o.statement(s)
		}
	}
}

// nftChains are the chains of a set of rules, by table and name.
func nftChains(rules string) map[string][]statement {
	chains := map[string][]statement{}
	tokens := nftTokens.FindAllString(rules, -1)
	table := ""
	for i := 0; i < len(tokens); i++ {
		switch tokens[i] {
		case "table":
			// "table inet nixos-fw {", or without the brace, which only makes it.
			end := i + 1
			for end < len(tokens) && !slices.Contains([]string{"{", "\n", ";"}, tokens[end]) {
				end++
			}
			table = strings.Join(tokens[i+1:end], "-")
		case "chain":
			if i+2 < len(tokens) && tokens[i+2] == "{" {
				name := table + " " + tokens[i+1]
				var body []statement
				body, i = nftBody(tokens, i+3)
				chains[name] = append(chains[name], body...)
			}
		}
	}
	return chains
}

func nftTable(chain string) string {
	table, _, _ := strings.Cut(chain, " ")
	return table
}

// nftBody reads statements up to the brace that closes the chain, and says where that
// is.
func nftBody(tokens []string, from int) ([]statement, int) {
	var body []statement
	var s statement
	depth := 0
	for i := from; i < len(tokens); i++ {
		tok := tokens[i]
		switch {
		case strings.HasPrefix(tok, "#"):
			continue
		case tok == "}" && depth == 0:
			return append(body, s), i
		case tok == "{":
			depth++
		case tok == "}":
			depth--
		case (tok == "\n" || tok == ";") && depth == 0:
			if len(s) > 0 {
				body = append(body, s)
			}
			s = nil
			continue
		case tok == "\n":
			continue
		}
		s = append(s, tok)
	}
	return append(body, s), len(tokens)
}

// after is the word behind another one.
func (s statement) after(word string) string {
	if i := slices.Index(s, word); i >= 0 && i+1 < len(s) {
		return s[i+1]
	}
	return ""
}

// statement reads one rule. It is left out where it opens no port: answers, pings,
// the loopback interface, what nixos-firewall-tool opens for a time.
func (o *openings) statement(s statement) {
	switch {
	case s.after("hook") == "input" || !slices.Contains(s, "accept"):
		if s.after("policy") == "accept" {
			o.unread++ // What is open is then all that no rule closes.
		}
		return
	case slices.Contains(s, "vmap"):
		answers := len(s) > 2 && s[0] == "ct" && s[1] == "state"
		if !answers || strings.Contains(strings.Join(s, ""), "new:accept") {
			o.unread++
		}
		return
	case slices.Contains(s, "@temp-ports"):
		return
	case slices.ContainsFunc(s, func(word string) bool { return strings.HasPrefix(word, "icmp") }):
		return
	}
	r, ok := s.opening()
	switch {
	case slices.Contains(r.iface, "lo") || r.answers:
	case !ok:
		o.unread++
	default:
		o.add(r)
	}
}

// opening reads a rule's conditions; ok is false where there is one that it does not
// know.
func (s statement) opening() (r opening, ok bool) {
	for i := 0; i < len(s); {
		word, next := s[i], ""
		if i+1 < len(s) {
			next = s[i+1]
		}
		var list []string
		switch {
		case word == "accept" || word == "counter" || word == "log":
			i++
		case word == "comment" || word == "prefix" || word == "level":
			i += 2
		case word == "limit" && next == "rate":
			i += 3
		case word == "iifname" || word == "iif":
			r.iface, i = s.set(i + 1)
		case (word == "tcp" || word == "udp") && next == "dport":
			r.proto = []string{word}
			r.ports, i = s.set(i + 2)
		case word == "th" && next == "dport":
			r.ports, i = s.set(i + 2)
		case word == "meta" && next == "l4proto":
			r.proto, i = s.set(i + 2)
		case (word == "ip" || word == "ip6") && next == "saddr":
			list, i = s.set(i + 2)
			r.from = strings.Join(list, ", ")
		case (word == "ip" || word == "ip6") && next == "daddr":
			list, i = s.set(i + 2)
			r.to = strings.Join(list, ", ")
		case word == "ct" && next == "state":
			list, i = s.set(i + 2)
			states := strings.Split(strings.Join(list, ","), ",")
			r.answers = !slices.Contains(states, "new")
			for i < len(s)-1 && s[i] == "," { // "established,related", without braces
				r.answers = r.answers && s[i+1] != "new"
				i += 2
			}
		default:
			return r, false
		}
	}
	for _, v := range slices.Concat(r.proto, r.ports, r.iface, []string{r.from, r.to}) {
		if strings.ContainsAny(v, "@$") || strings.HasPrefix(v, "!=") {
			return r, false
		}
	}
	return r, len(r.ports) == 0 || len(r.proto) > 0
}

// set is one value, or those of a set in braces, and the place behind it.
func (s statement) set(i int) ([]string, int) {
	if i >= len(s) {
		return []string{"@"}, i
	}
	if s[i] != "{" {
		return []string{strings.Trim(s[i], `"`)}, i + 1
	}
	var list []string
	for i++; i < len(s) && s[i] != "}"; i++ {
		if s[i] != "," {
			list = append(list, strings.Trim(s[i], `"`))
		}
	}
	return list, i + 1
}
