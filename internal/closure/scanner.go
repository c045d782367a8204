package closure

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// scanner reads JSON value by value and passes over what is not wanted, which is
// most of what Nix says about a path. encoding/json looks at each byte of it several
// times and takes four times as long (bench/closure_test.go). Strings that
// are passed over are not checked for bad escapes.
type scanner struct {
	r *bufio.Reader
	// scratch holds the last token, or a string that is not whole in r's buffer.
	scratch []byte
	// key is the last name in an object.
	key []byte
}

// scanBuffer is larger than nearly all that Nix says about one path.
const scanBuffer = 64 << 10

// maxNesting bounds the recursion; Nix nests two deep.
const maxNesting = 100

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, scanBuffer)} }

// next is the first byte of the next token, taken off. At the end of the input it is
// io.EOF.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, err //nolint:wrapcheck // Parse says what was being read
		}
		switch c {
		case ' ', '\n', '\t', '\r':
		default:
			return c, nil
		}
	}
}

// must is next where the input may not end.
func (s *scanner) must() (byte, error) {
	c, err := s.next()
	if err != nil && errors.Is(err, io.EOF) {
		return 0, io.ErrUnexpectedEOF
	}
	return c, err
}

// end errors unless only space is left.
func (s *scanner) end() error {
	switch c, err := s.next(); {
	case err == nil:
		return fmt.Errorf("%q follows the end", c)
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// array calls element for each element, which reads it whole. Its "[" is taken off.
func (s *scanner) array(element func() error) error {
	return s.list(']', element)
}

// object calls member for each member, which reads its value whole; the key is gone
// with the next object. Its "{" is taken off.
func (s *scanner) object(member func(key []byte) error) error {
	return s.list('}', func() error {
		if c, err := s.must(); err != nil {
			return err
		} else if c != '"' {
			return fmt.Errorf("%q stands where a name should", c)
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		s.key = append(s.key[:0], key...)
		if c, err := s.must(); err != nil {
			return err
		} else if c != ':' {
			return fmt.Errorf("%q follows the name %q", c, s.key)
		}
		return member(s.key)
	})
}

func (s *scanner) list(end byte, item func() error) error {
	c, err := s.must()
	if err != nil || c == end {
		return err
	}
	if err := s.r.UnreadByte(); err != nil {
		return err //nolint:wrapcheck // cannot be: a byte was read just now
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch c, err := s.must(); {
		case err != nil:
			return err
		case c == end:
			return nil
		case c != ',':
			return fmt.Errorf("%q stands where %q or %q should", c, ',', end)
		}
	}
}

// text reads a string whose opening quote is taken off, its escapes as they are. It
// is valid until the next read.
func (s *scanner) text() ([]byte, error) {
	chunk, err := s.r.ReadSlice('"')
	if err == nil && !escapesNext(chunk[:len(chunk)-1]) {
		return chunk[:len(chunk)-1], nil // nearly always: no copy
	}
	s.scratch = s.scratch[:0]
	for {
		s.scratch = append(s.scratch, chunk...)
		switch {
		case err == nil:
			if body := s.scratch[:len(s.scratch)-1]; !escapesNext(body) {
				return body, nil
			}
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err //nolint:wrapcheck // Parse says what was being read
		}
		chunk, err = s.r.ReadSlice('"')
	}
}

// escapesNext says whether text ends in a backslash that is not escaped itself.
func escapesNext(text []byte) bool {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// plain is what text read, without escapes.
func plain(text []byte) (string, error) {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text), nil
	}
	var plain string
	if err := json.Unmarshal(slices.Concat([]byte{'"'}, text, []byte{'"'}), &plain); err != nil {
		return "", fmt.Errorf("a string is faulty: %w", err)
	}
	return plain, nil
}

// token reads a number, true, false or null that starts with first. It is valid
// until the next read.
func (s *scanner) token(first byte) ([]byte, error) {
	s.scratch = append(s.scratch[:0], first)
	for {
		c, err := s.r.ReadByte()
		if err != nil && errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // Parse says what was being read
		}
		if !isDigit(c) && !isLetter(c) && c != '.' && c != '+' && c != '-' {
			if err := s.r.UnreadByte(); err != nil {
				return nil, err //nolint:wrapcheck // cannot be: a byte was read just now
			}
			break
		}
		s.scratch = append(s.scratch, c)
	}
	if !isCount(s.scratch) && !json.Valid(s.scratch) {
		return nil, fmt.Errorf("%q is no value", s.scratch)
	}
	return s.scratch, nil
}

// isCount says whether a token is a plain number, as nearly all are.
func isCount(token []byte) bool {
	for _, c := range token {
		if !isDigit(c) {
			return false
		}
	}
	return token[0] != '0' || len(token) == 1
}

// skip passes over one value.
func (s *scanner) skip(depth int) error {
	c, err := s.must()
	if err != nil {
		return err
	}
	return s.skipFrom(c, depth)
}

// skipFrom passes over the value that starts with first, taken off.
func (s *scanner) skipFrom(first byte, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("values are nested more than %d deep", maxNesting)
	}
	switch first {
	case '"':
		_, err := s.text()
		return err
	case '[':
		return s.array(func() error { return s.skip(depth + 1) })
	case '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	default:
		_, err := s.token(first)
		return err
	}
}
