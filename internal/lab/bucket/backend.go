package bucket

import (
	"crypto/md5" //nolint:gosec // an ETag is an MD5
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// backend keeps one bucket's objects and uploads as files, since disk images do not
// fit into memory twice.
type backend struct {
	name, dir string

	mu      sync.Mutex
	objects map[string]*stored
	uploads map[gofakes3.UploadID]*upload
	last    int
}

type stored struct {
	file string
	size int64
	hash []byte
	meta map[string]string
	at   time.Time
}

type upload struct {
	key   string
	meta  map[string]string
	at    time.Time
	parts map[int]*stored
}

var (
	_ gofakes3.Backend          = (*backend)(nil)
	_ gofakes3.MultipartBackend = (*backend)(nil)
)

func newBackend(name, dir string) *backend {
	return &backend{name: name, dir: dir, objects: map[string]*stored{}, uploads: map[gofakes3.UploadID]*upload{}}
}

func (b *backend) check(name string) error {
	if name != b.name {
		return gofakes3.BucketNotFound(name) //nolint:wrapcheck // gofakes3 looks at the type
	}
	return nil
}

// save writes a stream to a file of its own.
func (b *backend) save(r io.Reader, size int64) (*stored, error) {
	b.mu.Lock()
	b.last++
	file := filepath.Join(b.dir, strconv.Itoa(b.last))
	b.mu.Unlock()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600) //nolint:gosec // a number below the lab's own directory
	if err != nil {
		return nil, fmt.Errorf("store an object: %w", err)
	}
	h := md5.New() //nolint:gosec // an ETag is an MD5
	n, err := io.Copy(io.MultiWriter(f, h), r)
	err = errors.Join(err, f.Close())
	if err == nil && size >= 0 && n != size {
		err = gofakes3.ErrIncompleteBody
	}
	if err != nil {
		_ = os.Remove(file)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, gofakes3.ErrIncompleteBody
		}
		return nil, err
	}
	return &stored{file: file, size: n, hash: h.Sum(nil), at: time.Now()}, nil
}

func (b *backend) drop(s *stored) {
	if s != nil {
		_ = os.Remove(s.file)
	}
}

// ListBuckets implements gofakes3.Backend, as the methods below do.
func (b *backend) ListBuckets() ([]gofakes3.BucketInfo, error) {
	return []gofakes3.BucketInfo{{Name: b.name, CreationDate: gofakes3.NewContentTime(time.Now())}}, nil
}

func (b *backend) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	if err := b.check(name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := gofakes3.NewObjectList()
	var count int64
	lastPrefix, lastKey := "", ""
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		var m gofakes3.PrefixMatch
		if key <= page.Marker && page.HasMarker || prefix != nil && !prefix.Match(key, &m) || m.CommonPrefix && m.MatchedPart == lastPrefix {
			continue
		}
		if page.MaxKeys > 0 && count == page.MaxKeys {
			list.IsTruncated, list.NextMarker = true, lastKey
			break
		}
		count++
		lastKey = key
		if m.CommonPrefix {
			lastPrefix = m.MatchedPart
			list.AddPrefix(m.MatchedPart)
			continue
		}
		o := b.objects[key]
		list.Add(&gofakes3.Content{
			Key: key, Size: o.size, ETag: gofakes3.FormatETag(o.hash), LastModified: gofakes3.NewContentTime(o.at.UTC()),
		})
	}
	return list, nil
}

func (b *backend) CreateBucket(string) error              { return gofakes3.ErrBucketAlreadyExists }
func (b *backend) DeleteBucket(string) error              { return gofakes3.ErrBucketNotEmpty }
func (b *backend) ForceDeleteBucket(string) error         { return gofakes3.ErrBucketNotEmpty }
func (b *backend) BucketExists(name string) (bool, error) { return name == b.name, nil }
func (b *backend) find(bucket, key string) (*stored, error) {
	if err := b.check(bucket); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.objects[key]
	if o == nil {
		return nil, gofakes3.KeyNotFound(key) //nolint:wrapcheck // gofakes3 looks at the type
	}
	return o, nil
}

func (b *backend) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	o, err := b.find(bucket, key)
	if err != nil {
		return nil, err
	}
	return &gofakes3.Object{Name: key, Metadata: maps.Clone(o.meta), Size: o.size, Hash: o.hash, Contents: io.NopCloser(eof{})}, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (b *backend) GetObject(bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, err := b.find(bucket, key)
	if err != nil {
		return nil, err
	}
	r, err := want.Range(o.size)
	if err != nil {
		return nil, err //nolint:wrapcheck // gofakes3 looks at the type
	}
	f, err := os.Open(o.file)
	if err != nil {
		return nil, fmt.Errorf("read an object: %w", err)
	}
	var content io.Reader = f
	if r != nil {
		content = io.NewSectionReader(f, r.Start, r.Length)
	}
	return &gofakes3.Object{
		Name: key, Metadata: maps.Clone(o.meta), Size: o.size, Hash: o.hash, Range: r,
		Contents: struct {
			io.Reader
			io.Closer
		}{content, f},
	}, nil
}

func (b *backend) put(key string, o *stored) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(b.objects[key])
	b.objects[key] = o
}

func (b *backend) PutObject(bucket, key string, meta map[string]string, in io.Reader, size int64, cond *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	var none gofakes3.PutObjectResult
	if err := b.check(bucket); err != nil {
		return none, err
	}
	if cond != nil {
		now := &gofakes3.ConditionalObjectInfo{}
		if o, err := b.find(bucket, key); err == nil {
			now.Exists, now.Hash = true, o.hash
		}
		if err := gofakes3.CheckPutConditions(cond, now); err != nil {
			return none, err //nolint:wrapcheck // gofakes3 looks at the type
		}
	}
	o, err := b.save(in, size)
	if err != nil {
		return none, err
	}
	o.meta = meta
	b.put(key, o)
	return none, nil
}

func (b *backend) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	if err := b.check(bucket); err != nil {
		return gofakes3.ObjectDeleteResult{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(b.objects[key])
	delete(b.objects, key)
	return gofakes3.ObjectDeleteResult{}, nil
}

func (b *backend) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	for _, key := range keys {
		if _, err := b.DeleteObject(bucket, key); err != nil {
			return result, err
		}
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

func (b *backend) CopyObject(srcBucket, srcKey, dstBucket, dstKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObject(b, srcBucket, srcKey, dstBucket, dstKey, meta) //nolint:wrapcheck // gofakes3 looks at the type
}

func etag(hash []byte) string { return `"` + hex.EncodeToString(hash) + `"` }
