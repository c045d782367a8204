package image

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with an image. A Fault carries one of them: use errors.Is.
var (
	ErrNoImage       = errors.New("no image file found")
	ErrSeveralImages = errors.New("several image files found")
	ErrNotAnImage    = errors.New("not a disk image of the kind its name says")
	ErrEmpty         = errors.New("the image is empty")
	ErrTruncated     = errors.New("the image is cut off")
	ErrDamaged       = errors.New("the image is damaged")
	ErrCompression   = errors.New("the compression cannot be imported")
	ErrBackingFile   = errors.New("the image needs another image below it")
	ErrEncrypted     = errors.New("the image is encrypted")
	ErrExternalData  = errors.New("the image's data is in another file")
	ErrTooLarge      = errors.New("the image is too large to be imported")
	ErrDoesNotFit    = errors.New("the image does not fit the droplet's disk")
)

// Fault is one reason why an image cannot be used.
type Fault struct {
	Kind  error  // one of the Err… of this package
	Path  string // the file or directory
	Found string // what was seen there
	Fix   string // what to do now
}

// Error tells all four, on three lines.
func (f *Fault) Error() string {
	return fmt.Sprintf("%v: %s\n  found: %s\n  do: %s", f.Kind, f.Path, f.Found, f.Fix)
}

// Unwrap is the Kind.
func (f *Fault) Unwrap() error { return f.Kind }

// The ways out that several faults share.
const (
	fixRebuild  = "build the image again; if it was copied or downloaded, that was cut off"
	fixCompress = `set virtualisation.digitalOceanImage.compressionMethod to "gzip" or "bzip2", ` +
		"or leave the image uncompressed: it is then compressed while it is uploaded, which is faster"
	fixFlatten = "make one self-contained image of it: qemu-img convert -O qcow2 %s out.qcow2"
	fixSmaller = "make the disk smaller: virtualisation.diskSize (in MiB) is %d or more now"
)

const formatsText = "*.qcow2, *.raw, *.img, *.vmdk, *.vhdx, *.vdi, alone or with .gz or .bz2"

// list names at most ten of the names.
func list(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "nothing"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
