package bucket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The signature check of S3, version 4, for the header and for the query.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeLayout = "20060102T150405Z"
	// skew is how far the clocks of client and server may be apart.
	skew = 15 * time.Minute
	// maxExpiry is the longest life of a presigned URL.
	maxExpiry = 7 * 24 * time.Hour
)

// errUnsigned says that a request carries no signature at all.
var errUnsigned = errors.New("the request is not signed")

// s3Error is a refusal with S3's own code.
type s3Error struct {
	status        int
	code, message string
}

func (e *s3Error) Error() string { return e.code + ": " + e.message }

func denied(format string, args ...any) error {
	return &s3Error{http.StatusForbidden, "AccessDenied", fmt.Sprintf(format, args...)}
}

// signature is what a request says of its own signature.
type signature struct {
	key, scope, region, service string
	at                          time.Time
	headers                     []string
	payload, value              string
}

// verify fails unless the request is signed with the key pair, now.
func verify(r *http.Request, accessKey, secret string, now time.Time) error {
	sig, err := parse(r, now)
	if err != nil {
		return err
	}
	if sig.key != accessKey {
		return &s3Error{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	}
	if !hmac.Equal([]byte(sig.value), []byte(sign(r, sig, secret))) {
		return &s3Error{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	}
	return nil
}

func parse(r *http.Request, now time.Time) (signature, error) {
	if q := r.URL.Query(); q.Has("X-Amz-Algorithm") || q.Has("X-Amz-Signature") {
		return parseQuery(q, now)
	}
	if h := r.Header.Get("Authorization"); h != "" {
		return parseHeader(r, h, now)
	}
	return signature{}, errUnsigned
}

func parseQuery(q url.Values, now time.Time) (signature, error) {
	expires, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || expires < 1 || time.Duration(expires)*time.Second > maxExpiry {
		return signature{}, &s3Error{http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 and 604800 seconds"}
	}
	sig, err := newSignature(q.Get("X-Amz-Algorithm"), q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature"), q.Get("X-Amz-Date"))
	if err != nil {
		return sig, err
	}
	if now.After(sig.at.Add(time.Duration(expires) * time.Second)) {
		return sig, denied("Request has expired")
	}
	if now.Before(sig.at.Add(-skew)) {
		return sig, denied("Request is not yet valid")
	}
	sig.payload = "UNSIGNED-PAYLOAD"
	return sig, nil
}

func parseHeader(r *http.Request, header string, now time.Time) (signature, error) {
	name, rest, _ := strings.Cut(header, " ")
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[k] = v
	}
	sig, err := newSignature(name, fields["Credential"], fields["SignedHeaders"], fields["Signature"], r.Header.Get("X-Amz-Date"))
	if err != nil {
		return sig, err
	}
	if d := now.Sub(sig.at); d > skew || d < -skew {
		return sig, &s3Error{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	}
	if sig.payload = r.Header.Get("X-Amz-Content-Sha256"); sig.payload == "" {
		return sig, &s3Error{http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"}
	}
	return sig, nil
}

func newSignature(name, credential, headers, value, date string) (signature, error) {
	parts := strings.Split(credential, "/")
	if name != algorithm || len(parts) < 5 || headers == "" || len(value) != sha256.Size*2 {
		return signature{}, &s3Error{http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization is malformed; it must be " + algorithm}
	}
	at, err := time.Parse(timeLayout, date)
	n := len(parts)
	if err != nil || parts[n-4] != at.Format("20060102") || parts[n-2] != "s3" || parts[n-1] != "aws4_request" {
		return signature{}, &s3Error{http.StatusBadRequest, "AuthorizationHeaderMalformed", "The credential's scope does not fit the request"}
	}
	return signature{
		key: strings.Join(parts[:n-4], "/"), scope: strings.Join(parts[n-4:], "/"), region: parts[n-3], service: parts[n-2],
		at: at, headers: strings.Split(headers, ";"), value: value,
	}, nil
}

// sign computes the signature that the request should have.
func sign(r *http.Request, sig signature, secret string) string {
	var headers strings.Builder
	for _, name := range sig.headers {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	canonical := strings.Join([]string{
		r.Method, escapePath(r.URL.Path), canonicalQuery(r.URL.Query()), headers.String(), strings.Join(sig.headers, ";"), sig.payload,
	}, "\n")
	hash := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{algorithm, sig.at.Format(timeLayout), sig.scope, hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{sig.at.Format("20060102"), sig.region, sig.service, "aws4_request"} {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func canonicalQuery(q url.Values) string {
	q.Del("X-Amz-Signature")
	var pairs []string
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, escape(name)+"="+escape(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// escape encodes everything but the unreserved characters, which url.QueryEscape
// does not.
func escape(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), "%7E", "~")
}

func escapePath(p string) string {
	return strings.ReplaceAll(escape(p), "%2F", "/")
}
