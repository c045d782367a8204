// Package bucket is the lab's Space: one S3 bucket whose objects are files. Beside
// what gofakes3 does it checks every signature as the real service does, knows
// public-read, and can be made to fail.
package bucket

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

// Config says what a Bucket is; all of it but Faults must be set.
type Config struct {
	Name, AccessKey, SecretKey string
	// Dir is an existing directory for the objects.
	Dir    string
	Faults *fault.Set
	Now    func() time.Time
}

// Bucket is the S3 service with its one bucket. Make one with New.
type Bucket struct {
	cfg  Config
	back *backend
	s3   http.Handler
}

// New makes an empty bucket whose objects are kept below the directory.
func New(cfg Config) (*Bucket, error) {
	dir := filepath.Join(cfg.Dir, "bucket")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the lab's bucket: %w", err)
	}
	if cfg.Faults == nil {
		cfg.Faults = &fault.Set{}
	}
	back := newBackend(cfg.Name, dir)
	return &Bucket{cfg: cfg, back: back, s3: gofakes3.New(back, gofakes3.WithTimeSkewLimit(0)).Server()}, nil
}

// ServeHTTP answers an S3 request; the bucket is the first part of the path.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := b.authorize(r)
	if err == nil {
		err = b.fail(r)
	}
	if err == nil {
		err = unwrap(r)
	}
	if err != nil {
		refuse(w, r, err)
		return
	}
	if r.URL.Query().Has("acl") {
		b.serveACL(w, r)
		return
	}
	b.s3.ServeHTTP(w, r)
}

// authorize lets in what is signed, and reads of public objects.
func (b *Bucket) authorize(r *http.Request) error {
	err := verify(r, b.cfg.AccessKey, b.cfg.SecretKey, b.cfg.Now())
	if !errors.Is(err, errUnsigned) {
		return err
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reads && !r.URL.Query().Has("acl") && b.public(b.key(r)) {
		return nil
	}
	return denied("Access Denied")
}

// key is the object of a request; "" for the bucket itself.
func (b *Bucket) key(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return key
}

func (b *Bucket) public(key string) bool {
	o, err := b.back.find(b.cfg.Name, key)
	if err != nil {
		return false
	}
	b.back.mu.Lock()
	defer b.back.mu.Unlock()
	return o.meta["X-Amz-Acl"] == publicRead
}

// fail applies the faults of the Space.
func (b *Bucket) fail(r *http.Request) error {
	targets := []string{r.Method + " " + r.URL.Path, r.URL.Path, r.Method, b.key(r)}
	if f, ok := b.cfg.Faults.Take(fault.S3Slow, targets...); ok {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
		}
	}
	f, ok := b.cfg.Faults.Take(fault.S3Error, targets...)
	if !ok && r.URL.Query().Has("partNumber") {
		f, ok = b.cfg.Faults.Take(fault.S3Part, targets...)
	}
	if !ok {
		return nil
	}
	return &s3Error{cmp.Or(f.Status, http.StatusInternalServerError), "InternalError", cmp.Or(f.Message, "We encountered an internal error. Please try again.")}
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := &s3Error{http.StatusInternalServerError, "InternalError", err.Error()}
	errors.As(err, &e)
	_, _ = io.CopyN(io.Discard, r.Body, 64<<20) // so that the client reads the answer
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	if r.Method == http.MethodHead {
		return
	}
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName  xml.Name `xml:"Error"`
		Code     string
		Message  string
		Resource string
	}{Code: e.code, Message: e.message, Resource: r.URL.Path})
}

// Object is an object of the bucket.
type Object struct {
	Key    string    `json:"key"`
	Size   int64     `json:"size"`
	Public bool      `json:"public"`
	At     time.Time `json:"at"`
}

// Upload is a multipart upload that was neither completed nor aborted.
type Upload struct {
	Key   string    `json:"key"`
	ID    string    `json:"id"`
	Parts int       `json:"parts"`
	At    time.Time `json:"at"`
}

// State lists what the bucket holds, by key.
func (b *Bucket) State() ([]Object, []Upload) {
	b.back.mu.Lock()
	defer b.back.mu.Unlock()
	objects, uploads := []Object{}, []Upload{}
	for key, o := range b.back.objects {
		objects = append(objects, Object{key, o.size, o.meta["X-Amz-Acl"] == publicRead, o.at})
	}
	for id, u := range b.back.uploads {
		uploads = append(uploads, Upload{u.key, string(id), len(u.parts), u.at})
	}
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(uploads, func(a, b Upload) int { return cmp.Compare(a.Key+a.ID, b.Key+b.ID) })
	return objects, uploads
}

// Age makes an unfinished upload older, for tests of sweeping.
func (b *Bucket) Age(uploadID string, by time.Duration) {
	b.back.mu.Lock()
	defer b.back.mu.Unlock()
	if u := b.back.uploads[gofakes3.UploadID(uploadID)]; u != nil {
		u.at = u.at.Add(-by)
	}
}

// Name is the bucket's.
func (b *Bucket) Name() string { return b.cfg.Name }
