package ocean

import (
	"fmt"
	"slices"
	"strings"
)

const (
	gigabyte = 1e9
	gibibyte = 1 << 30
)

// Target is a droplet that is to be rebuilt for a server.
type Target struct {
	Server  string
	Droplet Droplet
	// Image is the custom image it gets; zero while there is none yet.
	Image Image
	// ImageVirtualSize is the size of the image's disk in bytes; 0: not known.
	ImageVirtualSize int64
}

// Preflight says before anything is changed what would keep the rebuilds from
// working: one error (*FaultsError) that lists every fault with its fix, or nil.
// An image that is not yet in a droplet's region is no fault: see Transfers.
func Preflight(targets []Target) error {
	var faults []Fault
	owners := map[int]string{}
	for _, t := range targets {
		for _, f := range slices.Concat(stateFaults(t.Droplet), imageFaults(t)) {
			f.Server, f.Droplet, f.DropletID = t.Server, t.Droplet.Name, t.Droplet.ID
			faults = append(faults, f)
		}
		if other, taken := owners[t.Droplet.ID]; taken && other != t.Server {
			faults = append(faults, Fault{
				Server: t.Server, Droplet: t.Droplet.Name, DropletID: t.Droplet.ID,
				What: "is a droplet of server " + other + " too, and can run only one of them",
				Fix:  "correct the droplets of one of the two servers",
			})
		}
		owners[t.Droplet.ID] = t.Server
	}
	return asError(faults)
}

// stateFaults are what the droplet itself has against being rebuilt.
func stateFaults(d Droplet) []Fault {
	var faults []Fault
	if d.IPv6 {
		faults = append(faults, Fault{
			What: "has IPv6 enabled, and DigitalOcean refuses custom images on such droplets (422 not compatible with ipv6)",
			Fix:  "IPv6 cannot be switched off: create the droplet anew without it",
		})
	}
	switch {
	case Is(d.Status, StatusNew):
		faults = append(faults, Fault{What: "is still being created", Fix: "wait until its status is active, then run it again"})
	case Is(d.Status, StatusArchive):
		faults = append(faults, Fault{
			What: "is archived, and nothing can be done with it",
			Fix:  "restore it in the control panel, or take it off the server's droplets",
		})
	case d.Locked:
		faults = append(faults, Fault{
			What: "is locked: an action runs on it at the moment, or DigitalOcean has suspended it",
			Fix:  "look at its history in the control panel; run it again when the action has ended, or ask DigitalOcean's support",
		})
	}
	return faults
}

// imageFaults are what the image and the droplet's disk have against each other.
// DigitalOcean says gigabytes and gives the unit "gib" (the API's disk_info), so
// only what is too large for gibibytes is a fault; see Cautions for the rest.
func imageFaults(t Target) []Fault {
	disk := int64(t.Droplet.DiskGB)
	switch {
	case disk == 0:
		return nil
	case t.ImageVirtualSize > disk*gibibyte:
		return []Fault{{
			What: fmt.Sprintf("its disk of %d GB (%d GiB at most) is too small for the image's disk of %s", disk, disk, sizeOf(t.ImageVirtualSize)),
			Fix:  "set virtualisation.diskSize to less (it counts MiB), or resize the droplet with its disk",
		}}
	case int64(t.Image.MinDiskGB) > disk:
		return []Fault{{
			What: fmt.Sprintf("its disk of %d GB is too small for custom image %s (%d), which asks for %d GB", disk, t.Image.Name, t.Image.ID, t.Image.MinDiskGB),
			Fix:  "set virtualisation.diskSize to less (it counts MiB), or resize the droplet with its disk",
		}}
	default:
		return nil
	}
}

// sizeOf writes bytes in both units: mixing them up is the usual mistake.
func sizeOf(bytes int64) string {
	return fmt.Sprintf("%.1f GiB (%.1f GB)", float64(bytes)/gibibyte, float64(bytes)/gigabyte)
}

// Transfer is a need: an image that has to be brought to further regions before
// all of a server's droplets can be rebuilt.
type Transfer struct {
	Server  string
	ImageID int // 0 while there is none yet
	Regions []string
}

// Transfers are the needs of the targets, one a server, in the targets' order.
// Where there is no image yet, it is taken to be imported in the region of the
// server's first droplet.
func Transfers(targets []Target) []Transfer {
	var needs []Transfer
	first := map[string]string{}
	for _, t := range targets {
		if first[t.Server] == "" {
			first[t.Server] = t.Droplet.Region
		}
		there := t.Image.In(t.Droplet.Region)
		if t.Image.ID == 0 {
			there = t.Droplet.Region == first[t.Server]
		}
		if there || t.Droplet.Region == "" {
			continue
		}
		at := slices.IndexFunc(needs, func(n Transfer) bool { return n.Server == t.Server && n.ImageID == t.Image.ID })
		if at < 0 {
			at, needs = len(needs), append(needs, Transfer{Server: t.Server, ImageID: t.Image.ID})
		}
		if !slices.Contains(needs[at].Regions, t.Droplet.Region) {
			needs[at].Regions = append(needs[at].Regions, t.Droplet.Region)
		}
	}
	return needs
}

// Cautions are what a person should know of the targets and what stops nothing,
// in the form of faults.
//
// One thing that may surprise cannot be seen in the API: a droplet with Nix in
// its user-data switches away from its image at first boot, unless the image sets
// virtualisation.digitalOcean.rebuildFromUserData = false.
func Cautions(targets []Target) []Fault {
	var cautions []Fault
	for _, t := range targets {
		for _, c := range cautionsOf(t) {
			c.Server, c.Droplet, c.DropletID = t.Server, t.Droplet.Name, t.Droplet.ID
			cautions = append(cautions, c)
		}
	}
	for _, n := range Transfers(targets) {
		cautions = append(cautions, Fault{
			Server: n.Server,
			What:   "its droplets are in several regions, so the image is transferred to " + strings.Join(n.Regions, ", ") + " too",
			Fix:    "this takes longer; further regions cost nothing",
		})
	}
	return cautions
}

func cautionsOf(t Target) []Fault {
	var cautions []Fault
	d := t.Droplet
	if d.ImageType != "" && d.ImageType != "custom" {
		system := "a " + d.ImageType + " image"
		if d.ImageDistribution != "" {
			system += " (" + d.ImageDistribution + ")"
		}
		cautions = append(cautions, Fault{
			What: "has never run a custom image, it runs " + system + "; DigitalOcean's documentation asks for the same operating system family when rebuilding",
			Fix:  "rebuild one such droplet alone first, or create it from a custom image",
		})
	}
	if Is(d.Status, StatusOff) {
		cautions = append(cautions, Fault{What: "is powered off", Fix: "if it does not start with the rebuild, power it on"})
	}
	disk := int64(d.DiskGB)
	if size := t.ImageVirtualSize; disk > 0 && size > disk*gigabyte && size <= disk*gibibyte {
		cautions = append(cautions, Fault{
			What: fmt.Sprintf("its disk of %d GB holds the image's disk of %s only if DigitalOcean counts in GiB", disk, sizeOf(size)),
			Fix:  "set virtualisation.diskSize to less (it counts MiB) to be sure",
		})
	}
	return cautions
}
