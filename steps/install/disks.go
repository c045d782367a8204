package install

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Disk is a disk of a host, with what is on it.
type Disk struct {
	// Device is its file: "/dev/sda".
	Device string
	Size   int64
	Model  string
	// Holds are its partitions and what they are made into: file systems and where
	// they are mounted.
	Holds []string
}

// block is a device as lsblk -J -b shows it. Sizes are numbers or, of older
// versions, text; mount points are one or many, and none is null.
type block struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Size        flexible  `json:"size"`
	Model       *string   `json:"model"`
	FSType      *string   `json:"fstype"`
	MountPoint  *string   `json:"mountpoint"`
	MountPoints []*string `json:"mountpoints"`
	Children    []block   `json:"children"`
}

// flexible is a number, be it in quotes.
type flexible int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *flexible) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" || text == "" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("size %s is not a number of bytes", b)
	}
	*n = flexible(v)
	return nil
}

// parseDisks reads the answer of lsblk. Its loops, read-only media and empty
// drives are no disks.
func parseDisks(answer string) ([]Disk, error) {
	var out struct {
		Devices []block `json:"blockdevices"`
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		return nil, fmt.Errorf("lsblk's answer cannot be read: %w", err)
	}
	var disks []Disk
	for _, b := range out.Devices {
		if b.Type != "disk" || b.Size == 0 || strings.HasPrefix(b.Name, "zram") || strings.HasPrefix(b.Name, "ram") {
			continue
		}
		d := Disk{Device: "/dev/" + b.Name, Size: int64(b.Size)}
		if b.Model != nil {
			d.Model = strings.TrimSpace(*b.Model)
		}
		b.hold(&d)
		disks = append(disks, d)
	}
	return disks, nil
}

// hold adds what is on a device, and on what it is made into.
func (b block) hold(d *Disk) {
	var mounts []string
	for _, m := range append(b.MountPoints, b.MountPoint) {
		if m != nil && *m != "" && !slices.Contains(mounts, *m) {
			mounts = append(mounts, *m)
		}
	}
	if b.FSType != nil && *b.FSType != "" || len(mounts) > 0 {
		words := []string{b.Name}
		if b.FSType != nil && *b.FSType != "" {
			words = append(words, *b.FSType)
		}
		if len(mounts) > 0 {
			words = append(words, "on "+strings.Join(mounts, ", "))
		}
		d.Holds = append(d.Holds, strings.Join(words, " "))
	}
	for _, child := range b.Children {
		child.hold(d)
	}
}

// String is a disk in a line.
func (d Disk) String() string {
	return plain(d.line())
}

func (d Disk) line() string {
	text := d.Device
	if d.Size > 0 {
		text += ", " + Size(d.Size)
	}
	if d.Model != "" {
		text += ", " + d.Model
	}
	if len(d.Holds) == 0 {
		return text + ": no file system"
	}
	return text + ": " + strings.Join(d.Holds, "; ")
}

// Size is a number of bytes as disks are sold.
func Size(n int64) string {
	const unit = 1000
	value, names := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for ; value >= unit && i < len(names)-1; i++ {
		value /= unit
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + " " + names[i]
}
