// Package bench measures what a deployment spends its time and memory on before
// DigitalOcean takes over: reading, packing, checking and sending an image.
package bench

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"

	"github.com/versatus/snowdrop/internal/image"
)

const mib = 1 << 20

// synthetic is a disk as a new system's is: half of it zeros, a quarter like text
// and programs, a quarter that cannot be packed.
func synthetic(b *testing.B, size int) []byte {
	b.Helper()
	random := rand.NewChaCha8([32]byte{42})
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = fmt.Appendf(nil, "/nix/store/%016x-package-%d/bin/", random.Uint64(), i)
	}
	data := make([]byte, size)
	for at, kind := 0, 0; at < size; at, kind = at+mib, kind+1 {
		block := data[at:min(at+mib, size)]
		switch kind % 4 {
		case 1:
			for n := 0; n < len(block); {
				n += copy(block[n:], words[random.Uint64()%uint64(len(words))])
			}
		case 3:
			_, _ = random.Read(block)
		}
	}
	return data
}

func inspected(b *testing.B, name string, data []byte) image.Info {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	info, err := image.Inspect(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	return info
}

// BenchmarkPacking compares what snowdrop does with an uncompressed image with
// plain gzip, which is what the NixOS module runs, and with other levels.
func BenchmarkPacking(b *testing.B) {
	const size = 256 * mib
	data := synthetic(b, size)
	b.Run("snowdrop: read, pack, sum", func(b *testing.B) {
		info := inspected(b, "x.raw", data)
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			s, err := info.Open(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, s)
			if err != nil {
				b.Fatal(err)
			}
			_ = s.Close()
			b.ReportMetric(100*float64(n)/size, "%size")
		}
	})
	b.Run("compress/gzip level 6", func(b *testing.B) {
		pack(b, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.DefaultCompression) })
	})
	for _, level := range []int{1, 3, 5, 6, 9} {
		b.Run(fmt.Sprintf("pgzip level %d", level), func(b *testing.B) {
			pack(b, data, func(w io.Writer) (io.WriteCloser, error) { return pgzip.NewWriterLevel(w, level) })
		})
	}
}

func pack(b *testing.B, data []byte, open func(io.Writer) (io.WriteCloser, error)) {
	b.Helper()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var packed counter
		z, err := open(&packed)
		if err != nil {
			b.Fatal(err)
		}
		// io.Copy from a reader, as from a file: no writer gets all at once.
		if _, err := io.Copy(struct{ io.Writer }{z}, struct{ io.Reader }{bytes.NewReader(data)}); err != nil {
			b.Fatal(err)
		}
		if err := z.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(100*float64(packed)/float64(len(data)), "%size")
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// BenchmarkZeros is the empty part of a disk.
func BenchmarkZeros(b *testing.B) {
	const size = 1024 * mib
	path := filepath.Join(b.TempDir(), "x.raw")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		b.Fatal(err)
	}
	info, err := image.Inspect(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	read := func() {
		s, err := info.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
	read() // so that the file is in the page cache, as one that was just built is
	b.SetBytes(size)
	for b.Loop() {
		read()
	}
}

// BenchmarkChecking compares ways to read a gzip file to its checksum. Bytes are
// those of the disk.
func BenchmarkChecking(b *testing.B) {
	const size = 256 * mib
	var packed bytes.Buffer
	z := pgzip.NewWriter(&packed)
	if _, err := z.Write(synthetic(b, size)); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("snowdrop: inspect", func(b *testing.B) {
		info := inspected(b, "x.raw.gz", packed.Bytes())
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := image.Inspect(b.Context(), info.Path); err != nil {
				b.Fatal(err)
			}
		}
	})
	readers := map[string]func(io.Reader) (io.Reader, error){
		"compress-gzip":  func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"klauspost-gzip": func(r io.Reader) (io.Reader, error) { return kgzip.NewReader(r) },
		"pgzip":          func(r io.Reader) (io.Reader, error) { return pgzip.NewReader(r) },
	}
	for name, open := range readers {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				r, err := open(bytes.NewReader(packed.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// peak samples how much memory the program holds, until stop tells the most.
func peak() (stop func() (heap, sys uint64)) {
	done, result := make(chan struct{}), make(chan [2]uint64)
	go func() {
		var most [2]uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most[0] = max(most[0], m.HeapInuse)
			most[1] = max(most[1], m.Sys-m.HeapReleased)
			select {
			case <-done:
				result <- most
				return
			case <-tick():
			}
		}
	}()
	return func() (heap, sys uint64) {
		close(done)
		most := <-result
		return most[0], most[1]
	}
}
