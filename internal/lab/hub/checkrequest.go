package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	mostAnnotations = 50
	// textLimit is in characters by GitHub's description, and in bytes besides:
	// https://github.com/github/docs/issues/35252
	textLimit = 65535
	// These are an annotation's.
	messageLimit, titleLimit = 64 << 10, 255
)

// checkRequest is what makes or changes a check run; what is nil was not said.
type checkRequest struct {
	Name        *string        `json:"name"`
	HeadSHA     *string        `json:"head_sha"`
	ExternalID  *string        `json:"external_id"`
	DetailsURL  *string        `json:"details_url"`
	Status      *string        `json:"status"`
	Conclusion  *string        `json:"conclusion"`
	StartedAt   *string        `json:"started_at"`
	CompletedAt *string        `json:"completed_at"`
	Output      *outputRequest `json:"output"`
}

type outputRequest struct {
	Title       *string             `json:"title"`
	Summary     *string             `json:"summary"`
	Text        *string             `json:"text"`
	Annotations []annotationRequest `json:"annotations"`
}

type annotationRequest struct {
	Path        *string `json:"path"`
	StartLine   *int    `json:"start_line"`
	EndLine     *int    `json:"end_line"`
	StartColumn int     `json:"start_column"`
	EndColumn   int     `json:"end_column"`
	Level       *string `json:"annotation_level"`
	Message     *string `json:"message"`
	Title       string  `json:"title"`
	RawDetails  string  `json:"raw_details"`
}

// checkRequest reads a request and refuses what holds for making and changing.
func (c *call) checkRequest() (checkRequest, error) {
	var in checkRequest
	if err := c.read(&in); err != nil {
		return in, err
	}
	if !c.token.bot() {
		return in, forbidden("You must authenticate via a GitHub App.")
	}
	statuses := []string{"queued", "in_progress", "completed"}
	// "stale" is GitHub's own to set.
	conclusions := []string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
	if err := oneOf("status", in.Status, statuses); err != nil {
		return in, err
	}
	if err := oneOf("conclusion", in.Conclusion, conclusions); err != nil {
		return in, err
	}
	ends := in.Status != nil && *in.Status == "completed" || in.CompletedAt != nil
	if ends && in.Conclusion == nil {
		return in, supplied(map[string]bool{"conclusion": false})
	}
	if in.DetailsURL != nil && *in.DetailsURL != "" && !webAddress(*in.DetailsURL) {
		return in, validationFailed(detail{"CheckRun", "custom", "details_url", "details_url must use http(s) scheme"})
	}
	if in.Output == nil {
		return in, nil
	}
	return in, in.Output.check()
}

func (o *outputRequest) check() error {
	for _, part := range []struct {
		name string
		text *string
	}{{"summary", o.Summary}, {"text", o.Text}} {
		if part.text == nil {
			continue
		}
		if n := utf8.RuneCountInString(*part.text); n > textLimit {
			return invalid("Only %d characters are allowed; %d were supplied.", textLimit, n)
		}
		if len(*part.text) > textLimit {
			return validationFailed(detail{"CheckRun", "custom", part.name, fmt.Sprintf("%s exceeds a maximum bytesize of %d", part.name, textLimit)})
		}
	}
	if n := len(o.Annotations); n > mostAnnotations {
		return invalid("No more than %d items are allowed; %d were supplied.", mostAnnotations, n)
	}
	for _, a := range o.Annotations {
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

// check refuses an annotation. GitHub's own words for lines and columns that do not
// fit are not known; that it refuses them is.
// https://docs.github.com/en/rest/checks/runs#create-a-check-run
func (a annotationRequest) check() error {
	if err := supplied(map[string]bool{
		"path": a.Path != nil, "start_line": a.StartLine != nil, "end_line": a.EndLine != nil,
		"annotation_level": a.Level != nil, "message": a.Message != nil,
	}); err != nil {
		return err
	}
	if err := oneOf("annotation_level", a.Level, []string{"notice", "warning", "failure"}); err != nil {
		return err
	}
	refuse := func(field, message string) error {
		return validationFailed(detail{"CheckAnnotation", "custom", field, message})
	}
	switch {
	case *a.StartLine < 1:
		return refuse("start_line", "start_line must be at least 1")
	case *a.EndLine < *a.StartLine:
		return refuse("end_line", "end_line must not be before start_line")
	case *a.StartLine != *a.EndLine && (a.StartColumn != 0 || a.EndColumn != 0):
		return refuse("start_column", "columns must be omitted if start_line and end_line have different values")
	case a.EndColumn != 0 && a.EndColumn < a.StartColumn:
		return refuse("end_column", "end_column must not be before start_column")
	case len(*a.Message) > messageLimit:
		return refuse("message", "message exceeds a maximum bytesize of 65536")
	case len(a.RawDetails) > messageLimit:
		return refuse("raw_details", "raw_details exceeds a maximum bytesize of 65536")
	case utf8.RuneCountInString(a.Title) > titleLimit:
		return refuse("title", "title is too long (maximum is 255 characters)")
	case strings.HasPrefix(*a.Path, "/"):
		return refuse("path", "path must be relative to the repository's root")
	}
	return nil
}

// to adds the annotations to those that are there, and sets the rest.
func (o *outputRequest) to(k *Check) {
	for field, value := range map[*string]*string{&k.Title: o.Title, &k.Summary: o.Summary, &k.Text: o.Text} {
		if value != nil {
			*field = *value
		}
	}
	for _, a := range o.Annotations {
		k.Annotations = append(k.Annotations, Annotation{
			Path: *a.Path, StartLine: *a.StartLine, EndLine: *a.EndLine, StartColumn: a.StartColumn, EndColumn: a.EndColumn,
			Level: *a.Level, Message: *a.Message, Title: a.Title, RawDetails: a.RawDetails,
		})
	}
}

func (in checkRequest) time(name string, value *string) (time.Time, error) {
	if value == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *value)
	if err != nil {
		return t, invalid("For 'properties/%s', %q is not a date-time.", name, *value)
	}
	return t.UTC().Truncate(time.Second), nil
}

// supplied fails with the names of what is missing.
func supplied(there map[string]bool) error {
	var missing []string
	for name, ok := range there {
		if !ok {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	slices.Sort(missing)
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return invalid("%s wasn't supplied.", missing[0])
	default:
		return invalid("%s weren't supplied.", strings.Join(missing, ", "))
	}
}

func oneOf(name string, value *string, all []string) error {
	if value == nil || slices.Contains(all, *value) {
		return nil
	}
	return invalid("For 'properties/%s', %q is not a member of %s.", name, *value, fmt.Sprintf("%q", all))
}

func webAddress(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}
