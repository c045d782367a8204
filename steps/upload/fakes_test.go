package upload_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps/upload"
)

const (
	bucketName = "acme"
	accessKey  = "AKIATHEACCESSKEY"
	firstID    = 101
	acme       = "snowdrop:fleet:nyc3:acme"
)

// bucket is an S3 in memory that also knows ACLs, as far as to note them.
type bucket struct {
	url      string
	mu       sync.Mutex
	requests []*http.Request
	head     int
	before   func(http.ResponseWriter, *http.Request) bool
	acl      []string
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucketName); err != nil {
		t.Fatal(err)
	}
	fake := gofakes3.New(backend).Server()
	b := &bucket{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.requests = append(b.requests, r)
		before, head := b.before, b.head
		b.mu.Unlock()
		signed := r.Header.Get("Authorization") != ""
		switch {
		case before != nil && before(w, r):
		case r.Method == http.MethodHead && !signed && head != 0 && head != http.StatusOK:
			w.WriteHeader(head)
		case r.Method == http.MethodPut && r.URL.Query().Has("acl"):
			b.mu.Lock()
			defer b.mu.Unlock()
			b.acl = append(b.acl, r.Header.Get("X-Amz-Acl"))
		default:
			fake.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *bucket) client(t *testing.T) *space.Client {
	t.Helper()
	c, err := space.New(space.Config{Bucket: bucketName, Endpoint: b.url, AccessKey: accessKey, SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bucket) intercept(f func(http.ResponseWriter, *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

// headOfObjects is what HEAD of a URL without a signature of its own is answered.
func (b *bucket) headOfObjects(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head = status
}

func (b *bucket) acls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.acl)
}

func (b *bucket) count(method, path string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.requests {
		if r.Method == method && strings.HasSuffix(r.URL.Path, path) {
			n++
		}
	}
	return n
}

func noise(b []byte) { _, _ = rand.NewChaCha8([32]byte{3}).Read(b) }

// fakeOcean is DigitalOcean as far as the step sees it.
type fakeOcean struct {
	t           *testing.T
	mu          sync.Mutex
	images      []ocean.Image
	requests    []ocean.ImportRequest
	transferred []string
	fail        map[int]string
	importErr   func(url string) error
	onImport    func(ocean.ImportRequest)
	onWait      func()
}

var _ upload.Ocean = (*fakeOcean)(nil)

func (f *fakeOcean) CustomImages(context.Context) ([]ocean.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.images), nil
}

func (f *fakeOcean) Import(_ context.Context, r ocean.ImportRequest) (ocean.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	if f.importErr != nil {
		return ocean.Image{}, f.importErr(r.URL)
	}
	if f.onImport != nil {
		f.onImport(r)
	}
	i := ocean.Image{ID: firstID, Name: r.Name, Status: "NEW", Tags: r.Tags}
	f.images = append(f.images, i)
	return i, nil
}

func (f *fakeOcean) WaitForImage(ctx context.Context, id int, timeout time.Duration, phase func(string)) (ocean.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onWait != nil {
		f.onWait()
	}
	if ctx.Err() != nil {
		return ocean.Image{ID: id}, fmt.Errorf("custom image %d (pending): %w", id, context.Cause(ctx))
	}
	if timeout != time.Hour {
		f.t.Errorf("waits for %s", timeout)
	}
	phase(fmt.Sprintf("waiting for custom image %d (pending)", id))
	image := ocean.Image{ID: id, Name: ocean.ImageName("web", hash), Status: "available", Tags: ocean.Tags(acme, "web"), Regions: []string{"nyc3"}}
	words, failed := f.fail[id]
	if failed {
		image.Status = "deleted"
	}
	at := slices.IndexFunc(f.images, func(i ocean.Image) bool { return i.ID == id })
	if at >= 0 {
		f.images[at] = image
	}
	if failed {
		return image, &ocean.ImageError{Image: image, Reason: words}
	}
	return image, nil
}

func (f *fakeOcean) Transfer(_ context.Context, id int, regions []string, _ time.Duration, _ func(string)) (ocean.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.transferred = regions
	return ours(id, "available", append([]string{"nyc3"}, regions...)...), nil
}
