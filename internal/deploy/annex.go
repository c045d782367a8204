package deploy

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps/upload"
)

// annex is a part of a Space, seen as a Space of its own: all of its keys lie below
// a prefix. What passes through it and what is recorded in it cannot be taken for
// the fleet's, and goes all at once.
type annex struct {
	whole  Space
	prefix string
}

var (
	_ Space        = annex{}
	_ upload.Space = annex{}
)

func (a annex) inner(o space.Object) space.Object {
	o.Key = strings.TrimPrefix(o.Key, a.prefix)
	return o
}

// Stat implements Space, as the methods below do.
func (a annex) Stat(ctx context.Context, key string) (space.Object, error) {
	o, err := a.whole.Stat(ctx, a.prefix+key)
	return a.inner(o), err //nolint:wrapcheck // the Space says which key
}

func (a annex) List(ctx context.Context, prefix string) ([]space.Object, error) {
	list, err := a.whole.List(ctx, a.prefix+prefix)
	for i := range list {
		list[i] = a.inner(list[i])
	}
	return list, err //nolint:wrapcheck // the Space says which key
}

func (a annex) Get(ctx context.Context, key string) ([]byte, error) {
	return a.whole.Get(ctx, a.prefix+key) //nolint:wrapcheck // the Space says which key
}

func (a annex) Put(ctx context.Context, key string, data []byte, contentType string) error {
	return a.whole.Put(ctx, a.prefix+key, data, contentType) //nolint:wrapcheck // the Space says which key
}

func (a annex) Upload(ctx context.Context, key string, r io.Reader, o space.UploadOptions) (space.Object, error) {
	made, err := a.whole.Upload(ctx, a.prefix+key, r, o)
	return a.inner(made), err //nolint:wrapcheck // the Space says which key
}

func (a annex) Delete(ctx context.Context, keys ...string) error {
	below := make([]string, len(keys))
	for i, key := range keys {
		below[i] = a.prefix + key
	}
	return a.whole.Delete(ctx, below...) //nolint:wrapcheck // the Space says which key
}

func (a annex) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	return a.whole.Presign(ctx, a.prefix+key, ttl) //nolint:wrapcheck // the Space says which key
}

func (a annex) SetPublic(ctx context.Context, key string, public bool) error {
	return a.whole.SetPublic(ctx, a.prefix+key, public) //nolint:wrapcheck // the Space says which key
}

func (a annex) PublicURL(key string) string { return a.whole.PublicURL(a.prefix + key) }

func (a annex) Probe(ctx context.Context, url string) (space.ProbeResult, error) {
	return a.whole.Probe(ctx, url) //nolint:wrapcheck // the Space says which URL
}

func (a annex) SweepUploads(ctx context.Context, prefix string, olderThan time.Duration) ([]string, error) {
	return a.whole.SweepUploads(ctx, a.prefix+prefix, olderThan) //nolint:wrapcheck // the Space says which key
}
