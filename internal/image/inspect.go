package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// MaxVirtualSize is the largest disk that DigitalOcean imports, in bytes: "less
// than 100 GB uncompressed". It is read as decimal gigabytes, the stricter of the
// two readings, because a refusal here costs nothing and one after the upload
// costs an hour.
// https://docs.digitalocean.com/products/custom-images/details/limits/
const MaxVirtualSize int64 = 100_000_000_000

// gib is the unit of droplets' disks: one sold as 25 GB has 25 GiB.
const gib int64 = 1 << 30

// headSize is how much of an unpacked image is kept in memory while the rest is
// only counted. Every format has its headers within it: VHDX, the farthest, puts
// its metadata at 2 or 3 MiB.
const headSize = 4 << 20

// Info is what is known of an image that can be imported.
type Info struct {
	Path        string
	Name        string // the file's name
	Format      Format
	Compression Compression
	Size        int64    // of the file, in bytes
	VirtualSize int64    // of the disk, in bytes
	Warnings    []string // each one sentence, for a person
}

// Inspect reads as much of the image as is needed to be sure that it can be
// imported: headers and tables of an uncompressed one, everything of a compressed
// one, whose checksum stands at its end. What is wrong comes as *Fault, joined if
// there is more than one; other errors are those of reading.
func Inspect(ctx context.Context, path string) (Info, error) {
	return InspectWatched(ctx, path, nil)
}

// InspectWatched is Inspect that tells, if progress is not nil, how many bytes of
// the file it has read and how many there are. It is called from one goroutine.
func InspectWatched(ctx context.Context, path string, progress func(done, total int64)) (Info, error) {
	f, err := os.Open(path) //nolint:gosec // the image that is asked about
	if err != nil {
		return Info{}, fmt.Errorf("inspect image: %w", err)
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost

	info, err := identify(f)
	if err != nil {
		return Info{}, err
	}
	var d *disk
	if info.Compression == Uncompressed {
		d, err = openDisk(info, f, info.Size)
	} else {
		d, err = unpack(ctx, info, f, progress)
	}
	if err != nil {
		return Info{}, err
	}
	info.VirtualSize = d.virtualSize
	info.Warnings = d.warnings
	return info, tooLarge(path, info.VirtualSize)
}

// identify compares what the file's name says with what its first bytes say.
func identify(f *os.File) (Info, error) {
	path := f.Name()
	at, err := f.Stat()
	if err != nil {
		return Info{}, fmt.Errorf("inspect image: %w", err)
	}
	e, ok := splitName(filepath.Base(path))
	if !ok || !at.Mode().IsRegular() {
		return Info{}, &Fault{
			Kind: ErrNotAnImage, Path: path, Found: "no image by its name",
			Fix: "name a file that is one of " + formatsText,
		}
	}
	if at.Size() == 0 {
		return Info{}, &Fault{Kind: ErrEmpty, Path: path, Found: "0 bytes", Fix: fixRebuild}
	}
	head := make([]byte, 64<<10)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Info{}, fmt.Errorf("inspect image %s: %w", path, err)
	}
	info := Info{
		Path: path, Name: filepath.Base(path), Format: e.format,
		Compression: e.compression, Size: at.Size(),
	}
	return info, matches(path, e, head[:n])
}

// matches refuses a file whose content is not what its name says.
func matches(path string, e ending, head []byte) error {
	is := content(head)
	if is == "xz" || is == "zstd" || e.refused != "" {
		found := is
		if found == "" {
			found = e.refused
		}
		return &Fault{Kind: ErrCompression, Path: path, Found: found + " compression", Fix: fixCompress}
	}
	want := string(e.compression)
	if want == "" {
		return sameFormat(path, e.format, is)
	}
	if is == want {
		return nil
	}
	return &Fault{
		Kind: ErrNotAnImage, Path: path, Found: describe(is, head),
		Fix: fmt.Sprintf("the ending %s promises %s: %s", e.packing, want, renameOr(is, e)),
	}
}

// sameFormat compares an unpacked image's first bytes with its promised format.
// Raw has no mark of its own: it must only not be something else.
func sameFormat(path string, format Format, is string) error {
	if is == string(format) || (format == Raw && is == "") {
		return nil
	}
	fix := fmt.Sprintf("the ending promises %s: give the file the ending of what it is, or build it as %s", format, format)
	switch is {
	case isoImage:
		fix = "DigitalOcean does not import ISO images: build a disk image (system.build.digitalOceanImage)"
	case "vhd":
		fix = "DigitalOcean imports VHDX but not VHD: build the image as qcow2"
	case string(Gzip):
		fix = "name it " + filepath.Base(path) + ".gz: DigitalOcean judges an image by its ending"
	case string(Bzip2):
		fix = "name it " + filepath.Base(path) + ".bz2: DigitalOcean judges an image by its ending"
	case "":
		is = "nothing that is known as a disk image"
		fix = fmt.Sprintf("the ending promises %s: check what the installable makes", format)
	}
	return &Fault{Kind: ErrNotAnImage, Path: path, Found: is, Fix: fix}
}

func describe(is string, head []byte) string {
	if is != "" {
		return is
	}
	const shown = 8
	return fmt.Sprintf("a file that begins with % x", head[:min(shown, len(head))])
}

func renameOr(is string, e ending) string {
	switch is {
	case "":
		return "check what the installable makes"
	case string(e.format):
		return fmt.Sprintf("the image is not packed at all; name it %s%s", e.stem, e.image)
	case string(Gzip):
		return fmt.Sprintf("name it %s%s.gz", e.stem, e.image)
	case string(Bzip2):
		return fmt.Sprintf("name it %s%s.bz2", e.stem, e.image)
	default:
		return fmt.Sprintf("if that is the image, name it %s.%s", e.stem, is)
	}
}

func tooLarge(path string, virtualSize int64) error {
	if virtualSize <= MaxVirtualSize {
		return nil
	}
	return &Fault{
		Kind: ErrTooLarge, Path: path,
		Found: fmt.Sprintf("a disk of %.1f GB or more; DigitalOcean imports up to 100 GB", float64(virtualSize)/1e9),
		Fix:   fmt.Sprintf(fixSmaller, virtualSize>>20),
	}
}

// ObjectName is the image's name in the Space: the file's name with the ending
// that DigitalOcean judges an image by, .gz added to what is compressed on its way.
// Characters that would need escaping in a URL become "-".
func (i Info) ObjectName() string {
	e, _ := splitName(i.Name)
	packing := ".gz"
	if i.Compression == Bzip2 {
		packing = ".bz2"
	}
	stem := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9',
			strings.ContainsRune("._-", r):
			return r
		default:
			return '-'
		}
	}, e.stem)
	return stem + e.image + packing
}

// MinDiskGB is the size of the smallest droplet disk that holds the image, in the
// GB that droplets are sold by (GiB).
func (i Info) MinDiskGB() int {
	return int((i.VirtualSize + gib - 1) / gib)
}

// FitsDisk returns a Fault of kind ErrDoesNotFit if the image is bigger than
// smallestGB, the smallest disk of the droplets that it is meant for. 0 means that
// no droplet is known yet: everything fits then.
func (i Info) FitsDisk(smallestGB int) error {
	if smallestGB <= 0 || i.MinDiskGB() <= smallestGB {
		return nil
	}
	return &Fault{
		Kind: ErrDoesNotFit, Path: i.Path,
		Found: fmt.Sprintf("a disk of %d GB for droplets of which the smallest has %d GB", i.MinDiskGB(), smallestGB),
		Fix: fmt.Sprintf("set virtualisation.diskSize (in MiB) to %d or less; "+
			"the file system grows into the droplet's disk at its first boot", int64(smallestGB)<<10),
	}
}
