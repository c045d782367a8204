package space

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
)

// What an Error can be: use errors.Is.
var (
	// ErrNotFound says that there is no such object.
	ErrNotFound = errors.New("not found")
	// ErrNoBucket says that there is no such bucket.
	ErrNoBucket = errors.New("no such bucket")
	// ErrDenied says that the keys are wrong or may not do that.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable says that nothing answered.
	ErrUnreachable = errors.New("no answer")
)

// Error is a request that failed: what was tried, what was answered, what to do.
type Error struct {
	Op      string // "upload", "read", …
	Bucket  string
	Key     string // with the prefix; may be empty
	Status  int    // HTTP's; 0 if there was no answer
	Code    string // S3's word, such as NoSuchBucket
	Message string // S3's text, or the network's
	Request string // S3's request id, for its support
	Fix     string
	err     error
}

// Error tells everything on one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", e.Op, e.where())
	if e.Status != 0 {
		fmt.Fprintf(&b, "S3 answered %d", e.Status)
		if e.Code != "" {
			fmt.Fprintf(&b, " %s", e.Code)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Request != "" {
		fmt.Fprintf(&b, " (request %s)", e.Request)
	}
	if e.Fix != "" {
		fmt.Fprintf(&b, "; %s", e.Fix)
	}
	return b.String()
}

func (e *Error) where() string {
	if e.Key == "" {
		return "bucket " + e.Bucket
	}
	return e.Bucket + "/" + e.Key
}

// Unwrap lets errors.Is find one of this package's errors, or the context's.
func (e *Error) Unwrap() error { return e.err }

// fail makes an Error of what a request ended with. key is with the prefix.
func (c *Client) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Bucket: c.cfg.Bucket, Key: key}
	var answer minio.ErrorResponse
	switch {
	case ctx.Err() != nil:
		e.err = context.Cause(ctx)
		e.Message = e.err.Error()
		return e
	case errors.As(err, &answer) && answer.StatusCode != 0:
		e.Status, e.Code, e.Message, e.Request = answer.StatusCode, answer.Code, answer.Error(), answer.RequestID
		e.Fix, e.err = c.judge(answer.StatusCode, answer.Code)
		if e.err == nil {
			e.err = answer
		}
		return e
	}
	// A network error's URL tells nothing new, and could carry a signature.
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	e.Message = strings.TrimSuffix(err.Error(), ".")
	e.err = errors.Join(ErrUnreachable, err)
	e.Fix = fmt.Sprintf("check the endpoint (%s) and the network", c.s3.EndpointURL())
	return e
}

// judge says what an answer means, and what to do about it.
func (c *Client) judge(status int, code string) (fix string, kind error) {
	switch {
	case code == minio.NoSuchBucket:
		return fmt.Sprintf("create the Space %q in region %s, or name another in snowdrop.yaml (space.bucket, space.region)",
			c.cfg.Bucket, c.cfg.Region), ErrNoBucket
	case code == "SignatureDoesNotMatch":
		return "check SPACES_SECRET_ACCESS_KEY, that it belongs to SPACES_ACCESS_KEY_ID, and this machine's clock", ErrDenied
	case code == "RequestTimeTooSkewed", code == "RequestExpired":
		return fmt.Sprintf("set this machine's clock: it says %s", c.cfg.Now().UTC().Format(http.TimeFormat)), ErrDenied
	case code == "InvalidAccessKeyId":
		return "check SPACES_ACCESS_KEY_ID: Spaces has keys of its own, an API token does not serve", ErrDenied
	case code == "NotImplemented", code == "MethodNotAllowed":
		return "this S3 cannot do that", nil
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return fmt.Sprintf("the keys need read and write access to the Space %q in region %s", c.cfg.Bucket, c.cfg.Region), ErrDenied
	case status == http.StatusNotFound:
		return "", ErrNotFound
	case code == "SlowDown", status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return fmt.Sprintf("it was tried %d times; try again later", retries), nil
	default:
		return "", nil
	}
}
