package bucket

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// unwrap takes a body out of the "aws-chunked" encoding that streaming signatures
// come in, and gives the request the length of what is inside. The signatures of
// the single chunks are not checked.
func unwrap(r *http.Request) error {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return nil
	}
	size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil {
		return &s3Error{http.StatusLengthRequired, "MissingContentLength", "You must provide the X-Amz-Decoded-Content-Length header."}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{&chunks{r: bufio.NewReader(r.Body)}, r.Body}
	r.ContentLength = size
	r.Header.Set("Content-Length", strconv.FormatInt(size, 10))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	r.Header.Del("X-Amz-Trailer")
	return nil
}

// chunks reads SIZE[;chunk-signature=…]\r\n DATA \r\n … 0\r\n [trailers].
type chunks struct {
	r    *bufio.Reader
	left int64
	done bool
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		if err := c.next(); err != nil || c.done {
			return 0, orEOF(err)
		}
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.left == 0 && err == nil {
		_, err = c.r.Discard(2)
	}
	if err != nil {
		return n, fmt.Errorf("read a chunk: %w", io.ErrUnexpectedEOF)
	}
	return n, nil
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

func (c *chunks) next() error {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read a chunk's head: %w", io.ErrUnexpectedEOF)
	}
	text, _, _ := strings.Cut(strings.TrimSpace(line), ";")
	if c.left, err = strconv.ParseInt(text, 16, 64); err != nil {
		return fmt.Errorf("read a chunk's head: %w", err)
	}
	if c.left == 0 {
		c.done = true
		_, _ = io.Copy(io.Discard, c.r)
	}
	return nil
}
