package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/image"
	"github.com/versatus/snowdrop/internal/space"
)

func tick() <-chan time.Time { return time.After(10 * time.Millisecond) }

// limit is what an upload may hold in memory, whatever the image's size.
const limit = 128 * mib

// sink is an S3 that swallows the parts of an upload, so that only the sender's
// memory is seen.
func sink(b *testing.B) *httptest.Server {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		q := r.URL.Query()
		switch {
		case q.Has("uploads"):
			fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
		case q.Has("partNumber"):
			w.Header().Set("ETag", `"00000000000000000000000000000000"`)
		case r.Method == http.MethodPost:
			fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><ETag>"1"</ETag></CompleteMultipartUploadResult>`)
		}
	}))
	b.Cleanup(s.Close)
	return s
}

// BenchmarkUpload sends images that cannot be packed, the worst case for memory,
// from the file to the socket. It fails above the limit.
func BenchmarkUpload(b *testing.B) {
	for _, size := range []int64{256 * mib, 2048 * mib} {
		b.Run(fmt.Sprintf("%d MiB", size/mib), func(b *testing.B) {
			path := noiseFile(b, size)
			info, err := image.Inspect(b.Context(), path)
			if err != nil {
				b.Fatal(err)
			}
			c, err := space.New(space.Config{Bucket: "bucket", Endpoint: sink(b).URL, AccessKey: "a", SecretKey: "s"})
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			debug.FreeOSMemory()
			b.SetBytes(size)
			b.ReportAllocs()
			stop := peak()
			for b.Loop() {
				s, err := info.Open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Upload(b.Context(), "x.raw.gz", s, space.UploadOptions{}); err != nil {
					b.Fatal(err)
				}
				_ = s.Close()
			}
			heap, all := stop()
			b.ReportMetric(float64(heap)/mib, "MiB-heap")
			b.ReportMetric(float64(all)/mib, "MiB-all")
			if all > limit {
				b.Errorf("%d MiB in memory, more than %d", all/mib, limit/mib)
			}
		})
	}
}

// noiseFile writes noise that repeats too far apart for gzip to see it.
func noiseFile(b *testing.B, size int64) string {
	b.Helper()
	block := make([]byte, 16*mib)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(block)
	path := filepath.Join(b.TempDir(), "x.raw")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	for n := int64(0); n < size; n += int64(len(block)) {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}
