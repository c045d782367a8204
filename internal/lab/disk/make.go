package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
)

const (
	sector = 512
	mib    = 1 << 20
	// markerAt is in the gap between the partition table and the first partition.
	markerAt = 4096
)

// Make writes a small valid raw disk: a partition table, one Linux partition, the
// marker with the Spec, and a filling of which half compresses well. The same Spec
// gives the same bytes. It fails on a faulty Spec and when w does.
func Make(w io.Writer, s Spec) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("make a lab image: %w", err)
	}
	marker, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("make a lab image: %w", err)
	}
	size := s.SizeMiB
	if size == 0 {
		size = 16
	}

	head := make([]byte, mib)
	copy(head, partitionTable(size))
	if n := copy(head[markerAt:], Marker+string(marker)+"\n"); n < len(marker) {
		return fmt.Errorf("make a lab image: the marker of %d bytes is longer than %d", len(marker), n)
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write a lab image: %w", err)
	}
	h := fnv.New64a()
	_, _ = h.Write(marker)
	for i := 1; i < size; i++ {
		if _, err := w.Write(filling(i, h.Sum64())); err != nil {
			return fmt.Errorf("write a lab image: %w", err)
		}
	}
	return nil
}

// partitionTable is a master boot record with one bootable Linux partition from
// the first MiB to the end of the disk.
func partitionTable(sizeMiB int) []byte {
	mbr := make([]byte, sector)
	entry := mbr[446:462]
	entry[0] = 0x80                            // bootable
	copy(entry[1:4], []byte{0xfe, 0xff, 0xff}) // CHS, unused
	entry[4] = 0x83                            // Linux
	copy(entry[5:8], []byte{0xfe, 0xff, 0xff}) // CHS, unused
	binary.LittleEndian.PutUint32(entry[8:], mib/sector)
	binary.LittleEndian.PutUint32(entry[12:], uint32((sizeMiB-1)*mib/sector)) //nolint:gosec // sizes of test disks
	mbr[510], mbr[511] = 0x55, 0xaa
	return mbr
}

// filling is one MiB: even ones are text, odd ones are noise.
func filling(i int, seed uint64) []byte {
	if i%2 == 0 {
		return bytes.Repeat([]byte("snowdrop lab: this stands for a file system.\n..."), mib/48+1)[:mib]
	}
	block := make([]byte, mib)
	r := rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // a filling, not a secret
	for off := 0; off < mib; off += 8 {
		binary.LittleEndian.PutUint64(block[off:], r.Uint64())
	}
	return block
}
