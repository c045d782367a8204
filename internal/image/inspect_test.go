package image_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/image"
)

const disk = 8 << 20 // of every fixture that is sound, unless said otherwise

func TestSoundImagesOfEveryFormatAreAcceptedPackedAndNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		format   image.Format
		size     int64
		warnings int
	}{
		"plain.qcow2":          {image.Qcow2, disk, 0},
		"compressed.qcow2":     {image.Qcow2, disk, 0},
		"v2.qcow2":             {image.Qcow2, disk, 0},
		"small-clusters.qcow2": {image.Qcow2, disk, 0},
		"zstd.qcow2":           {image.Qcow2, disk, 1},
		"extended.qcow2":       {image.Qcow2, disk, 1},
		"disk.raw":             {image.Raw, disk, 0},
		"gpt.raw":              {image.Raw, 2 << 20, 0},
		"nopart.raw":           {image.Raw, 1 << 20, 1},
		"sparse.vmdk":          {image.VMDK, disk, 0},
		"stream.vmdk":          {image.VMDK, disk, 0},
		"dynamic.vhdx":         {image.VHDX, disk, 0},
		"dynamic.vdi":          {image.VDI, disk, 0},
		"static.vdi":           {image.VDI, disk, 0},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := fixture(t, name)
			for suffix, content := range map[string][]byte{"": data, ".gz": gzipped(t, data)} {
				info, err := image.Inspect(t.Context(), write(t, name+suffix, content))
				if err != nil {
					t.Errorf("%s: %v", name+suffix, err)
					continue
				}
				if info.Format != want.format || info.VirtualSize != want.size || len(info.Warnings) != want.warnings ||
					info.Size != int64(len(content)) || info.Name != name+suffix {
					t.Errorf("%s: got %+v, want %+v", name+suffix, info, want)
				}
			}
		})
	}
}

func TestBzip2IsAccepted(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "images", "plain.qcow2.bz2"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := image.Inspect(t.Context(), write(t, "x.qcow2.bz2", data))
	if err != nil || info.Compression != image.Bzip2 || info.VirtualSize != disk || info.ObjectName() != "x.qcow2.bz2" {
		t.Errorf("got %+v, %v", info, err)
	}
	if _, err = image.Inspect(t.Context(), write(t, "x.qcow2.bz2", data[:len(data)-100])); !errors.Is(err, image.ErrTruncated) {
		t.Errorf("cut off: %v", err)
	}
}

func TestAnImageThatIsCutOffIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"plain.qcow2", "compressed.qcow2", "v2.qcow2", "small-clusters.qcow2", "zstd.qcow2", "extended.qcow2",
		"disk.raw", "gpt.raw", "sparse.vmdk", "stream.vmdk", "dynamic.vhdx", "dynamic.vdi", "static.vdi",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := fixture(t, name)
			for _, keep := range []int{1, 10, 80, 511, 1100, len(data) / 4, len(data) / 2, len(data) * 3 / 5} {
				short := data[:keep]
				for suffix, content := range map[string][]byte{"": short, ".gz": gzipped(t, short)} {
					if _, err := image.Inspect(t.Context(), write(t, name+suffix, content)); err == nil {
						t.Errorf("%s: accepted with %d of %d bytes", name+suffix, keep, len(data))
					}
				}
			}
		})
	}
}

func TestTheLastSectorOfCompressedDataIsMissed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"compressed.qcow2", "zstd.qcow2", "disk.raw", "gpt.raw", "dynamic.vdi"} {
		data := fixture(t, name)
		if _, err := image.Inspect(t.Context(), write(t, name, data[:len(data)-1024])); !errors.Is(err, image.ErrTruncated) {
			t.Errorf("%s without its last 1024 bytes: %v", name, err)
		}
	}
}

// fault is an image that must be refused.
type fault struct {
	file string
	data func(t *testing.T) []byte
	want error
}

func raw(b []byte) func(*testing.T) []byte { return func(*testing.T) []byte { return b } }

func made(name string) func(*testing.T) []byte {
	return func(t *testing.T) []byte { t.Helper(); return fixture(t, name) }
}

func packed(name string, change func([]byte) []byte) func(*testing.T) []byte {
	return func(t *testing.T) []byte { t.Helper(); return change(gzipped(t, fixture(t, name))) }
}

func header(name string, change func([]byte)) func(*testing.T) []byte {
	return func(t *testing.T) []byte {
		t.Helper()
		b := fixture(t, name)
		change(b)
		return b
	}
}

func faults() map[string]fault {
	be, le := binary.BigEndian, binary.LittleEndian
	return map[string]fault{
		"empty file":              {"x.qcow2", raw(nil), image.ErrEmpty},
		"empty gzip":              {"x.raw.gz", raw([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00")), image.ErrEmpty},
		"html page":               {"x.qcow2", raw([]byte("<!DOCTYPE html><title>404</title>" + strings.Repeat(" ", 1000))), image.ErrNotAnImage},
		"html page packed":        {"x.qcow2.gz", packed("nopart.raw", same), image.ErrNotAnImage},
		"raw named qcow2":         {"x.qcow2", made("disk.raw"), image.ErrNotAnImage},
		"qcow2 named raw":         {"x.raw", made("plain.qcow2"), image.ErrNotAnImage},
		"qcow2 named img":         {"x.img", made("plain.qcow2"), image.ErrNotAnImage},
		"vhd named vhdx":          {"x.vhdx", made("disk.vhd"), image.ErrNotAnImage},
		"iso named img":           {"x.img", raw(iso()), image.ErrNotAnImage},
		"gzip without its ending": {"x.qcow2", packed("plain.qcow2", same), image.ErrNotAnImage},
		"gz that is not packed":   {"x.qcow2.gz", made("plain.qcow2"), image.ErrNotAnImage},
		"gz that is noise":        {"x.qcow2.gz", raw([]byte("no gzip at all")), image.ErrNotAnImage},
		"xz":                      {"x.qcow2.xz", raw([]byte("\xfd7zXZ\x00\x00\x04")), image.ErrCompression},
		"zstd":                    {"x.qcow2.zst", raw([]byte("\x28\xb5\x2f\xfd\x00\x00")), image.ErrCompression},
		"xz named gz":             {"x.qcow2.gz", raw([]byte("\xfd7zXZ\x00\x00\x04")), image.ErrCompression},
		"gzip cut off":            {"x.qcow2.gz", packed("plain.qcow2", func(b []byte) []byte { return b[:len(b)*2/3] }), image.ErrTruncated},
		"gzip without trailer":    {"x.qcow2.gz", packed("plain.qcow2", func(b []byte) []byte { return b[:len(b)-8] }), image.ErrTruncated},
		"gzip wrong checksum":     {"x.qcow2.gz", packed("plain.qcow2", func(b []byte) []byte { b[len(b)-8] ^= 1; return b }), image.ErrDamaged},
		"gzip wrong length":       {"x.qcow2.gz", packed("plain.qcow2", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), image.ErrDamaged},
		"gzip flipped bit":        {"x.raw.gz", packed("disk.raw", func(b []byte) []byte { b[len(b)/2] ^= 8; return b }), image.ErrDamaged},
		"gzip with garbage after": {"x.raw.gz", packed("disk.raw", func(b []byte) []byte { return append(b, "garbage garbage"...) }), image.ErrDamaged},
		"truncated qcow2":         {"x.qcow2", header("plain.qcow2", func([]byte) {}), nil},
		"backing file":            {"x.qcow2", made("backing.qcow2"), image.ErrBackingFile},
		"encrypted":               {"x.qcow2", made("luks.qcow2"), image.ErrEncrypted},
		"encrypted with AES":      {"x.qcow2", header("v2.qcow2", func(b []byte) { be.PutUint32(b[32:], 1) }), image.ErrEncrypted},
		"external data file":      {"x.qcow2", made("datafile.qcow2"), image.ErrExternalData},
		"marked as corrupt":       {"x.qcow2", header("plain.qcow2", func(b []byte) { b[79] |= 2 }), image.ErrDamaged},
		"unknown feature":         {"x.qcow2", header("plain.qcow2", func(b []byte) { b[72] = 0x80 }), image.ErrNotAnImage},
		"absurd cluster size":     {"x.qcow2", header("plain.qcow2", func(b []byte) { be.PutUint32(b[20:], 60) }), image.ErrDamaged},
		"absurd table":            {"x.qcow2", header("plain.qcow2", func(b []byte) { be.PutUint32(b[36:], 1<<31) }), image.ErrDamaged},
		"over 100 GB":             {"x.qcow2", made("big.qcow2"), image.ErrTooLarge},
		"over 100 GB packed":      {"x.qcow2.gz", packed("big.qcow2", same), image.ErrTooLarge},
		"vmdk descriptor":         {"x.vmdk", made("flat.vmdk"), image.ErrExternalData},
		"vdi on another":          {"x.vdi", header("dynamic.vdi", func(b []byte) { le.PutUint32(b[0x4c:], 4) }), image.ErrBackingFile},
		"vhdx without metadata":   {"x.vhdx", header("dynamic.vhdx", func(b []byte) { copy(b[192<<10:], make([]byte, 512)) }), image.ErrDamaged},
	}
}

func same(b []byte) []byte { return b }

func iso() []byte {
	b := make([]byte, 40<<10)
	copy(b[32768:], "\x01CD001\x01")
	return b
}

func TestAWrongImageIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	for name, test := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := test.data(t)
			if name == "truncated qcow2" {
				data, test.want = data[:len(data)/2], image.ErrTruncated
			}
			path := write(t, test.file, data)
			_, err := image.Inspect(t.Context(), path)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			golden(t, name, filepath.Dir(path), err.Error())
		})
	}
}

func TestEveryFaultOfAHeaderIsToldAtOnce(t *testing.T) {
	t.Parallel()
	b := fixture(t, "datafile.qcow2")
	binary.BigEndian.PutUint32(b[32:], 2)   // LUKS
	binary.BigEndian.PutUint64(b[8:], 4096) // a backing file
	_, err := image.Inspect(t.Context(), write(t, "x.qcow2", b))
	for _, want := range []error{image.ErrEncrypted, image.ErrBackingFile, image.ErrExternalData} {
		if !errors.Is(err, want) {
			t.Errorf("%v is missing in %v", want, err)
		}
	}
}

func TestInspectTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	path := write(t, "x.raw.gz", gzipped(t, fixture(t, "disk.raw")))
	var last, of int64
	info, err := image.InspectWatched(t.Context(), path, func(done, total int64) { last, of = done, total })
	if err != nil || last != info.Size || of != info.Size {
		t.Errorf("told %d of %d, file has %d (%v)", last, of, info.Size, err)
	}
}

func TestInspectEndsWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := image.Inspect(ctx, write(t, "x.raw.gz", gzipped(t, fixture(t, "disk.raw"))))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestObjectNamesHaveTheEndingThatDigitalOceanJudgesBy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		compression image.Compression
		want        string
	}{
		"nixos.qcow2.gz": {image.Gzip, "nixos.qcow2.gz"},
		"nixos.qcow2":    {image.Uncompressed, "nixos.qcow2.gz"},
		"nixos.RAW":      {image.Uncompressed, "nixos.raw.gz"},
		"nixos.img.bz2":  {image.Bzip2, "nixos.img.bz2"},
		"nixos-image-digital-ocean-25.05.1-x86_64-linux.qcow2.gz": {image.Gzip, "nixos-image-digital-ocean-25.05.1-x86_64-linux.qcow2.gz"},
		"my image+ü?.vmdk": {image.Uncompressed, "my-image---.vmdk.gz"},
	}
	for name, test := range tests {
		info := image.Info{Name: name, Compression: test.compression}
		if diff := cmp.Diff(test.want, info.ObjectName()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestADiskIsMeasuredInTheGBThatDropletsAreSoldBy(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	info := image.Info{Path: "/nix/store/…/x.qcow2", VirtualSize: 25 * gib}
	if got := info.MinDiskGB(); got != 25 {
		t.Errorf("25 GiB need a disk of %d GB", got)
	}
	for _, fits := range []int{0, 25, 80} {
		if err := info.FitsDisk(fits); err != nil {
			t.Errorf("%d: %v", fits, err)
		}
	}
	info.VirtualSize++
	err := info.FitsDisk(25)
	if !errors.Is(err, image.ErrDoesNotFit) {
		t.Fatalf("one byte more: %v", err)
	}
	golden(t, "too large for the droplet", "\x00", err.Error())
}
