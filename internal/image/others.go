package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// parseVDI reads VirtualBox's header.
// Offsets: block/vdi.c in QEMU, VDICore.h in VirtualBox.
func parseVDI(v view) (*disk, error) {
	b, err := v.header(0, 512)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	const differencing = 4
	if le.Uint32(b[0x4c:]) == differencing {
		return nil, v.fault(ErrBackingFile, "a differencing VDI file", fmt.Sprintf(fixFlatten, v.path))
	}
	size, block := le.Uint64(b[0x170:]), int64(le.Uint32(b[0x178:]))
	if size > math.MaxInt64 || block == 0 {
		return nil, v.fault(ErrDamaged, "a VDI header with impossible numbers", fixRebuild)
	}
	if size == 0 {
		return nil, v.fault(ErrEmpty, "a VDI file with a disk of 0 bytes", fixRebuild)
	}
	d := &disk{virtualSize: int64(size)}
	data, allocated := int64(le.Uint32(b[0x158:])), int64(le.Uint32(b[0x184:]))
	if allocated > 0 {
		d.reaches(data + allocated*block)
	}
	return d, nil
}

// parseVMDK reads the header of a sparse extent: "Virtual Disk Format 5.0",
// VMware's technical note, sections 4.1 to 4.3.
func parseVMDK(v view) (*disk, error) {
	flatten := fmt.Sprintf(fixFlatten, v.path)
	b, err := v.header(0, 512)
	if err != nil {
		return nil, err
	}
	switch string(b[:4]) {
	case "# Di":
		return nil, v.fault(ErrExternalData, "a VMDK descriptor, whose data is in other files", flatten)
	case "COWD":
		return nil, v.fault(ErrNotAnImage, "a VMDK file of version 3 (COWD), which is not imported", flatten)
	}
	const sector = 512
	le := binary.LittleEndian
	sectors, directory := le.Uint64(b[12:]), le.Uint64(b[56:])
	grain, perTable := le.Uint64(b[20:]), int64(le.Uint32(b[44:]))
	if sectors > math.MaxInt64/sector || grain == 0 || grain > 1<<20 || perTable == 0 {
		return nil, v.fault(ErrDamaged, "a VMDK header with impossible numbers", fixRebuild)
	}
	if sectors == 0 {
		return nil, v.fault(ErrEmpty, "a VMDK file with a disk of 0 bytes", fixRebuild)
	}
	d := &disk{virtualSize: int64(sectors) * sector}
	const atTheEnd = math.MaxUint64 // a streamOptimized file has its directory there
	if directory == atTheEnd {
		return d, vmdkFooter(v)
	}
	if directory > math.MaxUint32 {
		return nil, v.fault(ErrDamaged, "a VMDK header with impossible numbers", fixRebuild)
	}
	last, err := vmdkReach(v, d, int64(directory)*sector, int64(grain), perTable)
	const compressed = 1 << 16
	if err != nil || last == 0 || le.Uint32(b[8:])&compressed == 0 {
		return d, err
	}
	marker, err := v.bytes(last, 12) // its grain's number, and how many bytes follow
	if err == nil {
		d.reaches(last + 12 + int64(le.Uint32(marker[8:])))
	}
	return d, ignoreBeyond(err)
}

// vmdkReach goes through the grain directory and the tables that it points to, and
// returns where the farthest grain begins, 0 if there is none. A grain at the end
// of the file may be there in part, so only its beginning is demanded.
func vmdkReach(v view, d *disk, directory, grain, perTable int64) (last int64, err error) {
	const sector, width = 512, 4
	le := binary.LittleEndian
	covered := grain * sector * perTable
	tables := (d.virtualSize + covered - 1) / covered
	var failed error
	end, err := tableEnd(v, directory, tables, width, func(entry []byte) int64 {
		table := int64(le.Uint32(entry)) * sector
		if table == 0 || failed != nil {
			return 0
		}
		var end int64
		end, failed = tableEnd(v, table, perTable, width, func(entry []byte) int64 {
			const zeroed = 1 // a grain of zeros; 0 is one that is not there
			at := int64(le.Uint32(entry))
			if at <= zeroed {
				return 0
			}
			last = max(last, at*sector)
			return at*sector + 1
		})
		return end
	})
	d.reaches(end)
	return last, errors.Join(err, failed)
}

// vmdkFooter looks whether a stream-optimized file that can be seen whole ends as
// it must: a copy of the header, then one marker.
func vmdkFooter(v view) error {
	if !v.all {
		return nil
	}
	const sector = 512
	b, err := v.bytes(v.have-2*sector, sector)
	if err != nil || string(b[:4]) != "KDMV" {
		return v.fault(ErrTruncated, "a stream-optimized VMDK file without its footer", fixRebuild)
	}
	return nil
}
