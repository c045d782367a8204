package gfm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/lab/hub/gfm"
)

func render(t *testing.T, text string) string {
	t.Helper()
	r := gfm.New(gfm.References{
		Commit: func(sha string) string {
			if strings.HasPrefix("1a2b3c4d5e6f", sha) { //nolint:gocritic // the name may be short
				return "/commit/1a2b3c4d5e6f"
			}
			return ""
		},
		Pull: func(n string) string {
			if n == "12" {
				return "/pull/12"
			}
			return ""
		},
		User: func(login string) string { return "/" + login },
	})
	out, err := r.HTML(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestMarkdownIsShownAsInAComment(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"the end of a line is kept": {"a\nb", "<p>a<br/>\nb</p>"},
		"comments are hidden":       {"<!-- snowdrop {\"kind\":\"plan\"} -->\nseen<!-- not -->", "<p>seen</p>"},
		"table": {
			"| a | b |\n|---|--:|\n| `x` | 2 |",
			"<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td><code>x</code></td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>",
		},
		"task list": {
			"- [x] done\n- [ ] not",
			"<ul>\n<li><input checked=\"\" type=\"checkbox\" disabled=\"\"/> done</li>\n<li><input type=\"checkbox\" disabled=\"\"/> not</li>\n</ul>",
		},
		"strikethrough":      {"~~no~~", "<p><del>no</del></p>"},
		"a bare address":     {"see https://example.com.", `<p>see <a href="https://example.com" rel="nofollow">https://example.com</a>.</p>`},
		"language of a code": {"```go\na < b\n```", "<pre><code class=\"language-go\">a &lt; b\n</code></pre>"},
		"details with Markdown in them": {
			"<details open>\n<summary>more <b>of</b> it</summary>\n\n*text*\n\n</details>",
			"<details open=\"\">\n<summary>more <b>of</b> it</summary>\n<p><em>text</em></p>\n</details>",
		},
		"alert":           {"> [!WARNING]\n> wiped", "<div class=\"alert alert-warning\"><p class=\"alert-title\">Warning</p>\n<p>\nwiped</p>\n</div>"},
		"alert and list":  {"> [!caution]\n> - wiped", "<div class=\"alert alert-caution\"><p class=\"alert-title\">Caution</p>\n\n<ul>\n<li>wiped</li>\n</ul>\n</div>"},
		"no such alert":   {"> [!DANGER]\n> wiped", "<blockquote>\n<p>[!DANGER]<br/>\nwiped</p>\n</blockquote>"},
		"alert in a line": {"> [!NOTE] that", "<blockquote>\n<p>[!NOTE] that</p>\n</blockquote>"},
		"alert in a list": {"- a\n  > [!NOTE]\n  > b", "<ul>\n<li>a\n<blockquote>\n<p>[!NOTE]<br/>\nb</p>\n</blockquote>\n</li>\n</ul>"},
		"names":           {"1a2b3c4 and #12, by @mona", `<p><a class="commit" href="/commit/1a2b3c4d5e6f">1a2b3c4</a> and <a href="/pull/12">#12</a>, by <a class="mention" href="/mona">@mona</a></p>`},
		"names of nothing": {
			"deadbeef, #13, mail@example.com, x1a2b3c4",
			`<p>deadbeef, #13, <a href="mailto:mail@example.com" rel="nofollow">mail@example.com</a>, x1a2b3c4</p>`,
		},
		"no names in code":  {"`#12` and\n\n    @mona", "<p><code>#12</code> and</p>\n<pre><code>@mona\n</code></pre>"},
		"no names in links": {"[#12](/x)", `<p><a href="/x" rel="nofollow">#12</a></p>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, render(t, tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOfHTMLOnlyWhatIsHarmlessIsShown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"what GitHub shows": {"<kbd>Ctrl</kbd> H<sub>2</sub>O<br>x<sup>2</sup>", "<p><kbd>Ctrl</kbd> H<sub>2</sub>O<br/>x<sup>2</sup></p>"},
		"script":            {"a <script>alert(1)</script> b", "<p>a  b</p>"},
		"block of script":   {"<script>\nalert(1)\n</script>\n\nb", "<p>b</p>"},
		"style":             {"<style>p { display: none }</style>\n\nb", "<p>b</p>"},
		"form":              {"<form action=x><button>press</button><input type=text></form>", "press"},
		"attributes":        {`<b onclick="x" style="y" class="z" id="i">b</b>`, "<p><b>b</b></p>"},
		"script in a link":  {`<a href="JavaScript:alert(1)">a</a> [b](javascript:alert(1)) <a href="data:text/html,x">c</a>`, `<p><a rel="nofollow">a</a> <a rel="nofollow">b</a> <a rel="nofollow">c</a></p>`},
		"picture":           {`![a cat](https://example.com/cat.png) <img src=x onerror=alert(1)>`, "<p>a cat </p>"},
		"frame":             {"<iframe src=https://example.com></iframe>\n\nb", "<p>b</p>"},
		"drawing":           {"<svg><script>alert(1)</script><a xlink:href=x>y</a></svg>b", "<p>b</p>"},
		"of another kind":   {"<marquee>still</marquee>", "<p>still</p>"},
		"code that is one":  {`<code class="evil">x</code>`, "<p><code>x</code></p>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, render(t, tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNotClosedDoesNotSpillOver(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<details><summary>open", "</div></div></article>a", "<table><tr><td>a", "<!-- a", "<b>a", "```\n<details>"} {
		out := render(t, text)
		for _, tag := range []string{"details", "div", "article", "table", "b"} {
			if opened, closed := strings.Count(out, "<"+tag+">"), strings.Count(out, "</"+tag+">"); opened != closed {
				t.Errorf("%q becomes %q", text, out)
			}
		}
	}
}

func FuzzHTML(f *testing.F) {
	f.Add("<scr<script>ipt>alert(1)</script>")
	f.Add("> [!NOTE]\n> <a href=javascript:x>#12</a>")
	f.Add("<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">")
	f.Fuzz(func(t *testing.T, text string) {
		r := gfm.New(gfm.References{})
		out, err := r.HTML(text)
		if err != nil {
			t.Fatal(err)
		}
		// What was rendered stays harmless when a browser reads it once more.
		for _, bad := range []string{"<script", "<img", "<style", "<svg", "<iframe", "href=\"javascript:"} {
			if strings.Contains(strings.ToLower(string(out)), bad) {
				t.Errorf("%q becomes %q", text, out)
			}
		}
	})
}
