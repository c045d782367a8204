package markdown_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/versatus/snowdrop/internal/report/markdown"
)

const pointer = "The rest is elsewhere."

var codeSpan = regexp.MustCompile("`` ` [^`]* ``|`[^`]+`")

var fenceLine = regexp.MustCompile("^[ \t]*(`{3,}|~{3,})([^`]*)$")

// balanced says what is left open at the end of a text, by reading it line by line.
func balanced(t *testing.T, text string) (fence string, details int) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		m := fenceLine.FindStringSubmatch(line)
		switch {
		case m != nil && fence == "":
			fence = m[1]
			continue
		case m != nil && m[1][0] == fence[0] && len(m[1]) >= len(fence) && strings.TrimSpace(m[2]) == "":
			fence = ""
			continue
		case fence != "":
			continue
		}
		line = codeSpan.ReplaceAllString(line, "")
		details += strings.Count(line, "<details") - strings.Count(line, "</details>")
		if details < 0 {
			t.Errorf("more is closed than was opened, at %q", line)
		}
	}
	return fence, details
}

// shapes are texts with everything that can be open.
func shapes() map[string]string {
	nested := "# a\n\n<details>\n<summary>x</summary>\n\n<details open>\n<summary>y</summary>\n\n````\n```\n</details>\n~~~~~\n````\n\nü→✅ text\n\n</details>\n\n" +
		"- item\n\n  ~~~~ text\n  ````\n  ~~~\n  ~~~~~\n\n</details>\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | ✅ |\n\n> [!NOTE]\n> - one\n> - two\n\nlast"
	all := map[string]string{
		"empty": "", "one line": "no line end", "nested": nested, "blank": "\n\n\n" + nested,
		"indented": "text\n\n   ```go\n   x := 1\n   ```\ntext\n", "unclosed": "text\n```\nnever closed\n", "inline": "```code``` b\n\nc `<details>` d\n\n`` ` <details> ``\n\n" + strings.Repeat("further text\n\n", 9),
	}
	for _, s := range scenes() {
		if s.name != "huge" {
			all[s.name] = tell(s.events).Comment(s.frame)
		}
	}
	return all
}

func TestACutTextIsWholeAtEveryLength(t *testing.T) {
	t.Parallel()
	for name, text := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Where a text is long, every seventh length is enough to come to each line.
			for limit := 0; limit < len(text)+2; limit += 1 + 6*min(1, len(text)/1000) {
				cut := markdown.Cut(text, limit, pointer)
				if limit >= len(text) {
					if cut != text {
						t.Fatalf("%d bytes are enough, and it became\n%s", limit, cut)
					}
					continue
				}
				checkCut(t, text, cut, limit)
				if t.Failed() {
					t.Fatalf("cut to %d bytes:\n%s", limit, cut)
				}
			}
		})
	}
}

func checkCut(t *testing.T, text, cut string, limit int) {
	t.Helper()
	if len(cut) > limit {
		t.Errorf("it has %d bytes", len(cut))
	}
	if !utf8.ValidString(cut) {
		t.Error("it is not UTF-8")
	}
	if fence, details := balanced(t, cut); fence != "" || details != 0 {
		t.Errorf("fence %q and %d details are left open", fence, details)
	}
	if limit > len(pointer)+2 && !strings.HasSuffix("\n"+cut, "\n"+pointer+"\n") {
		t.Errorf("it does not end with the pointer")
	}
	for line := range strings.SplitSeq(cut, "\n") {
		// Every line is one of the text's, the pointer, or closes something.
		closing := line == "</details>" || strings.Trim(line, " `~") == ""
		if line != pointer && !closing && !strings.Contains("\n"+text+"\n", "\n"+line+"\n") {
			t.Errorf("%q is no line of the text", line)
		}
	}
}

func TestACutKeepsAsMuchAsFits(t *testing.T) {
	t.Parallel()
	text := "first\n\n" + strings.Repeat("a line of text\n", 100)
	cut := markdown.Cut(text, 1000, pointer)
	if len(cut) < 1000-len("a line of text\n") {
		t.Errorf("of 1000 bytes it uses %d", len(cut))
	}
}

func TestACutDoesNotEndWithWhatBegins(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"heading":   "text\n## heading\n" + strings.Repeat("more text\n", 20),
		"table":     "text\n| head |\n| --- |\n" + strings.Repeat("| row |\n", 20),
		"details":   "text\n<details>\n<summary>x</summary>\n" + strings.Repeat("more text\n", 20),
		"fence":     "text\n```\n" + strings.Repeat("more text\n", 20) + "```\n",
		"quotation": "text\n> [!NOTE]\n" + strings.Repeat("> more text\n", 20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := strings.Index(text, "more text")
			if name == "table" {
				begin = strings.Index(text, "| row")
			}
			for limit := len("text\n\n" + pointer + "\n"); limit <= begin+len("\n"+pointer+"\n"); limit++ {
				if cut := markdown.Cut(text, limit, pointer); cut != "text\n\n"+pointer+"\n" {
					t.Fatalf("cut to %d bytes it is\n%s", limit, cut)
				}
			}
		})
	}
}

func FuzzCut(f *testing.F) {
	for _, text := range shapes() {
		for limit := 0; limit < len(text); limit += 97 {
			f.Add(text, limit)
		}
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 0 {
			return
		}
		cut := markdown.Cut(text, limit, pointer)
		if len(cut) > limit || !utf8.ValidString(cut) {
			t.Errorf("cut to %d bytes it has %d: %q", limit, len(cut), cut)
		}
	})
}
