package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func page(summary string) *gh.CheckRunOutput {
	return &gh.CheckRunOutput{Title: gh.String("t"), Summary: gh.String(summary)}
}

func annotated(changes ...func(*gh.CheckRunAnnotation)) *gh.CheckRunOutput {
	out := page("s")
	for _, change := range changes {
		a := &gh.CheckRunAnnotation{Path: gh.String("a.nix"), StartLine: gh.Int(2), EndLine: gh.Int(2), AnnotationLevel: gh.String("failure"), Message: gh.String("no")}
		change(a)
		out.Annotations = append(out.Annotations, a)
	}
	return out
}

func asIs(*gh.CheckRunAnnotation) {}

func many(n int) *gh.CheckRunOutput {
	changes := make([]func(*gh.CheckRunAnnotation), n)
	for i := range changes {
		changes[i] = func(a *gh.CheckRunAnnotation) { a.Message = gh.String(fmt.Sprint(i)) }
	}
	return annotated(changes...)
}

func TestACheckRunThatGitHubRefusesIsRefusedAndNotMade(t *testing.T) {
	t.Parallel()
	const tooLong = 65536
	for name, tt := range map[string]struct {
		change func(*gh.CreateCheckRunOptions)
		want   string // "" is accepted
	}{
		"nothing wrong":      {func(*gh.CreateCheckRunOptions) {}, ""},
		"unknown commit":     {func(o *gh.CreateCheckRunOptions) { o.HeadSHA = sha("7") }, "422 No commit found for SHA: " + sha("7")},
		"a branch":           {func(o *gh.CreateCheckRunOptions) { o.HeadSHA = "main" }, "422 No commit found"},
		"unknown conclusion": {func(o *gh.CreateCheckRunOptions) { o.Conclusion = gh.String("good") }, "422 Invalid request.\n\nFor 'properties/conclusion', \"good\" is not a member of"},
		"stale":              {func(o *gh.CreateCheckRunOptions) { o.Conclusion = gh.String("stale") }, "is not a member of"},
		"unknown status":     {func(o *gh.CreateCheckRunOptions) { o.Status = gh.String("waiting") }, "'properties/status'"},
		"completed without a conclusion": {
			func(o *gh.CreateCheckRunOptions) { o.Status = gh.String("completed") },
			"422 Invalid request.\n\n\"conclusion\" wasn't supplied.",
		},
		"a time of completion without a conclusion": {func(o *gh.CreateCheckRunOptions) { o.CompletedAt = &gh.Timestamp{} }, `"conclusion" wasn't supplied.`},
		"output without a summary":                  {func(o *gh.CreateCheckRunOptions) { o.Output = &gh.CheckRunOutput{Title: gh.String("t")} }, `"summary" wasn't supplied.`},
		"output without both":                       {func(o *gh.CreateCheckRunOptions) { o.Output = &gh.CheckRunOutput{} }, `"summary", "title" weren't supplied.`},
		"the longest summary":                       {func(o *gh.CreateCheckRunOptions) { o.Output = page(strings.Repeat("a", tooLong-1)) }, ""},
		"summary too long":                          {func(o *gh.CreateCheckRunOptions) { o.Output = page(strings.Repeat("a", tooLong)) }, "Only 65535 characters are allowed; 65536 were supplied."},
		"summary too long in bytes": {
			func(o *gh.CreateCheckRunOptions) { o.Output = page(strings.Repeat("é", tooLong/2)) },
			"422 Validation Failed; CheckRun summary custom summary exceeds a maximum bytesize of 65535",
		},
		"text too long": {func(o *gh.CreateCheckRunOptions) {
			o.Output = page("s")
			o.Output.Text = gh.String(strings.Repeat("a", tooLong))
		}, "Only 65535 characters"},
		"50 annotations":  {func(o *gh.CreateCheckRunOptions) { o.Output = many(50) }, ""},
		"51 annotations":  {func(o *gh.CreateCheckRunOptions) { o.Output = many(51) }, "No more than 50 items are allowed; 51 were supplied."},
		"details address": {func(o *gh.CreateCheckRunOptions) { o.DetailsURL = gh.String("ftp://example.com") }, "details_url must use http(s) scheme"},
		"columns in two lines": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.EndLine, a.StartColumn = gh.Int(3), gh.Int(1) })
		}, "422 Validation Failed; CheckAnnotation start_column"},
		"columns in one line": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.StartColumn, a.EndColumn = gh.Int(1), gh.Int(4) })
		}, ""},
		"columns backwards": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.StartColumn, a.EndColumn = gh.Int(4), gh.Int(1) })
		}, "end_column"},
		"lines backwards": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(asIs, func(a *gh.CheckRunAnnotation) { a.EndLine = gh.Int(1) })
		}, "end_line"},
		"line 0": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.StartLine = gh.Int(0) })
		}, "start_line"},
		"level": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.AnnotationLevel = gh.String("error") })
		}, `"error" is not a member of ["notice" "warning" "failure"]`},
		"incomplete annotation": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.Path, a.AnnotationLevel = nil, nil })
		}, `"annotation_level", "path" weren't supplied.`},
		"absolute path": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.Path = gh.String("/etc/a.nix") })
		}, "path must be relative"},
		"long title": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.Title = gh.String(strings.Repeat("é", 256)) })
		}, "title is too long"},
		"long message": {func(o *gh.CreateCheckRunOptions) {
			o.Output = annotated(func(a *gh.CheckRunAnnotation) { a.Message = gh.String(strings.Repeat("a", 65537)) })
		}, "message exceeds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, hub.Config{})
			o := gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4")}
			tt.change(&o)
			_, _, err := w.client(hub.DefaultToken).Checks.CreateCheckRun(t.Context(), owner, repo, o)
			if tt.want == "" && err == nil && len(w.State().Checks) == 1 {
				return
			}
			if tt.want == "" {
				t.Fatalf("refused: %v", err)
			}
			fails(t, err, tt.want)
			if n := len(w.State().Checks); n != 0 {
				t.Errorf("there are %d check runs", n)
			}
		})
	}
}

func TestAnnotationsAreAddedAndTheRestIsReplaced(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c, ctx := w.client(hub.DefaultToken), t.Context()
	run := w.check(c, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4"), Status: gh.String("in_progress"), Output: many(50)})
	out := many(30)
	out.Summary = gh.String("new")
	updated, _, err := c.Checks.UpdateCheckRun(ctx, owner, repo, run.GetID(), gh.UpdateCheckRunOptions{Name: "c", Conclusion: gh.String("failure"), Output: out})
	if err != nil {
		t.Fatal(err)
	}
	if n := updated.GetOutput().GetAnnotationsCount(); n != 80 || updated.GetStatus() != "completed" || updated.GetCompletedAt().IsZero() {
		t.Errorf("%d annotations, %s at %s", n, updated.GetStatus(), updated.GetCompletedAt())
	}
	var all []string
	for o := (&gh.ListOptions{PerPage: 25}); ; {
		some, resp, err := c.Checks.ListCheckRunAnnotations(ctx, owner, repo, run.GetID(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range some {
			all = append(all, a.GetMessage())
		}
		if o.Page = resp.NextPage; o.Page == 0 {
			break
		}
	}
	if len(all) != 80 || all[0] != "0" || all[49] != "49" || all[50] != "0" {
		t.Errorf("annotations: %v", all)
	}
	if k := w.State().Checks[0]; k.Summary != "new" || k.Title != "t" || k.Updates != 1 {
		t.Errorf("the check run is %+v", k)
	}
}

func (w *world) check(c *gh.Client, o gh.CreateCheckRunOptions) *gh.CheckRun {
	w.t.Helper()
	run, _, err := c.Checks.CreateCheckRun(context.Background(), owner, repo, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func TestARefusedUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	run := w.check(c, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4"), Output: many(1)})
	before := w.State().Checks
	for _, o := range []gh.UpdateCheckRunOptions{
		{Name: "other", Status: gh.String("completed")},
		{Name: "other", Output: many(51)},
		{Name: "other", Output: &gh.CheckRunOutput{Title: gh.String("no summary")}},
	} {
		_, _, err := c.Checks.UpdateCheckRun(t.Context(), owner, repo, run.GetID(), o)
		fails(t, err, "422 Invalid request.")
	}
	_, _, err := w.client(other).Checks.UpdateCheckRun(t.Context(), owner, repo, run.GetID(), gh.UpdateCheckRunOptions{Name: "other"})
	fails(t, err, "403 Invalid app_id")
	_, _, err = w.client(personal).Checks.CreateCheckRun(t.Context(), owner, repo, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4")})
	fails(t, err, "403 You must authenticate via a GitHub App.")
	if diff := cmp.Diff(before, w.State().Checks); diff != "" {
		t.Error(diff)
	}
}

func TestACheckRunThatRunsAgainHasNoConclusion(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	run := w.check(c, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4"), Conclusion: gh.String("failure")})
	if run.GetStatus() != "completed" {
		t.Errorf("a conclusion alone makes it %s", run.GetStatus())
	}
	again, _, err := c.Checks.UpdateCheckRun(t.Context(), owner, repo, run.GetID(), gh.UpdateCheckRunOptions{Name: "c", Status: gh.String("in_progress")})
	if err != nil || again.Conclusion != nil || again.CompletedAt != nil {
		t.Errorf("%v, %v", again, err)
	}
}

func TestTheNewestCheckRunOfEachNameIsListedUnlessAllAreAskedFor(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	for _, k := range [][2]string{{"a", "1"}, {"b", "2"}, {"a", "3"}} {
		w.check(c, gh.CreateCheckRunOptions{Name: k[0], HeadSHA: sha("4"), ExternalID: gh.String(k[1])})
	}
	w.check(c, gh.CreateCheckRunOptions{Name: "a", HeadSHA: sha("5"), ExternalID: gh.String("4")})
	w.check(w.client(other), gh.CreateCheckRunOptions{Name: "a", HeadSHA: sha("4"), ExternalID: gh.String("5"), Conclusion: gh.String("success")})
	for _, tt := range []struct {
		o    gh.ListCheckRunsOptions
		want []string
	}{
		{gh.ListCheckRunsOptions{}, []string{"5", "3", "2"}},
		{gh.ListCheckRunsOptions{Filter: gh.String("all")}, []string{"5", "3", "2", "1"}},
		{gh.ListCheckRunsOptions{CheckName: gh.String("a")}, []string{"5", "3"}},
		{gh.ListCheckRunsOptions{Status: gh.String("completed")}, []string{"5"}},
		{gh.ListCheckRunsOptions{AppID: gh.Int64(15368)}, []string{"3", "2"}},
	} {
		list, _, err := c.Checks.ListCheckRunsForRef(t.Context(), owner, repo, "open", &tt.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range list.CheckRuns {
			got = append(got, k.GetExternalID())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || list.GetTotal() != len(tt.want) {
			t.Errorf("%v: %d in total\n%s", tt.o, list.GetTotal(), diff)
		}
	}
}
