package hub

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/lab/hub/gfm"
)

//go:embed web
var web embed.FS

// view is what a page shows, and what it needs to show it.
type view struct {
	links
	State
	// Name of the page, for the window's title.
	Name          string
	DefaultBranch string
	commits       graph
	now           time.Time
	markdown      *gfm.Renderer
}

// pageRoutes are pages for people, as on github.com. They show and change nothing.
func (h *Hub) pageRoutes() http.Handler {
	templates := template.Must(template.ParseFS(web, "web/*.html"))
	m := http.NewServeMux()
	m.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, web, "web/style.css")
	})
	show := func(pattern, name string, about func(*view, *http.Request) any) {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v := h.view(r)
			status, name, data := http.StatusOK, name, any(nil)
			if owner := r.PathValue("owner"); owner == "" || strings.EqualFold(owner+"/"+r.PathValue("repo"), h.cfg.Repository) {
				data = about(v, r)
			}
			if data == nil {
				v.Name = "Page not found"
				status, name, data = http.StatusNotFound, "missing", v
			}
			write(w, templates, status, name, data)
		})
	}
	show("GET /{$}", "repository", repositoryPage)
	show("GET /{login}", "account", accountPage)
	show("GET /{owner}/{repo}", "repository", repositoryPage)
	show("GET /{owner}/{repo}/pull/{number}", "pull", pullPage)
	show("GET /{owner}/{repo}/commit/{ref}", "commit", commitPage)
	show("GET /{owner}/{repo}/compare/{basehead...}", "compare", h.comparePage)
	show("GET /{owner}/{repo}/runs/{id}", "check", checkPage)
	show("GET /{owner}/{repo}/actions/runs/{id}", "run", runPage)
	show("GET /", "missing", func(*view, *http.Request) any { return nil })
	return m
}

// write sends a page. It may load nothing but the style sheet and what that holds: what
// is shown comes from whoever has a token.
func write(w http.ResponseWriter, templates *template.Template, status int, name string, data any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name+".html", data); err != nil {
		http.Error(w, "show the page "+name+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}

func (h *Hub) view(r *http.Request) *view {
	v := &view{links: linksOf(r, h.cfg.Repository), State: h.State(), now: h.now(), DefaultBranch: h.cfg.DefaultBranch}
	v.commits = graph{}
	for i := range v.Commits {
		v.commits[v.Commits[i].SHA] = &v.Commits[i]
	}
	v.markdown = gfm.New(gfm.References{
		Commit: func(sha string) string {
			if c := v.commitNamed(sha); c != nil {
				return v.CommitURL(c.SHA)
			}
			return ""
		},
		Pull: func(name string) string {
			if n, err := strconv.Atoi(name); err == nil && v.pullNumbered(n) != nil {
				return v.PullURL(n)
			}
			return ""
		},
		User: func(login string) string { return v.root + "/" + login },
	})
	return v
}

func (v *view) commitNamed(sha string) *Commit {
	i := slices.IndexFunc(v.Commits, func(c Commit) bool { return len(sha) >= 7 && strings.HasPrefix(c.SHA, sha) })
	if i < 0 {
		return nil
	}
	return &v.Commits[i]
}

func (v *view) pullNumbered(n int) *Pull {
	i := slices.IndexFunc(v.Pulls, func(p Pull) bool { return p.Number == n })
	if i < 0 {
		return nil
	}
	return &v.Pulls[i]
}

// Home is the repository's page.
func (v *view) Home() string { return v.page() }

// CommitURL, PullURL and CheckURL are pages.
func (v *view) CommitURL(sha string) string { return v.page("commit", sha) }

// PullURL is a pull request's page.
func (v *view) PullURL(number int) string { return v.page("pull", number) }

// CheckURL is a check run's page.
func (v *view) CheckURL(k Check) string { return v.page("runs", k.ID) }

// Owner is the repository's.
func (v *view) Owner() string { owner, _, _ := strings.Cut(v.repo, "/"); return owner }

// Repo is the repository's name without its owner.
func (v *view) Repo() string { _, name, _ := strings.Cut(v.repo, "/"); return name }

// Markdown shows a text as GitHub does.
func (v *view) Markdown(text string) (template.HTML, error) {
	return v.markdown.HTML(text) //nolint:wrapcheck // it says what it was doing
}

// Checked are the check runs of a commit, the newest of each name; what wants
// attention is first, as on github.com.
func (v *view) Checked(sha string) []Check {
	var found []Check
	for _, k := range slices.Backward(v.Checks) {
		same := func(other Check) bool { return other.Name == k.Name && other.App == k.App }
		if k.HeadSHA == sha && !slices.ContainsFunc(found, same) {
			found = append(found, k)
		}
	}
	slices.SortStableFunc(found, func(a, b Check) int {
		return cmp.Or(cmp.Compare(urgency(a.Outcome()), urgency(b.Outcome())), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// Deployed are the deployments of a commit, the oldest first.
func (v *view) Deployed(sha string) []Deployment {
	return slices.DeleteFunc(slices.Clone(v.Deployments), func(d Deployment) bool { return d.SHA != sha })
}

// part is what the lists in several pages show.
type part struct {
	View *view
	Runs []Check
	Went []Deployment
}

// With makes a part; one of the lists is nil.
func (v *view) With(runs []Check, went []Deployment) part { return part{v, runs, went} }
