package nspawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	copyBuffer = 1 << 20
	hole       = 64 << 10
)

// copySparse copies from into to, leaving holes where there are only zeros, and
// returns the length. The end of ctx ends it between two reads.
func copySparse(ctx context.Context, to *os.File, from io.Reader) (int64, error) {
	buffer, zeros := make([]byte, copyBuffer), make([]byte, hole)
	var length int64
	for {
		if err := ctx.Err(); err != nil {
			return length, fmt.Errorf("copy the image: %w", context.Cause(ctx))
		}
		n, readErr := io.ReadFull(from, buffer)
		for done := 0; done < n; done += hole {
			block := buffer[done:min(done+hole, n)]
			if bytes.Equal(block, zeros[:len(block)]) {
				continue
			}
			if _, err := to.WriteAt(block, length+int64(done)); err != nil {
				return length, fmt.Errorf("write %s: %w", to.Name(), err)
			}
		}
		length += int64(n)
		switch {
		case errors.Is(readErr, io.EOF), errors.Is(readErr, io.ErrUnexpectedEOF):
			if err := to.Truncate(length); err != nil {
				return length, fmt.Errorf("set the size of %s: %w", to.Name(), err)
			}
			return length, nil
		case readErr != nil:
			return length, fmt.Errorf("read the image: %w", readErr)
		}
	}
}
