package space

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"golang.org/x/sync/errgroup"
)

// Object is what the bucket says about one of its objects.
type Object struct {
	Key      string // without the prefix
	Size     int64  // in bytes
	Modified time.Time
}

// maxDocument bounds what Get reads into memory.
const maxDocument = 64 << 20

// Stat looks at one object. An error that is ErrNotFound says that it is not there.
func (c *Client) Stat(ctx context.Context, key string) (Object, error) {
	info, err := c.s3.StatObject(ctx, c.cfg.Bucket, c.key(key), minio.StatObjectOptions{})
	if err != nil {
		return Object{}, c.fail(ctx, "look at", c.key(key), err)
	}
	return Object{Key: key, Size: info.Size, Modified: info.LastModified}, nil
}

// Put writes a small document; what stood there is replaced.
func (c *Client) Put(ctx context.Context, key string, data []byte, contentType string) error {
	err := c.put(ctx, c.key(key), data, minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true})
	return c.fail(ctx, "write", c.key(key), err)
}

// put sends data in one request that is signed together with the data's checksum:
// S3 refuses other bytes. The library would sign piece by piece over http (see its
// option DisableContentSha256), which not every S3 can undo, and nothing over https.
func (c *Client) put(ctx context.Context, key string, data []byte, o minio.PutObjectOptions) error {
	_, err := c.core.PutObject(ctx, c.cfg.Bucket, key, bytes.NewReader(data), int64(len(data)), "", sum(data), o)
	return err //nolint:wrapcheck // the caller says what was tried
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// Get reads a small document, at most 64 MiB.
func (c *Client) Get(ctx context.Context, key string) ([]byte, error) {
	body, _, _, err := c.core.GetObject(ctx, c.cfg.Bucket, c.key(key), minio.GetObjectOptions{})
	if err != nil {
		return nil, c.fail(ctx, "read", c.key(key), err)
	}
	defer func() { _ = body.Close() }() // all of it was read, or the error is known
	data, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err != nil {
		return nil, c.fail(ctx, "read", c.key(key), err)
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("read %s/%s: larger than %d bytes: not one of snowdrop's documents",
			c.cfg.Bucket, c.key(key), maxDocument)
	}
	return data, nil
}

// List returns the objects whose key begins with prefix, in the order of their keys.
func (c *Client) List(ctx context.Context, prefix string) ([]Object, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing's goroutine after an error
	var objects []Object
	for o := range c.s3.ListObjectsIter(ctx, c.cfg.Bucket, minio.ListObjectsOptions{Prefix: c.key(prefix), Recursive: true}) {
		if o.Err != nil {
			return nil, c.fail(ctx, "list", c.key(prefix), o.Err)
		}
		objects = append(objects, Object{Key: o.Key[len(c.cfg.Prefix):], Size: o.Size, Modified: o.LastModified})
	}
	if ctx.Err() != nil {
		return nil, c.fail(ctx, "list", c.key(prefix), ctx.Err())
	}
	return objects, nil
}

// Delete removes objects; those that are not there are fine. It tries all of them
// and joins the errors: what an error names may still be there.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	faults := make([]error, len(keys))
	var g errgroup.Group
	const atOnce = 4
	g.SetLimit(atOnce)
	for i, key := range keys {
		g.Go(func() error {
			err := c.s3.RemoveObject(ctx, c.cfg.Bucket, c.key(key), minio.RemoveObjectOptions{})
			if err = c.fail(ctx, "delete", c.key(key), err); !errors.Is(err, ErrNotFound) {
				faults[i] = err
			}
			return nil
		})
	}
	_ = g.Wait() // every error is in faults
	return errors.Join(faults...)
}

// MaxPresign is the longest that a presigned URL can be valid.
const MaxPresign = 7 * 24 * time.Hour

// Presign makes a URL by which anyone can GET the object until ttl is over (one
// second to seven days). It is a secret: it never belongs into a log or an error.
func (c *Client) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	u, err := c.s3.PresignedGetObject(ctx, c.cfg.Bucket, c.key(key), ttl, nil)
	if err != nil {
		return "", c.fail(ctx, "presign", c.key(key), err)
	}
	return u.String(), nil
}

// SetPublic makes the object readable for everybody, or for nobody but the keys'
// owner. https://docs.digitalocean.com/reference/api/spaces/#set-an-objects-acls
func (c *Client) SetPublic(ctx context.Context, key string, public bool) error {
	op, acl := "make private", "private"
	if public {
		op, acl = "make public", "public-read"
	}
	// The library cannot set an ACL, but it can sign the request that does.
	header := http.Header{"X-Amz-Acl": {acl}}
	u, err := c.s3.PresignHeader(ctx, http.MethodPut, c.cfg.Bucket, c.key(key), time.Minute, url.Values{"acl": {""}}, header)
	if err != nil {
		return c.fail(ctx, op, c.key(key), err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), http.NoBody)
	if err != nil {
		return c.fail(ctx, op, c.key(key), err)
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		return c.fail(ctx, op, c.key(key), err)
	}
	defer func() { _ = resp.Body.Close() }() // read as far as is needed
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return c.fail(ctx, op, c.key(key), answerOf(resp))
}

// PublicURL is where a public object can be read. It is no secret.
func (c *Client) PublicURL(key string) string {
	u := *c.s3.EndpointURL()
	path := "/" + c.key(key)
	if c.pathStyle {
		path = "/" + c.cfg.Bucket + path
	} else {
		u.Host = c.cfg.Bucket + "." + u.Host
	}
	u.Path, u.RawPath = path, s3utils.EncodePath(path)
	return u.String()
}
