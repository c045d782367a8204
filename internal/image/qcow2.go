package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

// parseQcow2 reads the header into go-qcow2reader's types. Its Open is not used:
// it opens a backing file wherever the header points to, and believes the size of
// the L1 table before it has been compared with the file's.
// https://www.qemu.org/docs/master/interop/qcow2.html
func parseQcow2(v view) (*disk, error) {
	h, err := qcow2Header(v)
	if err != nil {
		return nil, err
	}
	if err := qcow2Usable(v, h); err != nil {
		return nil, err
	}
	d := &disk{virtualSize: int64(h.Size)} //nolint:gosec // compared with MaxInt64 in qcow2Usable
	if a := h.HeaderFieldsAdditional; a != nil && a.CompressionType == qcow2.CompressionTypeZstd {
		d.warn("the qcow2 file's clusters are compressed with zstd, which an older importer cannot read: " +
			"if the import fails, build it without (qemu-img convert -o compression_type=zlib)")
	}
	if h.HeaderFieldsV3 != nil && h.IncompatibleFeatures&extendedL2 != 0 {
		d.warn("the qcow2 file has extended L2 entries, which an importer older than QEMU 5.2 cannot read: " +
			"if the import fails, build it without (qemu-img convert -o extended_l2=off)")
	}
	return d, qcow2Reach(v, h, d)
}

const extendedL2 = 1 << qcow2.IncompatibleFeaturesExtendedL2EntriesBit

func qcow2Header(v view) (*qcow2.Header, error) {
	const lengthV2, lengthV3, lengthWithCompression = 72, 104, 112
	b, err := v.header(0, lengthV2)
	if err != nil {
		return nil, err
	}
	var h qcow2.Header
	if err := binary.Read(bytes.NewReader(b), binary.BigEndian, &h.HeaderFieldsV2); err != nil {
		return nil, fmt.Errorf("read qcow2 header of %s: %w", v.path, err)
	}
	if h.Version < 3 {
		return &h, nil
	}
	if b, err = v.header(0, lengthV3); err != nil {
		return nil, err
	}
	h.HeaderFieldsV3 = &qcow2.HeaderFieldsV3{}
	if err := binary.Read(bytes.NewReader(b[lengthV2:]), binary.BigEndian, h.HeaderFieldsV3); err != nil {
		return nil, fmt.Errorf("read qcow2 header of %s: %w", v.path, err)
	}
	if h.HeaderLength < lengthWithCompression {
		return &h, nil
	}
	if b, err = v.header(0, lengthWithCompression); err != nil {
		return nil, err
	}
	h.HeaderFieldsAdditional = &qcow2.HeaderFieldsAdditional{CompressionType: qcow2.CompressionType(b[lengthV3])}
	return &h, nil
}

// qcow2Usable tells every reason why the image cannot be imported as it is.
func qcow2Usable(v view, h *qcow2.Header) error {
	var faults []error
	flatten := fmt.Sprintf(fixFlatten, v.path)
	if h.BackingFileOffset != 0 {
		faults = append(faults, v.fault(ErrBackingFile, "a qcow2 file on top of "+qcow2Backing(v, h), flatten))
	}
	if h.CryptMethod != qcow2.CryptMethodNone {
		faults = append(faults, v.fault(ErrEncrypted, "a qcow2 file encrypted with "+h.CryptMethod.String(),
			"build it without encryption: DigitalOcean has no place for its key"))
	}
	if h.HeaderFieldsV3 != nil {
		if h.IncompatibleFeatures&(1<<qcow2.IncompatibleFeaturesExternalDataFileBit) != 0 {
			faults = append(faults, v.fault(ErrExternalData, "a qcow2 file whose data is in an external data file", flatten))
		}
		if h.IncompatibleFeatures&(1<<qcow2.IncompatibleFeaturesCorruptBit) != 0 {
			faults = append(faults, v.fault(ErrDamaged, "a qcow2 file that is marked as corrupt", "build the image again"))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	const smallest, largest = 9, 21 // cluster_bits that QEMU reads
	const known = 1<<(qcow2.IncompatibleFeaturesExtendedL2EntriesBit+1) - 1
	switch {
	case h.Version < 2 || h.Version > 3, h.HeaderFieldsV3 != nil && h.IncompatibleFeatures&^known != 0:
		return v.fault(ErrNotAnImage, fmt.Sprintf("a qcow2 file of an unknown kind (version %d)", h.Version), flatten)
	case h.ClusterBits < smallest || h.ClusterBits > largest, h.Size > math.MaxInt64:
		return v.fault(ErrDamaged, "a qcow2 header with impossible numbers", fixRebuild)
	case h.Size == 0:
		return v.fault(ErrEmpty, "a qcow2 file with a disk of 0 bytes", fixRebuild)
	}
	return nil
}

func qcow2Backing(v view, h *qcow2.Header) string {
	const longest = 1023 // of a backing file's name, by the specification
	if h.BackingFileOffset > math.MaxInt64 || h.BackingFileSize > longest {
		return "a backing file"
	}
	name, err := v.bytes(int64(h.BackingFileOffset), int64(h.BackingFileSize))
	if err != nil {
		return "a backing file"
	}
	return fmt.Sprintf("%q", name)
}

// qcow2Reach finds the farthest cluster that the tables point to. A cluster at the
// end of the file may be there in part, so only its beginning is demanded.
func qcow2Reach(v view, h *qcow2.Header, d *disk) error {
	const largestL1 = 32 << 20 // QEMU's own limit, in bytes
	const farthest = 1 << 55   // offsets have 56 bits
	if h.L1TableOffset > farthest || h.RefcountTableOffset > farthest || int64(h.L1Size)*8 > largestL1 {
		return v.fault(ErrDamaged, "a qcow2 header with impossible numbers", fixRebuild)
	}
	d.reaches(int64(h.RefcountTableOffset) + 1)

	cluster := int64(1) << h.ClusterBits
	width := 8
	if h.HeaderFieldsV3 != nil && h.IncompatibleFeatures&extendedL2 != 0 {
		width = 16
	}
	var failed error
	end, err := tableEnd(v, int64(h.L1TableOffset), int64(h.L1Size), 8, func(entry []byte) int64 {
		l2 := qcow2Offset(binary.BigEndian.Uint64(entry))
		if l2 == 0 || failed != nil {
			return 0
		}
		if v.all && l2+cluster > v.have {
			return l2 + cluster
		}
		var end int64
		end, failed = tableEnd(v, l2, cluster/int64(width), width, func(entry []byte) int64 {
			return qcow2ClusterReach(binary.BigEndian.Uint64(entry), h.ClusterBits)
		})
		return end
	})
	d.reaches(end)
	return errors.Join(err, failed)
}

// qcow2Offset takes the offset out of a table entry: bits 9 to 55.
func qcow2Offset(entry uint64) int64 {
	return int64(entry & 0x00fffffffffffe00) //nolint:gosec // 56 bits
}

// qcow2ClusterReach is the byte after the first one of a cluster, or of the last
// sector of a compressed one; 0 if there is none.
func qcow2ClusterReach(entry uint64, clusterBits uint32) int64 {
	const compressed = 1 << 62
	if entry&compressed != 0 {
		const sector = 512
		offsetBits := 62 - (clusterBits - 8)
		offset := int64(entry & (1<<offsetBits - 1))       //nolint:gosec // at most 61 bits
		further := int64(entry &^ (3 << 62) >> offsetBits) //nolint:gosec // at most 13 bits
		return offset&^(sector-1) + further*sector + 1
	}
	if offset := qcow2Offset(entry); offset != 0 {
		return offset + 1
	}
	return 0
}
