package image_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/versatus/snowdrop/internal/image"
)

// mixed is an image of n bytes: zeros, text and noise in turn.
func mixed(n int) []byte {
	noise := rand.NewChaCha8([32]byte{7})
	b := make([]byte, n)
	for at, kind := 0, 0; at < n; at, kind = at+100_000, kind+1 {
		part := b[at:min(at+100_000, n)]
		switch kind % 3 {
		case 1:
			copy(part, bytes.Repeat([]byte("/nix/store/abc-system/etc\n"), len(part)/26))
		case 2:
			_, _ = noise.Read(part)
		}
	}
	return b
}

func inspected(t *testing.T, name string, data []byte) image.Info {
	t.Helper()
	info, err := image.Inspect(t.Context(), write(t, name, data))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestAnUncompressedImageIsPackedWhileItIsRead(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1024, 1 << 20, 1<<20 + 1, 9<<20 + 12345} {
		data := mixed(size)
		info := inspected(t, "x.raw", data)
		s, err := info.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		if !z.ModTime.IsZero() || z.Name != "" {
			t.Errorf("the header tells a time or a name: %+v", z.Header)
		}
		unpacked, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(unpacked, data) {
			t.Errorf("%d bytes: unpacks to %d other ones, %v", size, len(unpacked), err)
		}
		sum, n := s.Sum()
		if want := sha256.Sum256(got); sum != hex.EncodeToString(want[:]) || n != int64(len(got)) {
			t.Errorf("sum %s of %d bytes is not that of the stream", sum, n)
		}
		if done, total := s.Consumed(); done != int64(size) || total != int64(size) {
			t.Errorf("consumed %d of %d, want all %d", done, total, size)
		}
	}
}

func TestTheSameImageMakesTheSameObject(t *testing.T) {
	info := inspected(t, "x.raw", mixed(7<<20))
	sums := map[string]bool{}
	for _, procs := range []int{1, 2, 2} {
		before := runtime.GOMAXPROCS(procs)
		s, err := info.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		runtime.GOMAXPROCS(before)
		sum, _ := s.Sum()
		sums[sum] = true
	}
	if len(sums) != 1 {
		t.Errorf("different objects of one image: %v", sums)
	}
}

func TestACompressedImagePassesUnchanged(t *testing.T) {
	t.Parallel()
	data := gzipped(t, mixed(3<<20))
	info := inspected(t, "x.raw.gz", data)
	s, err := info.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came out of %d, %v", len(got), len(data), err)
	}
	_ = s.Close()
}

func TestCancellingEndsTheStreamWithItsReason(t *testing.T) {
	t.Parallel()
	data := mixed(8 << 20)
	for name, content := range map[string][]byte{"x.raw": data, "x.raw.gz": gzipped(t, data)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		info := inspected(t, name, content)
		s, err := info.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		reason := errors.New("enough")
		cancel(reason)
		if _, err := io.Copy(io.Discard, s); !errors.Is(err, reason) {
			t.Errorf("%s: ended with %v", name, err)
		}
		_ = s.Close()
	}
}

func TestClosingEarlyLeavesNothingRunning(t *testing.T) {
	info := inspected(t, "x.raw", mixed(16<<20))
	before := runtime.NumGoroutine()
	for range 20 {
		s, err := info.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		_ = s.Close()
	}
	for range 1000 { // goroutines that have been waited for may take a moment to be gone
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before+5 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestAnImageThatChangedSinceItWasInspectedIsAnError(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]int64{"shorter": -4096, "longer": 4096} {
		info := inspected(t, "x.raw", mixed(2<<20))
		if err := os.Truncate(info.Path, info.Size+change); err != nil {
			t.Fatal(err)
		}
		s, err := info.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); !errors.Is(err, image.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
		_ = s.Close()
	}
}
