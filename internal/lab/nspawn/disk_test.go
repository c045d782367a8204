package nspawn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testDisk is a disk of some sectors with file systems and a partition table as
// asked for.
type testDisk []byte

func newTestDisk(sectors int) testDisk { return make(testDisk, sectors*sector) }

func (d testDisk) ext(first int64) testDisk {
	binary.LittleEndian.PutUint16(d[first*sector+1024+56:], 0xEF53)
	return d
}

// span is a partition in sectors.
type span struct{ first, count uint32 }

func (d testDisk) mbr(parts ...span) testDisk {
	putMBR(d, parts...)
	return d
}

func (d testDisk) gpt(parts ...span) testDisk {
	putGPT(d, parts...)
	return d
}

func putMBR(d []byte, parts ...span) {
	for i, p := range parts {
		entry := d[446+16*i:]
		entry[4] = 0x83
		binary.LittleEndian.PutUint32(entry[8:], p.first)
		binary.LittleEndian.PutUint32(entry[12:], p.count)
	}
	d[510], d[511] = 0x55, 0xAA
}

func putGPT(d []byte, parts ...span) {
	putMBR(d, span{1, uint32(len(d)/sector - 1)})
	header := d[sector:]
	copy(header, "EFI PART")
	binary.LittleEndian.PutUint64(header[72:], 2)
	binary.LittleEndian.PutUint32(header[80:], 128)
	binary.LittleEndian.PutUint32(header[84:], 128)
	for i, p := range parts {
		entry := d[2*sector+128*i:]
		entry[0] = 1 // any type but "unused"
		binary.LittleEndian.PutUint64(entry[32:], uint64(p.first))
		binary.LittleEndian.PutUint64(entry[40:], uint64(p.first+p.count-1))
	}
}

func TestRootIsFoundOnADiskAsNixOSMakesThem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		disk testDisk
		want region
		err  error
	}{
		"the whole disk": {disk: newTestDisk(100).ext(0), want: region{0, 100 * sector}},
		"MBR with one partition": {
			disk: newTestDisk(200).mbr(span{64, 100}).ext(64), want: region{64 * sector, 100 * sector},
		},
		"GPT with a BIOS boot partition and a root": {
			disk: newTestDisk(300).gpt(span{40, 10}, span{64, 200}).ext(64), want: region{64 * sector, 200 * sector},
		},
		"the larger of two, here a boot and a root": {
			disk: newTestDisk(300).gpt(span{40, 20}, span{64, 200}).ext(40).ext(64), want: region{64 * sector, 200 * sector},
		},
		"nothing on the disk":          {disk: newTestDisk(100), err: ErrNotBootable},
		"no ext4 in the partition":     {disk: newTestDisk(200).mbr(span{64, 100}), err: ErrNotBootable},
		"a partition beyond the end":   {disk: newTestDisk(200).mbr(span{64, 1000}).ext(64), err: ErrNotBootable},
		"less than a sector":           {disk: testDisk("hello"), err: ErrNotBootable},
		"a GPT whose entries are huge": {disk: newTestDisk(200).damagedGPT(84, 1<<30), err: ErrNotBootable},
		"a GPT of very many entries":   {disk: newTestDisk(200).damagedGPT(80, 1<<31), err: ErrNotBootable},
		"a GPT that lies elsewhere":    {disk: newTestDisk(200).damagedGPT(76, 1<<31), err: ErrNotBootable},
		"a GPT at the disk's very end": {disk: newTestDisk(200).damagedGPT(72, 199), err: ErrNotBootable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rootRegion(bytes.NewReader(test.disk), int64(len(test.disk)))
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func (d testDisk) damagedGPT(offset int, value uint32) testDisk {
	d.gpt(span{64, 100}).ext(64)
	binary.LittleEndian.PutUint32(d[sector+offset:], value)
	return d
}

func TestReadErrorsOfADiskAreNotTheImagesFault(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	_, err := rootRegion(failingReader{broken}, 1<<20)
	if !errors.Is(err, broken) || errors.Is(err, ErrNotBootable) {
		t.Errorf("got %v", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

var _ io.ReaderAt = failingReader{}

func TestFormatsAreToldByContent(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header []byte
		want   format
		err    error
	}{
		"a disk":                  {header: make([]byte, headerSize), want: raw},
		"a short disk":            {header: []byte("x"), want: raw},
		"qcow2, version 2":        {header: qcowHeader(2, 0, 0), want: qcow2},
		"qcow2, version 3":        {header: qcowHeader(3, 0, 0), want: qcow2},
		"qcow2 with a backing":    {header: qcowHeader(3, 512, 0), err: ErrNotBootable},
		"qcow2 with a data file":  {header: qcowHeader(3, 0, 1<<2), err: ErrNotBootable},
		"version 2 has no such":   {header: qcowHeader(2, 0, 1<<2), want: qcow2},
		"a qcow2 header, cut off": {header: qcowHeader(3, 0, 0)[:50], err: ErrNotBootable},
		"gzip":                    {header: []byte{0x1f, 0x8b, 8, 0}, err: ErrNotBootable},
		"bzip2":                   {header: []byte("BZh91AY"), err: ErrNotBootable},
		"nothing at all":          {header: nil, err: ErrNotBootable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := sniff(test.header)
			if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v; %s", err, test.err, diff)
			}
		})
	}
}

func qcowHeader(version uint32, backing, incompatible uint64) []byte {
	header := make([]byte, headerSize)
	copy(header, "QFI\xfb")
	binary.BigEndian.PutUint32(header[4:], version)
	binary.BigEndian.PutUint64(header[8:], backing)
	binary.BigEndian.PutUint64(header[72:], incompatible)
	return header
}

func FuzzRootRegion(f *testing.F) {
	f.Add([]byte(newTestDisk(100).gpt(span{40, 10}).ext(40)))
	f.Add([]byte(newTestDisk(100).mbr(span{40, 10}).ext(40)))
	f.Fuzz(func(t *testing.T, disk []byte) {
		got, err := rootRegion(bytes.NewReader(disk), int64(len(disk)))
		if err == nil && (got.offset < 0 || got.size <= 0 || got.offset+got.size > int64(len(disk))) {
			t.Errorf("%v is not on a disk of %d bytes", got, len(disk))
		}
	})
}
