package nspawn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// format is how an image file holds its disk.
type format string

const (
	raw   format = "raw"
	qcow2 format = "qcow2"
)

// headerSize is how much of an image sniff wants to see.
const headerSize = 104

// sniff tells the format of an image from its first bytes. It refuses what is no
// plain disk, and a qcow2 that reads other files: qemu-img would follow it into
// files of this machine, and DigitalOcean would not have them.
func sniff(header []byte) (format, error) {
	switch {
	case len(header) == 0:
		return "", fmt.Errorf("%w: it is empty", ErrNotBootable)
	case bytes.HasPrefix(header, []byte{0x1f, 0x8b}), bytes.HasPrefix(header, []byte("BZh")):
		return "", fmt.Errorf("%w: it is still compressed", ErrNotBootable)
	case !bytes.HasPrefix(header, []byte("QFI\xfb")):
		return raw, nil
	case len(header) < headerSize:
		return "", fmt.Errorf("%w: its qcow2 header is cut off", ErrNotBootable)
	}
	// docs/interop/qcow2.txt in QEMU's source.
	version := binary.BigEndian.Uint32(header[4:])
	backing := binary.BigEndian.Uint64(header[8:])
	incompatible := binary.BigEndian.Uint64(header[72:])
	const externalData = 1 << 2
	if backing != 0 || version >= 3 && incompatible&externalData != 0 {
		return "", fmt.Errorf("%w: the qcow2 file needs another file (backing or data file); flatten it with qemu-img convert", ErrNotBootable)
	}
	return qcow2, nil
}

// region is a run of bytes on a disk.
type region struct{ offset, size int64 }

// rootRegion finds the ext2, ext3 or ext4 file system that is to be the root: the
// whole disk, or a partition of an MBR or a GPT. Of several the largest is taken.
// Logical partitions of an MBR are not looked at.
func rootRegion(disk io.ReaderAt, size int64) (region, error) {
	whole := region{0, size}
	if isExt(disk, whole) {
		return whole, nil
	}
	parts, err := partitions(disk, size)
	if err != nil {
		return region{}, err
	}
	var root region
	for _, part := range parts {
		if isExt(disk, part) && part.size > root.size {
			root = part
		}
	}
	if root.size == 0 {
		return region{}, fmt.Errorf("%w: none of its %d partitions holds an ext4 file system", ErrNotBootable, len(parts))
	}
	return root, nil
}

// isExt looks for the magic number of ext2, ext3 and ext4, 56 bytes into the
// superblock, which begins at byte 1024.
func isExt(disk io.ReaderAt, r region) bool {
	var magic [2]byte
	if r.size < 4096 {
		return false
	}
	if _, err := disk.ReadAt(magic[:], r.offset+1024+56); err != nil {
		return false
	}
	return binary.LittleEndian.Uint16(magic[:]) == 0xEF53
}

const sector = 512

func partitions(disk io.ReaderAt, size int64) ([]region, error) {
	var mbr [sector]byte
	if _, err := disk.ReadAt(mbr[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the first sector of the disk: %w", err)
	}
	if mbr[510] != 0x55 || mbr[511] != 0xAA {
		return nil, fmt.Errorf("%w: it holds neither an ext4 file system nor a partition table", ErrNotBootable)
	}
	var header [sector]byte
	if _, err := disk.ReadAt(header[:], sector); err == nil && bytes.HasPrefix(header[:], []byte("EFI PART")) {
		return gptPartitions(disk, header[:], size)
	}
	return mbrPartitions(mbr[:], size), nil
}

func mbrPartitions(mbr []byte, size int64) []region {
	var parts []region
	for entry := mbr[446:510]; len(entry) > 0; entry = entry[16:] {
		first := int64(binary.LittleEndian.Uint32(entry[8:]))
		count := int64(binary.LittleEndian.Uint32(entry[12:]))
		parts = appendInside(parts, first, count, size)
	}
	return parts
}

func gptPartitions(disk io.ReaderAt, header []byte, size int64) ([]region, error) {
	table, ok := sectors(header[72:])
	count := binary.LittleEndian.Uint32(header[80:])
	length := binary.LittleEndian.Uint32(header[84:])
	if count > 1024 || length < 128 || length > 4096 || !ok {
		return nil, fmt.Errorf("%w: its GPT is damaged (%d entries of %d bytes at sector %d)", ErrNotBootable, count, length, table)
	}
	entries := make([]byte, count*length)
	if _, err := disk.ReadAt(entries, table*sector); err != nil {
		return nil, fmt.Errorf("%w: its GPT is cut off: %w", ErrNotBootable, err)
	}
	var parts []region
	for ; len(entries) > 0; entries = entries[length:] {
		unused := bytes.Equal(entries[:16], make([]byte, 16))
		first, ok1 := sectors(entries[32:])
		last, ok2 := sectors(entries[40:])
		if !unused && ok1 && ok2 && last >= first {
			parts = appendInside(parts, first, last-first+1, size)
		}
	}
	return parts, nil
}

// sectors reads a number of sectors, and whether it is small enough to be one: twice
// its bytes must be a number too.
func sectors(b []byte) (int64, bool) {
	n := binary.LittleEndian.Uint64(b)
	if n > math.MaxInt64/sector/2 {
		return 0, false
	}
	return int64(n), true
}

// appendInside adds a partition, given in sectors, if it lies on the disk.
func appendInside(parts []region, first, count, size int64) []region {
	part := region{offset: first * sector, size: count * sector}
	if first == 0 || count == 0 || part.offset+part.size > size {
		return parts
	}
	return append(parts, part)
}
