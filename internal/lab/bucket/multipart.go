package bucket

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// minPart is the smallest part that is not the last, in bytes.
const minPart = 5 << 20

// CreateMultipartUpload implements gofakes3.MultipartBackend, as the methods below do.
func (b *backend) CreateMultipartUpload(bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	if err := b.check(bucket); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	id := gofakes3.UploadID(fmt.Sprintf("upload-%06d", b.last))
	b.uploads[id] = &upload{key: key, meta: meta, at: time.Now(), parts: map[int]*stored{}}
	return id, nil
}

func (b *backend) upload(key string, id gofakes3.UploadID) (*upload, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.uploads[id]
	if u == nil || u.key != key {
		return nil, gofakes3.ErrNoSuchUpload
	}
	return u, nil
}

func (b *backend) UploadPart(_, key string, id gofakes3.UploadID, number int, size int64, in io.Reader) (string, error) {
	u, err := b.upload(key, id)
	if err != nil {
		return "", err
	}
	part, err := b.save(in, size)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.uploads[id] != u { // aborted meanwhile
		b.drop(part)
		return "", gofakes3.ErrNoSuchUpload
	}
	b.drop(u.parts[number])
	u.parts[number] = part
	return etag(part.hash), nil
}

func (b *backend) ListMultipartUploads(bucket string, _ *gofakes3.UploadListMarker, prefix gofakes3.Prefix, limit int64) (*gofakes3.ListMultipartUploadsResult, error) {
	if err := b.check(bucket); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	result := &gofakes3.ListMultipartUploadsResult{Bucket: bucket, Prefix: prefix.Prefix, Delimiter: prefix.Delimiter, MaxUploads: limit}
	for _, id := range slices.Sorted(maps.Keys(b.uploads)) {
		if u := b.uploads[id]; strings.HasPrefix(u.key, prefix.Prefix) {
			result.Uploads = append(result.Uploads, gofakes3.ListMultipartUploadItem{
				Key: u.key, UploadID: id, Initiated: gofakes3.NewContentTime(u.at.UTC()), StorageClass: "STANDARD",
			})
		}
	}
	slices.SortStableFunc(result.Uploads, func(a, b gofakes3.ListMultipartUploadItem) int { return cmp.Compare(a.Key, b.Key) })
	return result, nil
}

func (b *backend) ListParts(bucket, key string, id gofakes3.UploadID, _ int, limit int64) (*gofakes3.ListMultipartUploadPartsResult, error) {
	u, err := b.upload(key, id)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	result := &gofakes3.ListMultipartUploadPartsResult{Bucket: bucket, Key: key, UploadID: id, MaxParts: limit}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		p := u.parts[n]
		result.Parts = append(result.Parts, gofakes3.ListMultipartUploadPartItem{
			PartNumber: n, ETag: etag(p.hash), Size: p.size, LastModified: gofakes3.NewContentTime(p.at.UTC()),
		})
	}
	return result, nil
}

func (b *backend) AbortMultipartUpload(_, key string, id gofakes3.UploadID) error {
	u, err := b.upload(key, id)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(id, u)
	return nil
}

func (b *backend) forget(id gofakes3.UploadID, u *upload) {
	for _, p := range u.parts {
		b.drop(p)
	}
	delete(b.uploads, id)
}

func (b *backend) CompleteMultipartUpload(_, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	u, err := b.upload(key, id)
	if err != nil {
		return "", "", err
	}
	parts, err := b.chosen(u, in.Parts)
	if err != nil {
		return "", "", err
	}
	var readers []io.Reader
	for _, p := range parts {
		f, err := os.Open(p.file)
		if err != nil {
			return "", "", fmt.Errorf("join the parts of %s: %w", key, err)
		}
		defer func() { _ = f.Close() }()
		readers = append(readers, f)
	}
	o, err := b.save(io.MultiReader(readers...), -1)
	if err != nil {
		return "", "", err
	}
	o.meta = u.meta
	b.put(key, o)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(id, u)
	return "", etag(o.hash), nil
}

// chosen are the parts that a completion names, in order, each checked.
func (b *backend) chosen(u *upload, names []gofakes3.CompletedPart) ([]*stored, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var parts []*stored
	for i, n := range names {
		p := u.parts[n.PartNumber]
		switch {
		case p == nil || strings.Trim(n.ETag, `"`) != strings.Trim(etag(p.hash), `"`):
			return nil, gofakes3.ErrInvalidPart
		case i > 0 && names[i-1].PartNumber >= n.PartNumber:
			return nil, gofakes3.ErrInvalidPartOrder
		case i < len(names)-1 && p.size < minPart:
			return nil, gofakes3.ErrorMessage(gofakes3.ErrInvalidArgument, "Your proposed upload is smaller than the minimum allowed object size.") //nolint:wrapcheck // gofakes3 looks at the type
		}
		parts = append(parts, p)
	}
	return parts, nil
}
