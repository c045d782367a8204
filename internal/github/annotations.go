package github

import (
	"cmp"
	"context"

	gh "github.com/google/go-github/v60/github"
)

const (
	// batchSize is how many annotations one request takes; what further ones
	// bring is appended.
	// https://docs.github.com/en/rest/checks/runs#update-a-check-run
	batchSize = 50
	textLimit = 65535
	// Of an annotation: 64 KB for message and details, 255 characters for the title.
	annotationLimit = 64 << 10
	titleLimit      = 255
)

// Annotation is a remark on some lines of a file.
type Annotation struct {
	// Path is relative to the repository's root.
	Path string
	// Lines and columns count from 1. Columns are for a single line only; they
	// are left out otherwise, and where they are 0.
	StartLine, EndLine, StartColumn, EndColumn int
	// Level is notice, warning or failure.
	Level string
	// Title, Message and RawDetails are plain text. What is too long is cut off.
	Title, Message, RawDetails string
}

func firstBatch(all []Annotation) (first, rest []Annotation) {
	n := min(len(all), batchSize)
	return all[:n], all[n:]
}

func converted(batch []Annotation) []*gh.CheckRunAnnotation {
	var out []*gh.CheckRunAnnotation
	for _, a := range batch {
		start := max(1, a.StartLine)
		one := &gh.CheckRunAnnotation{
			Path: gh.String(valid(a.Path)), StartLine: gh.Int(start), EndLine: gh.Int(max(start, a.EndLine)),
			AnnotationLevel: gh.String(a.Level), Message: gh.String(cutBytes(cmp.Or(a.Message, a.Title, a.Path), annotationLimit)), // it must not be empty

			Title: optional(cutLine(a.Title, titleLimit)), RawDetails: optional(cutBytes(a.RawDetails, annotationLimit)),
		}
		if *one.StartLine == *one.EndLine && a.StartColumn > 0 {
			one.StartColumn, one.EndColumn = gh.Int(a.StartColumn), gh.Int(max(a.StartColumn, a.EndColumn))
		}
		out = append(out, one)
	}
	return out
}

// annotations is how many annotations a check run has. GitHub says so in every
// answer, so it is asked only about a check run that this client did not see yet.
func (c *Client) annotations(ctx context.Context, id int64) (int, error) {
	c.mu.Lock()
	count, ok := c.annotated[id]
	c.mu.Unlock()
	if ok {
		return count, nil
	}
	run, err := c.getCheck(ctx, id)
	if err != nil {
		return 0, err
	}
	return run.GetOutput().GetAnnotationsCount(), nil
}

func (c *Client) noteAnnotations(id int64, count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.annotated[id] = count
}
