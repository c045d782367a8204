package space

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestUploadStoresEveryByteWhateverTheLength(t *testing.T) {
	t.Parallel()
	const part = 64 << 10
	for name, size := range map[string]int{
		"less than a part": 100, "one part": part, "a part and a byte": part + 1,
		"parts that come out even": 4 * part, "more parts than are sent at once": 11*part + 5,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := s.client(t)
			want := noise(size)
			var most atomic.Int64
			o, err := c.Upload(t.Context(), "images/abc/x.raw.gz", onlyReader{bytes.NewReader(want)}, UploadOptions{
				ContentType: "application/gzip",
				Progress:    func(done int64) { most.Store(max(most.Load(), done)) },
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Get(t.Context(), "images/abc/x.raw.gz")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) || o.Size != int64(size) || most.Load() != int64(size) {
				t.Errorf("stored %d bytes, told %d, progress %d; want %d of the very bytes", len(got), o.Size, most.Load(), size)
			}
			objects, uploads := left(t, c)
			if diff := cmp.Diff([]string{"images/abc/x.raw.gz"}, objects); diff != "" || len(uploads) > 0 {
				t.Errorf("objects %s, uploads %v", diff, uploads)
			}
		})
	}
}

func TestUploadRefusesNothing(t *testing.T) {
	t.Parallel()
	c := serve(t).client(t)
	if _, err := c.Upload(t.Context(), "x", strings.NewReader(""), UploadOptions{}); err == nil {
		t.Error("an object of no bytes was uploaded")
	}
}

type onlyReader struct{ io.Reader }

func TestAFailedUploadLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		intercept func(w http.ResponseWriter, r *http.Request) bool
		fail      error
		cancel    bool
		want      error
		text      string
	}{
		"the reader fails":   {fail: errReader, want: errReader, text: "read what is to be uploaded"},
		"it is cancelled":    {cancel: true, want: context.Canceled, text: "context canceled"},
		"a part is refused":  {intercept: onlyFor(isPart, refuse(403, "AccessDenied")), want: ErrDenied, text: "upload part"},
		"it cannot complete": {fail: io.EOF, intercept: onlyFor(isComplete, refuse(400, "InvalidPart")), text: "complete the upload of"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := s.client(t)
			s.intercept(test.intercept)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := &endless{ctx: ctx, n: 700 << 10, fail: test.fail, at: func() {
				if test.cancel {
					cancel()
				}
			}}
			_, err := c.Upload(ctx, "images/abc/x.raw.gz", r, UploadOptions{})
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want one that is %v and says %q", err, test.want, test.text)
			}
			if objects, uploads := left(t, c); len(objects)+len(uploads) > 0 {
				t.Errorf("left behind: objects %v, uploads %v", objects, uploads)
			}
		})
	}
}

func onlyFor(match func(*http.Request) bool, answer func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool { return match(r) && answer(w, r) }
}

func TestPartsThatCannotBeRemovedAreTold(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	s.intercept(onlyFor(isAbort, refuse(403, "AccessDenied")))
	_, err := c.Upload(t.Context(), "x", &endless{ctx: t.Context(), n: 300 << 10, fail: errReader}, UploadOptions{})
	if !errors.Is(err, errReader) || !strings.Contains(err.Error(), "its parts are left") {
		t.Errorf("error does not tell both the cause and what is left: %v", err)
	}
}

func TestAnUploadWhoseLastAnswerWasLostIsNotAFailure(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	var completed atomic.Int32
	s.intercept(onlyFor(isComplete, func(w http.ResponseWriter, r *http.Request) bool {
		if completed.Add(1) > 1 {
			return refuse(404, "NoSuchUpload")(w, r)
		}
		rec := httptest.NewRecorder()
		s.intercept(nil)
		s.Config.Handler.ServeHTTP(rec, r)
		s.intercept(onlyFor(isComplete, refuse(404, "NoSuchUpload")))
		w.WriteHeader(http.StatusBadGateway)
		return true
	}))
	o, err := c.Upload(t.Context(), "x", bytes.NewReader(noise(200<<10)), UploadOptions{})
	if err != nil || o.Size != 200<<10 {
		t.Errorf("upload: %+v, %v", o, err)
	}
}

func TestAFailedPartIsSentAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client(t)
	var failed atomic.Bool
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		return isPart(r) && failed.CompareAndSwap(false, true) && refuse(503, "SlowDown")(w, r)
	})
	want := noise(300 << 10)
	if _, err := c.Upload(t.Context(), "x", onlyReader{bytes.NewReader(want)}, UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "x"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestSweepAbortsOnlyOldUploadsBelowThePrefix(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ours := s.client(t)
	others := s.client(t, func(cfg *Config) { cfg.Prefix = "else/" })
	for _, c := range []*Client{ours, others} {
		for _, key := range []string{"images/a", "images/b", "records/c"} {
			if _, err := c.core.NewMultipartUpload(t.Context(), bucket, c.key(key), (&upload{c: c}).putOptions()); err != nil {
				t.Fatal(err)
			}
		}
	}
	fresh, err := ours.SweepUploads(t.Context(), "images/", 24*3600e9)
	if err != nil || len(fresh) > 0 {
		t.Errorf("swept fresh uploads: %v, %v", fresh, err)
	}
	late := s.client(t, func(cfg *Config) { cfg.Now = at(0) }) // years after the uploads began
	swept, err := late.SweepUploads(t.Context(), "images/", 24*3600e9)
	if diff := cmp.Diff([]string{"images/a", "images/b"}, swept); diff != "" || err != nil {
		t.Errorf("swept %s, %v", diff, err)
	}
	if _, uploads := left(t, others); len(uploads) != 3 {
		t.Errorf("touched what is not ours: %v left", uploads)
	}
}
