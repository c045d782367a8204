package space

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ProbeResult is what a URL answers to the requests by which DigitalOcean's import
// gets at an image.
type ProbeResult struct {
	Head         int   // status of HEAD
	RangedGet    int   // status of GET for the first byte
	AcceptRanges bool  // the GET was answered with that byte alone
	Length       int64 // of the whole, in bytes; -1 if it was not said
}

// Probe asks url what it answers to HEAD and to a GET of its first byte. An error
// says that nothing answered; it does not hold the URL, which may be a secret.
func Probe(ctx context.Context, client *http.Client, url string) (ProbeResult, error) {
	r := ProbeResult{Length: -1}
	head, err := ask(ctx, client, http.MethodHead, url)
	if err != nil {
		return r, err
	}
	r.Head = head.status
	get, err := ask(ctx, client, http.MethodGet, url)
	if err != nil {
		return r, err
	}
	r.RangedGet = get.status
	r.AcceptRanges = get.status == http.StatusPartialContent
	switch get.status {
	case http.StatusPartialContent:
		_, total, _ := strings.Cut(get.contentRange, "/")
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			r.Length = n
		}
	case http.StatusOK:
		r.Length = get.length
	}
	return r, nil
}

// answer is what is looked at of a response.
type answer struct {
	status       int
	contentRange string
	length       int64
}

func ask(ctx context.Context, client *http.Client, method, address string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return answer{}, errors.New("probe: not a URL that can be asked")
	}
	if method == http.MethodGet {
		req.Header.Set("Range", "bytes=0-0")
	}
	resp, err := client.Do(req)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return answer{}, fmt.Errorf("%s of the object's URL at %s: %w", method, req.URL.Host, err)
	}
	defer func() { _ = resp.Body.Close() }() // the status is all that matters
	const enough = 4 << 10                   // an error's text; of the object one byte was asked for
	_, _ = io.CopyN(io.Discard, resp.Body, enough)
	return answer{resp.StatusCode, resp.Header.Get("Content-Range"), resp.ContentLength}, nil
}

// Readable says whether a GET gives the bytes: without that, an import must fail.
func (r ProbeResult) Readable() bool {
	return r.RangedGet == http.StatusOK || r.RangedGet == http.StatusPartialContent
}

// Explain says in a sentence or two what is in the way of an import; "" if nothing.
func (r ProbeResult) Explain() string {
	switch {
	case r.RangedGet == http.StatusForbidden:
		return "the object's URL answers 403 to GET: the Space's keys may not read it, or this machine's clock is wrong; " +
			"give the keys read access, or set the clock"
	case r.RangedGet == http.StatusNotFound:
		return "the object's URL answers 404 to GET: the object is not there; upload it again"
	case !r.Readable():
		return fmt.Sprintf("the object's URL answers %d to GET, so DigitalOcean cannot read it either; see whether the Space works", r.RangedGet)
	case r.Head < http.StatusOK || r.Head >= http.StatusMultipleChoices:
		return fmt.Sprintf("the object's URL answers %d to HEAD, as S3 does when a URL is signed for GET; "+
			"DigitalOcean's documentation demands HEAD, though imports are known to succeed without; "+
			"if this one fails, set space.delivery to public-read", r.Head)
	case !r.AcceptRanges:
		return "the object's URL does not serve ranges: an import that is interrupted has to begin again"
	default:
		return ""
	}
}

// Probe is the function Probe, over the client's own connections.
func (c *Client) Probe(ctx context.Context, url string) (ProbeResult, error) {
	return Probe(ctx, c.http, url)
}
