package disk

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// MaxVirtual is the largest disk that DigitalOcean imports, in bytes.
const MaxVirtual = 100 << 30

// Found is what Inspect saw in an image.
type Found struct {
	// Format is raw, qcow2, vhdx, vdi or vmdk; Compression is "", gzip or bzip2.
	Format, Compression string
	// Bytes were read in all; Decompressed is the size of the image file inside;
	// Virtual is the size of the disk.
	Bytes, Decompressed, Virtual int64
	// Spec is set if the image carries the lab's marker.
	Spec *Spec
}

// ErrSilent is the error of an image whose name does not fit its content. The real
// service says nothing then: the message of such an image is blank (doctl#671).
var ErrSilent = errors.New("the ending of the URL's path does not fit the image")

// Inspect reads an image to its end, decompressed, and copies the decompressed
// bytes to keep (which may be nil). name is the last part of the URL's path. It
// fails on what DigitalOcean refuses: xz and zstd, an unknown format, damaged
// compression, more than 100 GB, a name that does not fit (ErrSilent).
func Inspect(r io.Reader, name string, keep io.Writer) (Found, error) {
	counted := &counter{r: r}
	var f Found
	inside, err := f.decompress(bufio.NewReaderSize(counted, 64<<10))
	if err != nil {
		return f, err
	}
	head := make([]byte, MarkerWithin)
	n, err := io.ReadFull(inside, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return f, fmt.Errorf("the image could not be read: %w", err)
	}
	head = head[:n]
	if err := f.recognise(head); err != nil {
		return f, err
	}
	if !f.fits(name) {
		return f, fmt.Errorf("%w: %s holds %s %s", ErrSilent, name, f.Compression, f.Format)
	}
	if f.Spec, err = Find(head); err != nil {
		return f, err
	}
	if keep == nil {
		keep = io.Discard
	}
	rest, err := io.Copy(keep, io.LimitReader(io.MultiReader(bytes.NewReader(head), inside), MaxVirtual+1))
	if err != nil {
		return f, fmt.Errorf("the image could not be decompressed: %w", err)
	}
	f.Decompressed, f.Bytes = rest, counted.n
	f.Virtual = max(f.Virtual, f.Decompressed)
	if f.Format == "qcow2" {
		f.Virtual = int64(binary.BigEndian.Uint64(head[24:])) //nolint:gosec // checked below
	}
	if f.Virtual < 0 || f.Virtual > MaxVirtual {
		return f, errors.New("the image is larger than 100 GB")
	}
	return f, nil
}

func (f *Found) decompress(r *bufio.Reader) (io.Reader, error) {
	magic, err := r.Peek(6)
	if err != nil {
		return nil, fmt.Errorf("the image is too short: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		f.Compression = "gzip"
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("the image could not be decompressed: %w", err)
		}
		return z, nil
	case bytes.HasPrefix(magic, []byte("BZh")):
		f.Compression = "bzip2"
		return bzip2.NewReader(r), nil
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return nil, errors.New("xz compression is not supported; use gzip or bzip2")
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("zstd compression is not supported; use gzip or bzip2")
	}
	return r, nil
}

func (f *Found) recognise(head []byte) error {
	switch {
	case len(head) < sector:
		return errors.New("the image is too short to be a disk")
	case bytes.HasPrefix(head, []byte("QFI\xfb")):
		f.Format = "qcow2"
	case bytes.HasPrefix(head, []byte("vhdxfile")):
		f.Format = "vhdx"
	case binary.LittleEndian.Uint32(head[64:]) == 0xbeda107f:
		f.Format = "vdi"
	case bytes.HasPrefix(head, []byte("KDMV")), bytes.HasPrefix(head, []byte("# Disk DescriptorFile")):
		f.Format = "vmdk"
	case head[510] == 0x55 && head[511] == 0xaa:
		f.Format = "raw"
	case len(head) > 1080 && head[1080] == 0x53 && head[1081] == 0xef:
		f.Format = "raw" // an ext file system without a partition table
	default:
		return errors.New("the image has no format that is supported: raw, qcow2, vhdx, vdi, vmdk")
	}
	return nil
}

// fits says whether a file name goes with what is inside.
func (f *Found) fits(name string) bool {
	name = strings.ToLower(path.Base(name))
	for compression, ending := range map[string]string{"gzip": ".gz", "bzip2": ".bz2"} {
		if strings.HasSuffix(name, ending) != (f.Compression == compression) {
			return false
		}
		name = strings.TrimSuffix(name, ending)
	}
	switch path.Ext(name) {
	case ".qcow2", ".vhdx", ".vdi", ".vmdk":
		return path.Ext(name) == "."+f.Format
	case ".raw", ".img":
		return f.Format == "raw"
	default:
		return false
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // a reader passes on io.EOF as it is
}
