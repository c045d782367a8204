// Package ocean speaks with DigitalOcean's API: custom images, droplets and the
// actions on them. It is the only package that imports godo, and none of godo's
// types leave it.
//
// A POST that may have been acted on is never sent blindly again: where the
// answer was lost, the client looks whether it took effect (see Import, Rebuild
// and Transfer). Everything that takes time is waited for by one watcher, which
// asks for one page of images and one of actions a tick, however many wait.
package ocean

import (
	"slices"
	"strings"
	"time"
)

// The statuses of images, droplets and actions that decide something. The API
// has answered in other cases too ("new" for "NEW"), so compare with Is.
const (
	StatusNew       = "new" // a custom image that is being fetched; a droplet that is being created
	StatusPending   = "pending"
	StatusAvailable = "available"
	StatusDeleted   = "deleted" // also how a failed import ends
	StatusRetired   = "retired"

	StatusActive  = "active"
	StatusOff     = "off"
	StatusArchive = "archive"

	StatusInProgress = "in-progress"
	StatusCompleted  = "completed"
	StatusErrored    = "errored"
)

// Is compares two statuses without case.
func Is(status, want string) bool { return strings.EqualFold(strings.TrimSpace(status), want) }

// Image is a custom image of the account.
type Image struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	// ErrorMessage is the API's own words about a failed import, trimmed.
	ErrorMessage string   `json:"errorMessage,omitempty"`
	Description  string   `json:"description,omitempty"`
	Distribution string   `json:"distribution,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	// Regions are the regions it can be used in; empty until it is available.
	Regions []string `json:"regions,omitempty"`
	// MinDiskGB is the smallest droplet disk that it fits on; 0 while not known.
	MinDiskGB int `json:"minDiskGb,omitempty"`
	// SizeGB is what its storage is billed by; 0 while not known.
	SizeGB    float64   `json:"sizeGb,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

// Available says whether droplets can be rebuilt from it.
func (i Image) Available() bool { return Is(i.Status, StatusAvailable) }

// Importing says whether it may still become available.
func (i Image) Importing() bool { return Is(i.Status, StatusNew) || Is(i.Status, StatusPending) }

// Ours says whether snowdrop made it for that server. What is not ours is never
// touched.
func (i Image) Ours(server string) bool {
	return slices.Contains(i.Tags, Tag) && slices.Contains(i.Tags, ServerTag(server))
}

// MadeFor says whether it was made for that server of the fleet that has a tag. A
// server of another fleet may have the same name, and its images are not ours to
// delete, nor to be found by a revision: they hold another configuration.
func (i Image) MadeFor(fleetTag, server string) bool {
	return i.Ours(server) && slices.Contains(i.Tags, fleetTag)
}

// In says whether it can be used in a region.
func (i Image) In(region string) bool { return slices.Contains(i.Regions, region) }

// Droplet is a droplet of the account.
type Droplet struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Region string `json:"region,omitempty"` // slug, such as "nyc3"
	Size   string `json:"size,omitempty"`   // slug, such as "s-1vcpu-1gb"
	// Locked says that DigitalOcean refuses actions on it, such as while another
	// one is running.
	Locked bool `json:"locked"`
	// IPv4 is the public address, PrivateIPv4 the one in its VPC; empty if none.
	IPv4        string `json:"ipv4,omitempty"`
	PrivateIPv4 string `json:"privateIpv4,omitempty"`
	// IPv6 says whether IPv6 is enabled: no custom image can be put on it then.
	IPv6   bool `json:"ipv6"`
	DiskGB int  `json:"diskGb,omitempty"`
	// ImageID and ImageName are the image it was last (re)built from. ImageType is
	// "base", "snapshot", "backup" or "custom"; ImageDistribution such as "Debian".
	ImageID           int       `json:"imageId,omitempty"`
	ImageName         string    `json:"imageName,omitempty"`
	ImageType         string    `json:"imageType,omitempty"`
	ImageDistribution string    `json:"imageDistribution,omitempty"`
	Tags              []string  `json:"tags,omitempty"`
	Volumes           []string  `json:"volumes,omitempty"`
	CreatedAt         time.Time `json:"createdAt,omitzero"`
}

// Action is something that DigitalOcean does to a droplet or an image.
type Action struct {
	ID     int
	Type   string // "rebuild", "transfer", …
	Status string // see StatusInProgress and its neighbours
	// ResourceType is "droplet" or "image", ResourceID the thing's id.
	ResourceType string
	ResourceID   int
	Region       string
	StartedAt    time.Time
	// CompletedAt is zero while it runs.
	CompletedAt time.Time
}

// Running says whether the action has not ended yet.
func (a Action) Running() bool { return Is(a.Status, StatusInProgress) }

// Account is whose token it is.
type Account struct {
	Email, Team, Status string
	DropletLimit        int
}

// ImportRequest asks DigitalOcean to fetch a custom image.
type ImportRequest struct {
	// Name must be unique among the account's custom images (see ImageName): an
	// import whose answer was lost is found by it.
	Name string
	// URL must stay readable until the image is available. It may hold a
	// signature, and never stands in an error of this package.
	URL    string
	Region string
	// Description holds the revision, the sha256 and the run.
	Description string
	Tags        []string
}

// Tag marks every custom image that snowdrop made. What lacks it is not ours.
const Tag = "snowdrop"

// ServerTag is the tag of the custom images of one server.
func ServerTag(name string) string { return Tag + ":server:" + name }

// Tags are the tags of a custom image of a server of the fleet that has a tag.
func Tags(fleetTag, server string) []string { return []string{Tag, ServerTag(server), fleetTag} }

// ImageName is the name of the custom image of a server with a store hash.
func ImageName(server, hash string) string { return Tag + "-" + server + "-" + hash }

// HashOf returns the store hash that ends the name of one of our images, and
// false if the name is not of the form that ImageName makes.
func HashOf(imageName string) (string, bool) {
	rest, ok := strings.CutPrefix(imageName, Tag+"-")
	at := strings.LastIndexByte(rest, '-')
	if !ok || at <= 0 || !IsHash(rest[at+1:]) {
		return "", false
	}
	return rest[at+1:], true
}

// IsHash says whether s has the form of the hash in a path of the Nix store: 32
// characters of Nix's base 32, which has no e, o, t and u.
func IsHash(s string) bool {
	const length, alphabet = 32, "0123456789abcdfghijklmnpqrsvwxyz"
	return len(s) == length && strings.Trim(s, alphabet) == ""
}
