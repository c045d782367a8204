package image

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The identities of the parts of a VHDX file that are looked at, as they stand in
// the file: [MS-VHDX] 2.2.3.1 and 2.6.2.
const (
	vhdxBAT      = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
	vhdxMetadata = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"
	vhdxFile     = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	vhdxSize     = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
)

// stretch is a part of a file.
type stretch struct{ offset, length int64 }

// parseVHDX follows the region table to the metadata, and that to the size.
func parseVHDX(v view) (*disk, error) {
	const regionTable = 192 << 10 // [MS-VHDX] 2.2
	regions, err := vhdxTable(v, regionTable, "regi", 8, 16)
	if err != nil {
		return nil, err
	}
	d := &disk{}
	for _, r := range regions {
		d.reaches(r.offset + r.length)
	}
	metadata, ok := regions[vhdxMetadata]
	if !ok {
		return nil, v.fault(ErrDamaged, "a VHDX file without metadata", fixRebuild)
	}
	items, err := vhdxTable(v, metadata.offset, "metadata", 10, 32)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	size, err := v.header(metadata.offset+items[vhdxSize].offset, 8)
	if err != nil {
		return nil, err
	}
	file, err := v.header(metadata.offset+items[vhdxFile].offset, 8)
	if err != nil {
		return nil, err
	}
	const hasParent = 1 << 1
	switch n := le.Uint64(size); {
	case items[vhdxSize].length != 8 || n > math.MaxInt64:
		return nil, v.fault(ErrDamaged, "a VHDX file without a size", fixRebuild)
	case le.Uint32(file[4:])&hasParent != 0:
		return nil, v.fault(ErrBackingFile, "a differencing VHDX file", fmt.Sprintf(fixFlatten, v.path))
	case n == 0:
		return nil, v.fault(ErrEmpty, "a VHDX file with a disk of 0 bytes", fixRebuild)
	default:
		d.virtualSize = int64(n)
	}
	return d, vhdxReach(v, d, regions[vhdxBAT], int64(le.Uint32(file)))
}

// vhdxTable reads a table of 32-byte entries that begin with an identity: the
// region table (8 bytes offset, 4 length) or the metadata table (4 and 4).
func vhdxTable(v view, offset int64, mark string, countAt, first int) (map[string]stretch, error) {
	const size, entry = 64 << 10, 32
	b, err := v.header(offset, size)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	count := int(le.Uint16(b[countAt:]))
	if string(b[:len(mark)]) != mark || first+count*entry > size {
		return nil, v.fault(ErrDamaged, fmt.Sprintf("a VHDX file with no %q table at %d", mark, offset), fixRebuild)
	}
	table := make(map[string]stretch, count)
	for i := range count {
		e := b[first+i*entry:]
		s := stretch{offset: int64(le.Uint32(e[16:])), length: int64(le.Uint32(e[20:]))}
		if mark == "regi" {
			s = stretch{offset: int64(le.Uint64(e[16:]) & (math.MaxInt64 >> 1)), length: int64(le.Uint32(e[24:]))} //nolint:gosec // masked
		}
		table[string(e[:16])] = s
	}
	return table, nil
}

// vhdxReach goes through the block allocation table ([MS-VHDX] 2.5): the low three
// bits are a block's state, the upper 44 its place in MiB.
func vhdxReach(v view, d *disk, bat stretch, block int64) error {
	end, err := tableEnd(v, bat.offset, bat.length/8, 8, func(b []byte) int64 {
		const state, fully, partly = 7, 6, 7
		entry := binary.LittleEndian.Uint64(b)
		if s := entry & state; s != fully && s != partly {
			return 0
		}
		return int64(entry>>20<<20&(math.MaxInt64>>1)) + block //nolint:gosec // masked
	})
	d.reaches(end)
	return err
}
