package ocean

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// customImages drops snapshots and backups, which the API lists as private
// images too, and puts the newest first.
func customImages(all []godo.Image) []Image {
	var images []Image
	for _, i := range all {
		if i.Type == "custom" {
			images = append(images, toImage(i))
		}
	}
	slices.SortStableFunc(images, func(a, b Image) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return images
}

func toImage(i godo.Image) Image {
	return Image{
		ID: i.ID, Name: i.Name, Status: i.Status,
		ErrorMessage: strings.TrimSpace(i.ErrorMessage), // has been a single blank
		Description:  i.Description, Distribution: i.Distribution,
		Tags: i.Tags, Regions: i.Regions,
		MinDiskGB: i.MinDiskSize, SizeGB: i.SizeGigaBytes,
		CreatedAt: toTime(i.Created),
	}
}

func toDroplet(d godo.Droplet) Droplet {
	out := Droplet{
		ID: d.ID, Name: d.Name, Status: d.Status, Size: d.SizeSlug, Locked: d.Locked,
		IPv6: slices.Contains(d.Features, "ipv6"), DiskGB: d.Disk,
		Tags: d.Tags, Volumes: d.VolumeIDs, CreatedAt: toTime(d.Created),
	}
	if d.Region != nil {
		out.Region = d.Region.Slug
	}
	if d.Image != nil {
		out.ImageID, out.ImageName = d.Image.ID, d.Image.Name
		out.ImageType, out.ImageDistribution = d.Image.Type, d.Image.Distribution
	}
	if d.Networks == nil {
		return out
	}
	out.IPv6 = out.IPv6 || len(d.Networks.V6) > 0
	for _, n := range d.Networks.V4 {
		switch {
		case n.Type == "public" && out.IPv4 == "":
			out.IPv4 = n.IPAddress
		case n.Type == "private" && out.PrivateIPv4 == "":
			out.PrivateIPv4 = n.IPAddress
		}
	}
	return out
}

func toAction(a godo.Action) Action {
	out := Action{
		ID: a.ID, Type: a.Type, Status: a.Status,
		ResourceType: a.ResourceType, ResourceID: a.ResourceID, Region: a.RegionSlug,
	}
	if out.Region == "" && a.Region != nil {
		out.Region = a.Region.Slug
	}
	if a.StartedAt != nil {
		out.StartedAt = a.StartedAt.Time
	}
	if a.CompletedAt != nil {
		out.CompletedAt = a.CompletedAt.Time
	}
	return out
}

// toTime is zero for what is not a time: nothing here may fail on a date.
func toTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
