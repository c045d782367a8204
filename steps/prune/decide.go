package prune

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/space"
)

// Verdict is what is to happen to a custom image, and why.
type Verdict struct {
	Image  ocean.Image
	Delete bool
	Reason string
}

// ObjectVerdict is what is to happen to an object in the Space, and why.
type ObjectVerdict struct {
	Key    string
	Delete bool
	Reason string
}

// Decide judges the server's own custom images, the newest first. It is pure.
// Images that lack our tag, the server's or the fleet's are not judged at all: they
// are not ours to touch.
//
// An image goes only if the record's release is verified, if it is older than
// that release's image, if no droplet of the account and no line of the record
// names it, and if it is not among the newest. What failed to be imported goes in
// any case, unless something names it.
func Decide(in In) []Verdict {
	var verdicts []Verdict
	newest := 0
	for _, image := range ours(in) {
		v := Verdict{Image: image}
		if image.Available() {
			newest++
		}
		switch reason := needed(in, image); {
		case reason != "":
			v.Reason = reason
		case !image.Available() && !image.Importing():
			v.Delete, v.Reason = true, fmt.Sprintf("it is %q and can no longer be used", image.Status)
		default:
			v.Delete, v.Reason = old(in, image, newest)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// ours are the server's own images, the newest first.
func ours(in In) []ocean.Image {
	mine := slices.DeleteFunc(slices.Clone(in.Images), func(i ocean.Image) bool { return !i.MadeFor(in.Fleet, in.Server) })
	slices.SortStableFunc(mine, func(a, b ocean.Image) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return mine
}

// needed says who needs an image; empty if nobody does.
func needed(in In, image ocean.Image) string {
	for _, d := range in.Droplets {
		if d.ImageID == image.ID {
			return fmt.Sprintf("droplet %s (%d) runs from it", d.Name, d.ID)
		}
	}
	if in.Record != nil {
		if reason := recorded(in.Record, image.ID); reason != "" {
			return reason
		}
	}
	// A droplet without an image is one that the token may not see it of.
	for _, d := range in.Droplets {
		if d.ImageID == 0 {
			return fmt.Sprintf("it cannot be seen what droplet %s (%d) runs from: it may be this image", d.Name, d.ID)
		}
	}
	return ""
}

func recorded(r *release.Record, id int) string {
	switch {
	case r.CustomImage.ID == id:
		return "the record names it as the current release's"
	case r.Previous != nil && r.Previous.CustomImage.ID == id:
		return "the record names it as the way back"
	}
	for _, d := range r.Droplets {
		switch {
		case d.ImageID == id:
			return fmt.Sprintf("the record says that droplet %s (%d) was last rebuilt with it", d.Name, d.ID)
		case d.Rebuild != nil && d.Rebuild.ImageID == id:
			return fmt.Sprintf("the record says that droplet %s (%d) is being rebuilt with it", d.Name, d.ID)
		}
	}
	return ""
}

// old judges a usable image that nobody needs, the place-th newest.
func old(in In, image ocean.Image, place int) (bool, string) {
	keep := max(1, in.Keep)
	switch {
	case image.Importing():
		return false, "it is being imported"
	case in.Record == nil, in.Record.CustomImage.ID == 0: // it may have been switched
		return false, "there is no record of a release of this server yet"
	case in.Record.Outcome != release.Verified:
		return false, fmt.Sprintf("the current release is not verified, it is %s", cmp.Or(in.Record.Outcome, "unknown"))
	case place <= keep:
		return false, fmt.Sprintf("it is among the %d newest", keep)
	case newerThanCurrent(in, image):
		return false, "it is newer than the current release's image"
	default:
		return true, fmt.Sprintf("it is not among the %d newest, and nothing needs it", keep)
	}
}

func newerThanCurrent(in In, image ocean.Image) bool {
	for _, i := range in.Images {
		if i.ID == in.Record.CustomImage.ID {
			return image.CreatedAt.After(i.CreatedAt)
		}
	}
	return false // the current one is gone from the account
}

// DecideObjects judges the objects that images pass through. Those of a run that
// goes on are younger than staleAfter; what is older was left behind, unless
// objects are kept on purpose. gone are the images that are being deleted.
func DecideObjects(in In, objects []space.Object, gone []ocean.Image, now time.Time) []ObjectVerdict {
	images := map[string]ocean.Image{}
	for _, i := range in.Images {
		hash, ok := ocean.HashOf(i.Name)
		lost := slices.ContainsFunc(gone, func(g ocean.Image) bool { return g.ID == i.ID })
		if ok && !lost && slices.Contains(i.Tags, ocean.Tag) && (i.Available() || i.Importing()) {
			images[hash] = i
		}
	}
	verdicts := make([]ObjectVerdict, 0, len(objects))
	for _, o := range objects {
		v := ObjectVerdict{Key: o.Key}
		image, there := images[hashOf(o.Key)]
		switch {
		case hashOf(o.Key) == "":
			v.Reason = "it is not one of snowdrop's"
		case now.Sub(o.Modified) < staleAfter:
			v.Reason = "it is less than a day old: a run may still need it"
		case there && image.Importing():
			v.Reason = fmt.Sprintf("image %s (%d) is being imported from it", image.Name, image.ID)
		case there && in.KeepObjects:
			v.Reason = fmt.Sprintf("objects are kept (keep-objects), and image %s (%d) is of it", image.Name, image.ID)
		default:
			v.Delete, v.Reason = true, "a run left it behind more than a day ago"
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// hashOf is the hash in images/<hash>/<name>; empty for any other key.
func hashOf(key string) string {
	rest, ok := strings.CutPrefix(key, objectPrefix)
	hash, _, whole := strings.Cut(rest, "/")
	if !ok || !whole || !ocean.IsHash(hash) {
		return ""
	}
	return hash
}

// SnapshotPrefix is where the Space keeps what the systems of a server's releases are
// made of: the hash of a release's image follows, a dot, and the kind.
func SnapshotPrefix(server string) string { return "closures/" + server + "/" }

// DecideSnapshots judges the snapshots of the server's releases. Those stay whose
// image stays, or that the record names. gone are the images that are being deleted.
func DecideSnapshots(in In, snapshots []space.Object, gone []ocean.Image, now time.Time) []ObjectVerdict {
	needs := map[string]string{}
	for _, i := range ours(in) {
		hash, ok := ocean.HashOf(i.Name)
		if ok && !slices.ContainsFunc(gone, func(g ocean.Image) bool { return g.ID == i.ID }) {
			needs[hash] = fmt.Sprintf("image %s (%d) is of it", i.Name, i.ID)
		}
	}
	if r := in.Record; r != nil {
		for _, known := range []*release.Release{r.Attempted, r.Previous, &r.Release} {
			if known != nil {
				needs[known.Image.Hash] = "the record names it"
			}
		}
	}
	verdicts := make([]ObjectVerdict, 0, len(snapshots))
	for _, o := range snapshots {
		v := ObjectVerdict{Key: o.Key}
		hash, _, _ := strings.Cut(strings.TrimPrefix(o.Key, SnapshotPrefix(in.Server)), ".")
		switch reason := needs[hash]; {
		case !ocean.IsHash(hash):
			v.Reason = "it is not one of snowdrop's"
		case reason != "":
			v.Reason = reason
		case in.Record == nil:
			v.Reason = "there is no record of a release of this server yet"
		case now.Sub(o.Modified) < staleAfter:
			v.Reason = "it is less than a day old: a run may still need it"
		default:
			v.Delete, v.Reason = true, "it is of a release whose image is gone"
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}
