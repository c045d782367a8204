package image

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// disk is what an image's own headers say about it.
type disk struct {
	virtualSize int64 // in bytes; sizeOfFile where the format does not tell
	// end is how many bytes the unpacked file has at least, by its tables.
	end      int64
	warnings []string
}

const sizeOfFile int64 = -1

// view is what can be seen of an unpacked image: all of it, or only its head
// where the rest has to be read as a stream.
type view struct {
	path string
	ra   io.ReaderAt
	have int64 // bytes that ra holds
	all  bool  // nothing follows them
}

// errBeyond says that a stretch of the image lies outside of the view.
var errBeyond = errors.New("beyond what can be seen")

// bytes reads a stretch of the image. errBeyond: it is not in the view, because
// the image is cut off or because only its head can be seen.
func (v view) bytes(offset, length int64) ([]byte, error) {
	if offset < 0 || length < 0 || offset > v.have || length > v.have-offset {
		return nil, errBeyond
	}
	b := make([]byte, length)
	if _, err := v.ra.ReadAt(b, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read image %s at %d: %w", v.path, offset, err)
	}
	return b, nil
}

func ignoreBeyond(err error) error {
	if errors.Is(err, errBeyond) {
		return nil
	}
	return err
}

// header is bytes for what every image of the format has: there its absence means
// that the image is cut off.
func (v view) header(offset, length int64) ([]byte, error) {
	b, err := v.bytes(offset, length)
	if errors.Is(err, errBeyond) {
		if v.all {
			return nil, v.truncated(offset + length)
		}
		return nil, v.fault(ErrNotAnImage,
			fmt.Sprintf("a header that points to byte %d, where none of these images has its tables", offset),
			"build the image again, or convert it: qemu-img convert -O qcow2 …")
	}
	return b, err
}

func (v view) fault(kind error, found, fix string) error {
	return &Fault{Kind: kind, Path: v.path, Found: found, Fix: fix}
}

func (v view) truncated(end int64) error {
	return tooShort(v.path, v.have, end)
}

func tooShort(path string, has, wants int64) error {
	return &Fault{
		Kind: ErrTruncated, Path: path, Fix: fixRebuild,
		Found: fmt.Sprintf("%d bytes of disk image; its own tables speak of at least %d", has, wants),
	}
}

// parse reads the headers and tables that can be seen.
func parse(format Format, v view) (*disk, error) {
	switch format {
	case Qcow2:
		return parseQcow2(v)
	case VMDK:
		return parseVMDK(v)
	case VHDX:
		return parseVHDX(v)
	case VDI:
		return parseVDI(v)
	case Raw:
		return parseRaw(v)
	default:
		return nil, fmt.Errorf("inspect image %s: no such format: %q", v.path, format)
	}
}

// openDisk looks at an image that is not compressed.
func openDisk(info Info, ra io.ReaderAt, size int64) (*disk, error) {
	d, err := parse(info.Format, view{path: info.Path, ra: ra, have: size, all: true})
	if err != nil {
		return nil, err
	}
	return d, d.complete(info.Path, size)
}

// complete compares the tables with the number of bytes that are really there.
func (d *disk) complete(path string, size int64) error {
	if d.virtualSize == sizeOfFile {
		d.virtualSize = size
	}
	if d.end > size {
		return tooShort(path, size, d.end)
	}
	return nil
}

func (d *disk) reaches(end int64) { d.end = max(d.end, end) }

func (d *disk) warn(text string) { d.warnings = append(d.warnings, text) }

// tableEnd goes through a table of little-endian entries of width bytes and tells
// the farthest byte that is spoken of: reach says it for one entry (0: nothing).
// A table that is not in the view is not looked at; the table itself is counted.
func tableEnd(v view, offset, entries int64, width int, reach func([]byte) int64) (int64, error) {
	end := offset + entries*int64(width)
	const chunk = 64 << 10
	for done := int64(0); done < entries; {
		n := min(chunk, entries-done)
		b, err := v.bytes(offset+done*int64(width), n*int64(width))
		if errors.Is(err, errBeyond) {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		for i := range n {
			end = max(end, reach(b[int(i)*width:]))
		}
		done += n
	}
	return end, nil
}

// parseRaw has only the partition table to go by. Partitions and GPT's second
// header (UEFI specification, 5.3.2) tell how long the disk was.
func parseRaw(v view) (*disk, error) {
	d := &disk{virtualSize: sizeOfFile}
	const sector = 512
	head, err := v.bytes(0, 2*sector)
	if errors.Is(err, errBeyond) {
		return nil, v.fault(ErrTruncated, fmt.Sprintf("%d bytes, too few for any disk", v.have), fixRebuild)
	}
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if string(head[sector:sector+8]) == "EFI PART" {
		last := le.Uint64(head[sector+32:])
		if last < 1<<54 {
			d.reaches(int64(last+1) * sector)
		}
		return d, nil
	}
	if head[510] != 0x55 || head[511] != 0xaa {
		d.warn("the disk has no partition table (MBR or GPT), which DigitalOcean asks for in a raw image: a droplet may not boot from it")
		return d, nil
	}
	for p := range 4 {
		entry := head[446+16*p:]
		const protective = 0xee // a GPT's placeholder: its size need not be true
		if kind := entry[4]; kind != 0 && kind != protective {
			d.reaches((int64(le.Uint32(entry[8:])) + int64(le.Uint32(entry[12:]))) * sector)
		}
	}
	return d, nil
}

// ctxReader ends a long read when the context does.
type ctxReader struct {
	stop func() error
	r    io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.stop(); err != nil {
		return 0, err
	}
	return c.r.Read(p) //nolint:wrapcheck // a reader passes io.EOF on as it is
}

func untilDone(ctx context.Context, r io.Reader) io.Reader {
	return ctxReader{r: r, stop: func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}}
}
