package toplevel

import (
	"regexp"
	"slices"
	"strings"
)

// mask stands for a value that looks like a secret. It is the same for all, so a
// change of such a value does not show.
const mask = "***"

var (
	// secretName is a name whose value is not shown. A key is one only at the end of a
	// word, so that keymaps and keyrings are not.
	secretName = regexp.MustCompile(`(?i)passw(?:or)?d|passphrase|secret|token|credential|authorization|pass(?:$|[_.-])|keys?(?:$|[_.-])`)
	// pathName is a name whose value is where something is, and not what it is.
	pathName = regexp.MustCompile(`(?i)(?:file|path|dir|directory)$`)
	// place is a value that is one: a path below the folders of a system, a specifier
	// of systemd, a variable.
	place = regexp.MustCompile(`^["']?(?:/(?:nix|run|etc|var|root|home|srv|usr|tmp|proc|sys|dev)(?:/|$)|%[a-zA-Z]|\$)`)
	// userinfo is the password in a URL.
	userinfo = regexp.MustCompile(`(://[^:/@\s"']*:)[^@\s"']+@`)
)

// masked is a line without the values of what looks like a secret: in Environment=,
// in arguments, in credentials that are set in the line itself. Where a secret ends is
// a matter of doubt, so all up to the end of the word goes.
func masked(line string) string {
	if !mayHold(line) {
		return line // Nearly all of them.
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok || strings.ContainsAny(key, " \t\"'") || strings.HasPrefix(key, "-") || key == strings.ToUpper(key) {
		return maskedWords(line) // No setting of a unit: those are all in one word, and not in capitals.
	}
	if strings.HasPrefix(key, "SetCredential") {
		name, _, _ := strings.Cut(value, ":")
		return key + "=" + name + ":" + mask
	}
	return key + "=" + maskedWords(value)
}

// mayHold says whether a line has a word of secretName or a URL, in a tenth of the
// time that the expression takes.
func mayHold(line string) bool {
	lower := strings.ToLower(line)
	return slices.ContainsFunc([]string{"pass", "secret", "token", "credential", "authorization", "key", "://"}, func(hint string) bool {
		return strings.Contains(lower, hint)
	})
}

// maskedWords masks what looks like a secret in words.
func maskedWords(line string) string {
	line = userinfo.ReplaceAllString(line, "${1}"+mask+"@")
	var b strings.Builder
	hide := false // The next word is the value of the one before.
	for _, w := range words(line) {
		switch {
		case strings.TrimSpace(w) == "":
		case hide && !strings.HasPrefix(w, "-") && !place.MatchString(w):
			w, hide = quoted(w, ""), false
		default:
			hide = isFlag(w)
			w = maskedWord(w)
		}
		b.WriteString(w)
	}
	return b.String()
}

// maskedWord masks the value of the first name in a word that is a secret's, and all
// that follows in it: NAME=value, --name=value, name:value, "name":"value". A word in
// quotes may be a whole line of shell.
func maskedWord(word string) string {
	for i := range len(word) {
		if word[i] != '=' && word[i] != ':' {
			continue
		}
		value := strings.TrimLeft(word[i+1:], " \t")
		if value != "" && isSecret(nameBefore(word[:i])) && !place.MatchString(value) {
			return quoted(word, word[:len(word)-len(value)])
		}
	}
	if inner := strings.Trim(word, `"'`); strings.ContainsAny(inner, " \t") && len(inner) < len(word) {
		return strings.Replace(word, inner, maskedWords(inner), 1)
	}
	return word
}

// nameBefore is the name at the end of a text, without the quotes behind it.
func nameBefore(text string) string {
	text = strings.TrimRight(text, "\"'\\ \t")
	start := strings.LastIndexFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.-", r))
	})
	return text[start+1:]
}

// quoted is a word of which only the beginning stays, with its closing quote.
func quoted(word, keep string) string {
	if q := word[0]; (q == '"' || q == '\'') && len(word) > 1 && word[len(word)-1] == q {
		if keep == "" {
			keep = string(q)
		}
		return keep + mask + string(q)
	}
	return keep + mask
}

func isSecret(name string) bool {
	return secretName.MatchString(name) && !pathName.MatchString(name)
}

// isFlag says whether a word is an option that has a secret behind it.
func isFlag(word string) bool {
	return strings.HasPrefix(word, "-") && !strings.ContainsAny(word, "=:") && isSecret(word)
}

// words splits a line into words and what is between them; quotes hold a word
// together.
func words(line string) []string {
	var list []string
	start, quote, space := 0, byte(0), true
	for i := 0; i < len(line); i++ {
		c := line[i]
		if quote != 0 {
			switch c {
			case '\\':
				i++
			case quote:
				quote = 0
			}
			continue
		}
		isSpace := c == ' ' || c == '\t'
		if isSpace != space {
			if i > start {
				list = append(list, line[start:i])
			}
			start, space = i, isSpace
		}
		if c == '"' || c == '\'' {
			quote = c
		}
	}
	if start < len(line) {
		list = append(list, line[start:])
	}
	return list
}
