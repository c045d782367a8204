package image

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// unpack reads a compressed image to its end: the head is looked at as soon as it
// is there, so that a hopeless one is refused at once; the rest is unpacked only
// for its length and for the checksum at the end of the stream.
func unpack(ctx context.Context, info Info, f *os.File, progress func(done, total int64)) (*disk, error) {
	packed := &counter{r: untilDone(ctx, f), total: info.Size, tell: progress}
	r, err := unpacker(info.Compression, packed)
	if err != nil {
		return nil, damaged(ctx, info, packed.done, err)
	}
	head, whole, err := readHead(r)
	if err != nil {
		return nil, damaged(ctx, info, packed.done, err)
	}
	if len(head) == 0 {
		return nil, &Fault{
			Kind: ErrEmpty, Path: info.Path, Fix: fixRebuild,
			Found: fmt.Sprintf("%s that unpacks to 0 bytes", info.Compression),
		}
	}
	if err := sameFormat(info.Path, info.Format, content(head)); err != nil {
		return nil, err
	}
	d, err := parse(info.Format, view{path: info.Path, ra: bytes.NewReader(head), have: int64(len(head)), all: whole})
	if err != nil {
		return nil, err
	}
	if err := tooLarge(info.Path, d.virtualSize); err != nil {
		return nil, err
	}
	size, err := count(r, int64(len(head)), d.limit())
	if err != nil {
		return nil, damaged(ctx, info, packed.done, err)
	}
	return d, d.complete(info.Path, size)
}

// readHead reads the first bytes, all of them if there are no more. io.ReadFull
// would not do: its io.ErrUnexpectedEOF is also what a stream that is cut off says.
func readHead(r io.Reader) (head []byte, whole bool, err error) {
	head = make([]byte, headSize)
	n := 0
	for n < len(head) {
		m, err := r.Read(head[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return head[:n], true, nil
		}
		if err != nil {
			return head[:n], false, fmt.Errorf("after %d unpacked bytes: %w", n, err)
		}
	}
	return head, false, nil
}

// limit is where reading on makes no sense: a raw disk is too large already.
// Other formats have said how large they are, and may be as long as they like.
func (d *disk) limit() int64 {
	if d.virtualSize == sizeOfFile {
		return MaxVirtualSize + 1
	}
	return 0
}

// count reads r to its end, or until more than limit bytes were seen (0: no
// limit), and returns how many bytes there are with the n that came before.
func count(r io.Reader, n, limit int64) (int64, error) {
	buf := make([]byte, 1<<20)
	for limit == 0 || n <= limit {
		m, err := r.Read(buf)
		n += int64(m)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("after %d unpacked bytes: %w", n, err)
		}
	}
	return n, nil
}

// unpacker reads gzip with the library that pgzip stands on: it is as fast as
// pgzip's own reader on two processors, and needs no goroutine (bench/README.md).
func unpacker(c Compression, r io.Reader) (io.Reader, error) {
	if c == Bzip2 {
		return bzip2.NewReader(r), nil
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("read the gzip header: %w", err)
	}
	return z, nil
}

// damaged tells a cancelled or failed read from a stream that is not sound.
func damaged(ctx context.Context, info Info, at int64, err error) error {
	var pathErr *os.PathError
	if ctx.Err() != nil || errors.As(err, &pathErr) {
		return fmt.Errorf("inspect image %s: %w", info.Path, err)
	}
	f := &Fault{
		Kind: ErrDamaged, Path: info.Path, Fix: fixRebuild,
		Found: fmt.Sprintf("the %s stream is not sound: %v", info.Compression, err),
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		f.Kind = ErrTruncated
		f.Found = fmt.Sprintf("the %s stream ends too soon, after %d bytes", info.Compression, at)
	}
	return f
}

// counter tells how far the packed file has been read.
type counter struct {
	r           io.Reader
	done, total int64
	tell        func(done, total int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.tell != nil && n > 0 {
		c.tell(c.done, c.total)
	}
	return n, err //nolint:wrapcheck // a reader passes io.EOF on as it is
}
