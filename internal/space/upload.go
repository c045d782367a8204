package space

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// Parts of an upload. 10,000 of them hold 125 GB, more than an image can have; so
// many in memory at once are 48 MiB.
const (
	defaultPartSize = 12 << 20
	defaultParallel = 4
	maxParts        = 10_000
)

// UploadOptions says how an object is uploaded. The zero value is fine.
type UploadOptions struct {
	ContentType string
	// Progress is told how many bytes have arrived. It must be safe for concurrent use.
	Progress func(done int64)
}

// errUnknown says that a request may have been acted on although its answer is lost.
var errUnknown = errors.New("whether it was acted on is not known")

// Upload writes everything that r gives, however much that is, in parts, several
// at once. r's Read should end when ctx does. An upload that fails or is cancelled
// is aborted, with a little time of its own for that: no part and no new object is
// left, or the error says what may be.
func (c *Client) Upload(ctx context.Context, key string, r io.Reader, o UploadOptions) (Object, error) {
	u := &upload{c: c, key: c.key(key), options: o}
	size, err := u.run(ctx, r)
	if err != nil {
		return Object{}, err
	}
	return Object{Key: key, Size: size, Modified: c.cfg.Now()}, nil
}

// upload is one upload under way.
type upload struct {
	c       *Client
	key     string
	options UploadOptions
	id      string // the multipart upload's; empty before there is one
	arrived atomic.Int64

	mu    sync.Mutex
	parts []minio.CompletePart
}

// run reads the first part: if that is all, one request does.
func (u *upload) run(ctx context.Context, r io.Reader) (int64, error) {
	first := bytes.NewBuffer(nil)
	n, err := io.CopyN(first, r, u.c.partSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, u.readFailed(ctx, err)
	}
	switch {
	case n == 0:
		return 0, fmt.Errorf("upload %s/%s: there is nothing to upload", u.c.cfg.Bucket, u.key)
	case n < u.c.partSize:
		return n, u.single(ctx, first.Bytes())
	}
	u.id, err = u.c.core.NewMultipartUpload(ctx, u.c.cfg.Bucket, u.key, u.putOptions())
	if err != nil {
		err = u.c.fail(ctx, "begin the upload of", u.key, err)
		if ctx.Err() != nil {
			err = fmt.Errorf("%w; an upload without parts may be left, which a prune removes", err)
		}
		return 0, err
	}
	size, err := u.multipart(ctx, first.Bytes(), r)
	if err == nil {
		return size, nil
	}
	return 0, u.abort(ctx, err)
}

func (u *upload) putOptions() minio.PutObjectOptions {
	return minio.PutObjectOptions{ContentType: u.options.ContentType, DisableContentSha256: true}
}

func (u *upload) single(ctx context.Context, data []byte) error {
	if err := u.c.put(ctx, u.key, data, u.putOptions()); err != nil {
		return u.c.fail(ctx, "upload", u.key, err)
	}
	u.progress(int64(len(data)))
	return nil
}

// multipart sends the first part and all that follow, and puts them together.
func (u *upload) multipart(ctx context.Context, first []byte, r io.Reader) (int64, error) {
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, gctx := errgroup.WithContext(pctx)
	free := make(chan []byte, u.c.parallel)
	for range u.c.parallel - 1 {
		free <- nil // made when it is needed: most images are small
	}
	buf, size := first, int64(0)
	var (
		readErr  error
		partsEnd bool // the reading ended because a part failed, or with ctx
	)
	for number := 1; len(buf) > 0; number++ {
		if number > maxParts {
			cancel()
			readErr = fmt.Errorf("upload %s/%s: more than %d parts of %d bytes", u.c.cfg.Bucket, u.key, maxParts, u.c.partSize)
			break
		}
		part := buf
		size += int64(len(part))
		g.Go(func() error {
			defer func() { free <- part }()
			return u.part(gctx, number, part)
		})
		if buf, readErr = u.next(gctx, r, free); readErr != nil {
			partsEnd = gctx.Err() != nil
			cancel()
			break
		}
	}
	sent := g.Wait()
	switch {
	case sent != nil && (readErr == nil || partsEnd):
		return 0, fmt.Errorf("%w", sent)
	case readErr != nil:
		return 0, readErr
	}
	return size, u.complete(ctx, size)
}

// next reads one part into a free buffer. It is empty at the end.
func (u *upload) next(ctx context.Context, r io.Reader, free <-chan []byte) ([]byte, error) {
	var buf []byte
	select {
	case buf = <-free:
	case <-ctx.Done():
		return nil, u.c.fail(ctx, "upload", u.key, context.Cause(ctx))
	}
	if int64(cap(buf)) < u.c.partSize {
		buf = make([]byte, u.c.partSize)
	}
	n, err := io.ReadFull(r, buf[:u.c.partSize])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, u.readFailed(ctx, err)
	}
	return buf[:n], nil
}

func (u *upload) readFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return u.c.fail(ctx, "upload", u.key, err)
	}
	return fmt.Errorf("upload %s/%s: read what is to be uploaded: %w", u.c.cfg.Bucket, u.key, err)
}

func (u *upload) part(ctx context.Context, number int, data []byte) error {
	p, err := u.c.core.PutObjectPart(ctx, u.c.cfg.Bucket, u.key, u.id, number,
		bytes.NewReader(data), int64(len(data)),
		minio.PutObjectPartOptions{Sha256Hex: sum(data), DisableContentSha256: true})
	if err != nil {
		return u.c.fail(ctx, fmt.Sprintf("upload part %d of", number), u.key, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.parts) < number {
		u.parts = append(u.parts, minio.CompletePart{})
	}
	u.parts[number-1] = minio.CompletePart{PartNumber: number, ETag: p.ETag}
	u.progress(int64(len(data)))
	return nil
}

func (u *upload) progress(n int64) {
	arrived := u.arrived.Add(n)
	if u.options.Progress != nil {
		u.options.Progress(arrived)
	}
}

// complete puts the parts together. The library sends that request again when its
// answer was lost; the second one then finds no upload, though all is well.
func (u *upload) complete(ctx context.Context, size int64) error {
	_, err := u.c.core.CompleteMultipartUpload(ctx, u.c.cfg.Bucket, u.key, u.id, u.parts, minio.PutObjectOptions{})
	if err == nil {
		return nil
	}
	err = u.c.fail(ctx, "complete the upload of", u.key, err)
	var answer *Error
	if errors.As(err, &answer) && answer.Code == minio.NoSuchUpload {
		info, statErr := u.c.s3.StatObject(ctx, u.c.cfg.Bucket, u.key, minio.StatObjectOptions{})
		if statErr == nil && info.Size == size {
			return nil
		}
	}
	return fmt.Errorf("%w (%w)", err, errUnknown)
}

// abortTime is what is left for tidying up when everything else is over, and
// settleTime how long a part may still be on its way.
const (
	abortTime  = 5 * time.Second
	settleTime = 300 * time.Millisecond
)

// abort removes the parts, also when ctx is done, and adds to cause what could not
// be removed.
func (u *upload) abort(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	if errors.Is(cause, errUnknown) {
		cause = fmt.Errorf("%w; the object may be there", cause)
	}
	err := u.c.abortUpload(ctx, u.key, u.id)
	if err != nil {
		return errors.Join(cause, fmt.Errorf("%w; its parts are left and cost storage until a prune removes them", err))
	}
	return cause
}

// abortUpload aborts one multipart upload; one that is gone is fine. A part that
// was still arriving can bring it back (seen with versitygw; Amazon asks to abort
// again), so it waits for a moment, looks, and aborts again.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (c *Client) abortUpload(ctx context.Context, key, id string) error {
	const tries = 3
	for range tries {
		if err := c.core.AbortMultipartUpload(ctx, c.cfg.Bucket, key, id); err != nil && !isGone(err) {
			return c.fail(ctx, "abort the upload of", key, err)
		}
		select {
		case <-time.After(c.settle):
		case <-ctx.Done():
			return nil // it was aborted once, as far as that goes
		}
		if _, err := c.core.ListObjectParts(ctx, c.cfg.Bucket, key, id, 0, 1); isGone(err) {
			return nil
		}
	}
	return fmt.Errorf("abort the upload of %s/%s: aborted %d times, and S3 still has it", c.cfg.Bucket, key, tries)
}

func isGone(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.Code == minio.NoSuchUpload || answer.Code == minio.NoSuchBucket)
}
