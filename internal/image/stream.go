package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/pgzip"
)

// How an uncompressed image is packed on its way; bench/README.md has the
// measurements. Level 5 makes files as small as gzip's default all but 3 %, at
// several times its speed; zeros, of which disks are full, are no slower at it than
// at level 1, which level 6 is five times.
// Blocks of one size make the output the same on every machine, however many
// processors it has. Blocks under way bound the memory: each holds its input, its
// output and a compressor, some 3 MiB.
const (
	level       = 5
	blockSize   = 1 << 20
	blocksAtOne = 4
)

// ErrChanged says that the image file is not what was inspected.
var ErrChanged = errors.New("the image file changed while it was read")

// Stream is an image's bytes as they go to the Space. It is to be closed.
type Stream struct {
	r     io.Reader
	stop  func()
	done  atomic.Int64 // bytes read from the file
	total int64

	mu   sync.Mutex
	hash hash.Hash
	size int64 // bytes given out
}

// Open opens the image for its upload: compressed files as they are, uncompressed
// ones packed with gzip while they are read, on all processors and in little
// memory. The same image makes the same bytes everywhere. When ctx is done, Read
// returns its cause.
func (i Info) Open(ctx context.Context) (*Stream, error) {
	f, err := os.Open(i.Path)
	if err != nil {
		return nil, fmt.Errorf("open image for upload: %w", err)
	}
	s := &Stream{total: i.Size, hash: sha256.New()}
	source := untilDone(ctx, &sourceReader{r: f, s: s, path: i.Path})
	if i.Compression != Uncompressed {
		s.r = source
		s.stop = sync.OnceFunc(func() { _ = f.Close() })
		return s, nil
	}
	packed, stop := pack(source)
	s.r = packed
	s.stop = sync.OnceFunc(func() { stop(); _ = f.Close() })
	return s, nil
}

// Read gives the next bytes of the object.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.hash.Write(p[:n]) // a hash never fails
	s.size += int64(n)
	return n, err //nolint:wrapcheck // a reader passes io.EOF on as it is
}

// Close ends the packing and closes the file. Nothing runs on afterwards.
func (s *Stream) Close() error {
	s.stop()
	return nil
}

// Sum is the SHA-256, in hex, and the number of the bytes that were read from the
// stream so far: the object's after io.EOF.
func (s *Stream) Sum() (sha256hex string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hex.EncodeToString(s.hash.Sum(nil)), s.size
}

// Consumed is how many bytes of the image file have been read, of how many. It may
// be called from anywhere at any time.
func (s *Stream) Consumed() (done, total int64) { return s.done.Load(), s.total }

// sourceReader counts, and holds against the file's size at the end.
type sourceReader struct {
	r    io.Reader
	s    *Stream
	path string
}

func (c *sourceReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	done := c.s.done.Add(int64(n))
	if done > c.s.total || (errors.Is(err, io.EOF) && done < c.s.total) {
		return n, fmt.Errorf("%w: %s had %d bytes, now %d", ErrChanged, c.path, c.s.total, done)
	}
	return n, err //nolint:wrapcheck // a reader passes io.EOF on as it is
}

// pack returns r's bytes packed with gzip. stop ends the work and waits for it.
func pack(r io.Reader) (packed io.Reader, stop func()) {
	out, in := io.Pipe()
	sink := &sink{w: in}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_ = in.CloseWithError(packInto(sink, r)) // it never returns an error
	}()
	return out, func() {
		_ = out.Close() // it never returns an error
		<-finished
	}
}

func packInto(w *sink, r io.Reader) error {
	z, err := pgzip.NewWriterLevel(w, level)
	if err != nil {
		return fmt.Errorf("set up gzip: %w", err)
	}
	if err := z.SetConcurrency(blockSize, blocksAtOne); err != nil {
		return fmt.Errorf("set up gzip: %w", err)
	}
	z.ModTime = time.Unix(0, 0) // 0: no time. The zero time.Time is not 0 there.
	buf := make([]byte, blockSize/4)
	_, copied := io.CopyBuffer(struct{ io.Writer }{z}, sinkReader{r: r, sink: w}, buf)
	closed := z.Close()
	switch {
	case copied != nil:
		return fmt.Errorf("compress image: %w", copied)
	case closed != nil:
		return fmt.Errorf("compress image: %w", closed)
	default:
		return nil
	}
}

// sink swallows what comes after its reader has gone away: pgzip's goroutines
// would never end if one of its writes failed, because its Close returns early
// then (v1.3.0).
type sink struct {
	w    io.Writer
	gone atomic.Bool
}

func (s *sink) Write(p []byte) (int, error) {
	if s.gone.Load() {
		return len(p), nil
	}
	if _, err := s.w.Write(p); err != nil {
		s.gone.Store(true)
	}
	return len(p), nil
}

// sinkReader stops reading once nobody wants what would come of it.
type sinkReader struct {
	r    io.Reader
	sink *sink
}

func (r sinkReader) Read(p []byte) (int, error) {
	if r.sink.gone.Load() {
		return 0, io.ErrClosedPipe
	}
	return r.r.Read(p) //nolint:wrapcheck // a reader passes io.EOF on as it is
}
