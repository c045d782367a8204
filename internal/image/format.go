package image

import (
	"path/filepath"
	"strings"
)

// Format is a disk image's format, named by its usual file ending.
type Format string

// The formats that DigitalOcean imports.
// https://docs.digitalocean.com/products/custom-images/details/
const (
	Qcow2 Format = "qcow2"
	Raw   Format = "raw"
	VMDK  Format = "vmdk"
	VHDX  Format = "vhdx"
	VDI   Format = "vdi"
)

// Compression is how an image file is packed as a whole.
type Compression string

// The compressions that DigitalOcean unpacks, and none at all.
const (
	Uncompressed Compression = ""
	Gzip         Compression = "gzip"
	Bzip2        Compression = "bzip2"
)

// ending is what a file's name says about its content.
type ending struct {
	stem        string // the name without its endings
	image       string // ".qcow2", ".img", …
	format      Format
	packing     string // ".gz", ".xz", … or ""
	compression Compression
	refused     string // the name of a compression that DigitalOcean cannot unpack
}

func formatOf(suffix string) (Format, bool) {
	switch suffix {
	case ".qcow2":
		return Qcow2, true
	case ".raw", ".img":
		return Raw, true
	case ".vmdk":
		return VMDK, true
	case ".vhdx":
		return VHDX, true
	case ".vdi":
		return VDI, true
	default:
		return "", false
	}
}

func refusedPacking(suffix string) string {
	switch suffix {
	case ".xz", ".lzma":
		return "xz"
	case ".zst", ".zstd":
		return "zstd"
	case ".lz4":
		return "lz4"
	default:
		return ""
	}
}

// splitName reads a file name's endings. It is ok only for names that look like
// those of an image, whether its compression can be used or not.
func splitName(name string) (ending, bool) {
	e := ending{stem: name}
	suffix := strings.ToLower(filepath.Ext(name))
	switch suffix {
	case ".gz":
		e.compression = Gzip
	case ".bz2":
		e.compression = Bzip2
	default:
		e.refused = refusedPacking(suffix)
	}
	if e.compression != Uncompressed || e.refused != "" {
		e.packing = suffix
		e.stem = strings.TrimSuffix(name, name[len(name)-len(suffix):])
	}
	e.image = strings.ToLower(filepath.Ext(e.stem))
	format, ok := formatOf(e.image)
	if !ok {
		return ending{}, false
	}
	e.format = format
	e.stem = e.stem[:len(e.stem)-len(e.image)]
	return e, true
}

// content names what a file's first bytes are, as far as they are a known
// format's mark: an image format's name, a compression's, or "".
func content(head []byte) string {
	at := func(offset int, mark string) bool {
		return len(head) >= offset+len(mark) && string(head[offset:offset+len(mark)]) == mark
	}
	switch {
	case at(0, "\x1f\x8b"):
		return "gzip"
	case at(0, "BZh"):
		return "bzip2"
	case at(0, "\xfd7zXZ\x00"):
		return "xz"
	case at(0, "\x28\xb5\x2f\xfd"):
		return "zstd"
	case at(0, "QFI\xfb"):
		return string(Qcow2)
	case at(0, "KDMV"), at(0, "COWD"), at(0, "# Disk DescriptorFile"):
		return string(VMDK)
	case at(0, "vhdxfile"):
		return string(VHDX)
	case at(0x40, "\x7f\x10\xda\xbe"):
		return string(VDI)
	case at(0, "conectix"):
		return "vhd"
	case at(32769, "CD001"): // ECMA-119 §8.4: the first volume descriptor is in sector 16
		return isoImage
	default:
		return ""
	}
}

const isoImage = "ISO 9660"
