package space

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
)

// SweepUploads aborts the multipart uploads below prefix that began more than
// olderThan ago and were never completed: each costs storage and is seen nowhere.
// It returns their keys; after an error, those that were aborted before it.
func (c *Client) SweepUploads(ctx context.Context, prefix string, olderThan time.Duration) (aborted []string, err error) {
	before := c.cfg.Now().Add(-olderThan)
	uploads, err := c.uploads(ctx, c.key(prefix))
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, u := range uploads {
		if u.Initiated.After(before) {
			continue
		}
		if err := c.abortUpload(ctx, u.Key, u.UploadID); err != nil {
			faults = append(faults, err)
			continue
		}
		aborted = append(aborted, u.Key[len(c.cfg.Prefix):])
	}
	return aborted, errors.Join(faults...)
}

// uploads lists the multipart uploads whose key begins with prefix, all pages.
func (c *Client) uploads(ctx context.Context, prefix string) ([]minio.ObjectMultipartInfo, error) {
	var (
		all         []minio.ObjectMultipartInfo
		key, upload string
	)
	for {
		page, err := c.core.ListMultipartUploads(ctx, c.cfg.Bucket, prefix, key, upload, "", 1000)
		if isGone(err) && minio.ToErrorResponse(err).Code == minio.NoSuchUpload {
			return all, nil // how some say that there are none
		}
		if err != nil {
			return nil, c.fail(ctx, "list the uploads of", prefix, err)
		}
		all = append(all, page.Uploads...)
		if !page.IsTruncated || (page.NextKeyMarker == key && page.NextUploadIDMarker == upload) {
			return all, nil
		}
		key, upload = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

// Check proves that the bucket is there and that the keys may list, write, read
// and delete below the prefix. It leaves nothing behind, or says what.
func (c *Client) Check(ctx context.Context) error {
	if err := c.canList(ctx); err != nil {
		return err
	}
	key := ".snowdrop-check-" + uuid.NewString()
	want := []byte("snowdrop doctor: this may be deleted\n")
	if err := c.Put(ctx, key, want, "text/plain"); err != nil {
		return fmt.Errorf("the keys can list but not write: %w", err)
	}
	got, err := c.Get(ctx, key)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("read %s/%s: got other bytes than were written", c.cfg.Bucket, c.key(key))
	}
	if deleted := c.Delete(ctx, key); deleted != nil {
		err = errors.Join(err, fmt.Errorf("the keys can write but not delete: %w", deleted))
	}
	return err
}

// canList asks for one key. Unlike HEAD of the bucket it is answered with the reason
// if it is refused.
func (c *Client) canList(ctx context.Context) error {
	listing, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing's goroutine
	for o := range c.s3.ListObjectsIter(listing, c.cfg.Bucket, minio.ListObjectsOptions{Prefix: c.cfg.Prefix, MaxKeys: 1}) {
		return c.fail(ctx, "list", c.cfg.Prefix, o.Err)
	}
	return nil
}

// answerOf reads the error out of an answer to a request that was made by hand.
func answerOf(resp *http.Response) error {
	e := minio.ErrorResponse{}
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err == nil {
		_ = xml.Unmarshal(body, &e) // without XML, the status has to do
	}
	e.StatusCode = resp.StatusCode
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	if e.RequestID == "" {
		e.RequestID = resp.Header.Get("x-amz-request-id")
	}
	return e
}
