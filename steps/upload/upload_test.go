package upload_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/image"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/upload"
)

const (
	hash   = "0123456789abcdfghijklmnpqrsvwxyz"
	object = "images/" + hash + "/nixos.raw.gz"
	info   = "images/" + hash + "/info.json"
)

// disk writes an image into an output of its own and returns that.
func disk(t *testing.T, size int) (dir string, data []byte) {
	t.Helper()
	data = bytes.Repeat([]byte("a line of the image\n"), size/20+1)[:size]
	data[510], data[511] = 0x55, 0xaa
	clear(data[446:510])
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nixos.raw"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, data
}

// told collects what the step says.
type told struct {
	mu     sync.Mutex
	events []event.Event
}

func (r *told) Emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *told) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, e := range r.events {
		switch e := e.(type) {
		case event.Phase:
			b.WriteString(e.Text + "\n")
		case event.Warning:
			b.WriteString("warning: " + e.Text + "\n")
		}
	}
	return b.String()
}

// world is everything outside of the step.
type world struct {
	bucket *bucket
	space  *space.Client
	ocean  *fakeOcean
	told   *told
	in     upload.In
	data   []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	b := newBucket(t)
	w := &world{bucket: b, space: b.client(t), told: &told{}}
	dir, data := disk(t, 3<<20)
	w.data = data
	w.in = upload.In{
		Server: "web", Fleet: acme, Revision: "0a1b2c3", RunURL: "https://ci.example/7", Image: dir, Hash: hash,
		Regions: []string{"nyc3"}, ImportTimeout: time.Hour,
	}
	w.ocean = &fakeOcean{t: t}
	return w
}

func (w *world) run(ctx context.Context) (upload.Out, error) {
	return upload.Step{Space: w.space, Ocean: w.ocean}.
		Run(ctx, event.NewTeller(w.told, event.Subject{Server: "web"}, "upload"), w.in)
}

func (w *world) left(t *testing.T) []string {
	t.Helper()
	objects, err := w.space.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func ours(id int, status string, regions ...string) ocean.Image {
	return ocean.Image{ID: id, Name: ocean.ImageName("web", hash), Status: status, Tags: ocean.Tags(acme, "web"), Regions: regions}
}

func TestAnImageBecomesACustomImageAndTheObjectIsGone(t *testing.T) {
	t.Parallel()
	for _, delivery := range []fleet.Delivery{"", fleet.Presigned, fleet.PublicRead} {
		t.Run("delivery "+string(delivery), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.in.Delivery = delivery
			var fetched []byte
			w.ocean.onImport = func(r ocean.ImportRequest) {
				resp, err := http.Get(r.URL)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				z, err := gzip.NewReader(resp.Body)
				if err != nil {
					t.Error(err)
					return
				}
				fetched, _ = io.ReadAll(z)
				if signed := strings.Contains(r.URL, "X-Amz-Signature"); signed == (delivery == fleet.PublicRead) {
					t.Errorf("a %q URL is signed: %v", delivery, signed)
				}
			}
			out, err := w.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(fetched, w.data) {
				t.Errorf("DigitalOcean got %d other bytes", len(fetched))
			}
			if !out.CustomImage.Available() || out.Reused || out.VirtualSize != 3<<20 || len(out.SHA256) != 64 || out.Size == 0 {
				t.Errorf("got %+v", out)
			}
			request := w.ocean.requests[0]
			if request.Name != "snowdrop-web-"+hash || request.Region != "nyc3" || !slices.Equal(request.Tags, ocean.Tags(acme, "web")) ||
				request.Description != "revision 0a1b2c3, sha256 "+out.SHA256+", https://ci.example/7" {
				t.Errorf("asked for %+v", request)
			}
			if left := w.left(t); len(left) > 0 {
				t.Errorf("left in the Space: %v", left)
			}
			want := []string(nil)
			if delivery == fleet.PublicRead {
				want = []string{"public-read", "private"}
			}
			if diff := cmp.Diff(want, w.bucket.acls()); diff != "" {
				t.Errorf("ACLs %s", diff)
			}
		})
	}
}

func TestTheObjectStaysIfItIsToBeKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.KeepObject, w.in.Delivery = true, fleet.PublicRead
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{info, object}, w.left(t)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"public-read", "private"}, w.bucket.acls()); diff != "" {
		t.Error(diff)
	}
	// The next run imports that very object, even where the image file is not.
	w.in.Image = filepath.Join(t.TempDir(), "not built here")
	w.ocean.images = nil
	puts := w.bucket.count("PUT", "/images/"+hash+"/nixos.raw.gz")
	out, err := w.run(t.Context())
	if err != nil || out.SHA256 == "" || out.VirtualSize != 3<<20 {
		t.Fatalf("%+v, %v", out, err)
	}
	if again := w.bucket.count("PUT", "/images/"+hash+"/nixos.raw.gz"); again > puts+2 { // its ACL, twice
		t.Error("the object was uploaded again")
	}
}

func TestAnObjectThatIsNotWholeIsUploadedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for key, text := range map[string]string{
		info:   `{"name":"nixos.raw.gz","sha256":"abc","size":999,"virtualSize":3145728}`,
		object: "half of it",
	} {
		if err := w.space.Put(t.Context(), key, []byte(text), "text/plain"); err != nil {
			t.Fatal(err)
		}
	}
	out, err := w.run(t.Context())
	if err != nil || out.SHA256 == "abc" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestACustomImageThatIsThereIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.Existing = []ocean.Image{
		{ID: 1, Name: ocean.ImageName("web", hash), Status: "available"}, // without our tags
		ours(2, "deleted"), ours(3, "available", "nyc3"),
	}
	if err := w.space.Put(t.Context(), object, []byte("left by a run that was cut off"), "text/plain"); err != nil {
		t.Fatal(err)
	}
	out, err := w.run(t.Context())
	var skip *steps.SkipError
	if !errors.As(err, &skip) || out.CustomImage.ID != 3 || !out.Reused {
		t.Errorf("%+v, %v", out, err)
	}
	if left := w.left(t); len(left) > 0 || len(w.ocean.requests) > 0 {
		t.Errorf("left %v, requests %v", left, w.ocean.requests)
	}
}

func TestACustomImageIsBroughtToTheRegionsThatLackIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.Existing = []ocean.Image{ours(3, "available", "nyc3")}
	w.in.Regions = []string{"sfo3", "nyc3", "fra1", "fra1"}
	out, err := w.run(t.Context())
	if err != nil || !slices.Equal(w.ocean.transferred, []string{"fra1", "sfo3"}) || !out.CustomImage.In("fra1") {
		t.Errorf("%+v, %v, transferred to %v", out, err, w.ocean.transferred)
	}
}

func TestAnImportUnderWayIsWaitedForAndNotBegunTwice(t *testing.T) {
	t.Parallel()
	t.Run("known before", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.in.Existing = []ocean.Image{ours(3, "pending")}
		w.ocean.images = []ocean.Image{ours(3, "pending")}
		out, err := w.run(t.Context())
		if len(w.ocean.requests) > 0 || out.CustomImage.ID != 3 || !out.CustomImage.Available() {
			t.Errorf("%+v, %v, %d imports", out, err, len(w.ocean.requests))
		}
	})
	t.Run("begun while this one uploaded", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.ocean.images = []ocean.Image{ours(3, "new")}
		out, err := w.run(t.Context())
		if err != nil || len(w.ocean.requests) > 0 || out.CustomImage.ID != 3 || !out.Reused {
			t.Errorf("%+v, %v, %d imports", out, err, len(w.ocean.requests))
		}
		if left := w.left(t); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	})
	t.Run("fails, so there is another", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.in.Existing = []ocean.Image{ours(3, "pending")}
		w.ocean.fail = map[int]string{3: "broken"}
		out, err := w.run(t.Context())
		if err != nil || len(w.ocean.requests) != 1 || out.CustomImage.ID == 3 {
			t.Errorf("%+v, %v, %d imports", out, err, len(w.ocean.requests))
		}
	})
}

func TestAnObjectThatAnotherServersImportNeedsIsLeftToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ocean.images = []ocean.Image{{ID: 9, Name: ocean.ImageName("other", hash), Status: "pending", Tags: ocean.Tags(acme, "other")}}
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{info, object}, w.left(t)); diff != "" {
		t.Error(diff)
	}
}

func TestAWrongImageIsRefusedBeforeAByteIsSent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(t *testing.T, w *world)
		want   error
	}{
		"an empty file":             {func(t *testing.T, w *world) { t.Helper(); truncate(t, w, 0) }, image.ErrEmpty},
		"a cut-off file":            {func(t *testing.T, w *world) { t.Helper(); truncate(t, w, 600) }, image.ErrTruncated},
		"a directory without image": {func(t *testing.T, w *world) { t.Helper(); w.in.Image = t.TempDir() }, image.ErrNoImage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.change(t, w)
			_, err := w.run(t.Context())
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "server web") {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if n := w.bucket.count("PUT", "") + w.bucket.count("POST", ""); n > 0 || len(w.ocean.requests) > 0 {
				t.Errorf("%d requests that write, %d imports", n, len(w.ocean.requests))
			}
		})
	}
}

func truncate(t *testing.T, w *world, size int64) {
	t.Helper()
	if err := os.Truncate(filepath.Join(w.in.Image, "nixos.raw"), size); err != nil {
		t.Fatal(err)
	}
}

func TestAnInputThatCannotBeUsedIsRefusedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.Hash, w.in.Regions, w.in.Delivery = "abc", nil, "pigeon"
	_, err := w.run(t.Context())
	for _, want := range []string{"abc", "no droplets", "pigeon"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestProgressIsThatOfTheImageFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var last event.Progress
	for _, e := range w.told.events {
		if p, ok := e.(event.Progress); ok {
			last = p
		}
	}
	if last.Done != 3<<20 || last.Total != 3<<20 || last.Unit != "bytes" {
		t.Errorf("ended at %+v", last)
	}
}

func TestDryRunSaysWhichWayItWouldGo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		existing []ocean.Image
		want     string
	}{
		"there":     {[]ocean.Image{ours(3, "available", "nyc3")}, "nothing to upload"},
		"elsewhere": {[]ocean.Image{ours(3, "available", "fra1")}, "would transfer"},
		"importing": {[]ocean.Image{ours(3, "NEW")}, "would wait"},
		"nothing":   {nil, "would upload"},
	} {
		w := newWorld(t)
		w.in.Existing = test.existing
		_, said, err := upload.Step{Space: w.space, Ocean: w.ocean}.DryRun(t.Context(), w.in)
		if err != nil || !strings.Contains(said, test.want) {
			t.Errorf("%s: %q, %v", name, said, err)
		}
		if w.bucket.count("PUT", "")+w.bucket.count("POST", "") > 0 {
			t.Errorf("%s: something was written", name)
		}
	}
}
