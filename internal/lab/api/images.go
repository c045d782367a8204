package api

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) imageRoutes() []route {
	read, update := []string{"image:read"}, []string{"image:update"}
	return []route{
		{"GET /v2/images", read, s.listImages},
		{"POST /v2/images", []string{"image:create"}, s.createImage},
		{"GET /v2/images/{id}", read, s.getImage},
		{"PUT /v2/images/{id}", update, s.updateImage},
		{"DELETE /v2/images/{id}", []string{"image:delete"}, s.deleteImage},
		{"GET /v2/images/{id}/actions", read, s.listImageActions},
		{"POST /v2/images/{id}/actions", update, s.postImageAction},
		{"GET /v2/images/{id}/actions/{action}", read, s.getImageAction},
		{"GET /v2/snapshots", []string{"snapshot:read"}, s.listSnapshots},
	}
}

func (s *Server) listImages(c *call) (int, any, error) {
	q := c.URL.Query()
	var found []*Image
	for _, i := range s.sortedImages() {
		switch {
		case q.Get("private") == "true" && i.Public,
			q.Get("type") == "distribution" && i.Type != "base",
			q.Get("type") == "application",
			q.Get("tag_name") != "" && !slices.Contains(i.Tags, q.Get("tag_name")):
		default:
			found = append(found, i)
		}
	}
	return page(c, "images", found)
}

// sortedImages are all images, the oldest first, as the real service lists them.
func (s *Server) sortedImages() []*Image {
	all := make([]*Image, 0, len(s.images))
	for _, i := range s.images {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b *Image) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// image finds an image by its id, or a public one by its slug.
func (s *Server) image(idOrSlug string) (*Image, error) {
	id, err := strconv.Atoi(idOrSlug)
	for _, i := range s.images {
		if err == nil && i.ID == id || err != nil && i.Slug != nil && *i.Slug == idOrSlug {
			return i, nil
		}
	}
	return nil, notFound()
}

func (s *Server) getImage(c *call) (int, any, error) {
	i, err := s.image(c.PathValue("id"))
	return 200, map[string]any{"image": i}, err
}

func (s *Server) updateImage(c *call) (int, any, error) {
	i, err := s.image(c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	var in struct{ Name, Distribution, Description *string }
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if in.Name != nil {
		i.Name = *in.Name
	}
	if in.Description != nil {
		i.Description = *in.Description
	}
	if in.Distribution != nil {
		i.Distribution = distribution(*in.Distribution)
	}
	return 200, map[string]any{"image": i}, nil
}

func (s *Server) deleteImage(c *call) (int, any, error) {
	i, err := s.image(c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	if i.Public {
		return 0, nil, &apiError{status: 403, ID: "forbidden", Message: "You are not allowed to delete this image."}
	}
	s.forget(i)
	return 204, nil, nil
}

func (s *Server) forget(i *Image) {
	if cancel := s.imports[i.ID]; cancel != nil {
		cancel()
	}
	delete(s.images, i.ID)
	if i.disk.File != "" && !slices.ContainsFunc(s.sortedImages(), func(o *Image) bool { return o.disk.File == i.disk.File }) {
		_ = os.Remove(i.disk.File)
	}
}

func (s *Server) listSnapshots(c *call) (int, any, error) {
	type snapshot struct {
		ID            string   `json:"id"`
		Name          string   `json:"name"`
		CreatedAt     any      `json:"created_at"`
		Regions       []string `json:"regions"`
		MinDiskSize   int      `json:"min_disk_size"`
		SizeGigabytes float64  `json:"size_gigabytes"`
		ResourceID    string   `json:"resource_id"`
		ResourceType  string   `json:"resource_type"`
		Tags          []string `json:"tags"`
	}
	var found []snapshot
	for _, i := range s.sortedImages() {
		if i.Type == "snapshot" {
			found = append(found, snapshot{strconv.Itoa(i.ID), i.Name, i.CreatedAt, i.Regions, i.MinDiskSize, i.SizeGigabytes, "0", "droplet", i.Tags})
		}
	}
	return page(c, "snapshots", found)
}

// distribution is what the service makes of a client's word: unknown words become
// Unknown; NixOS is one of them.
func distribution(word string) string {
	known := []string{
		"Arch Linux", "CentOS", "CoreOS", "Debian", "Fedora", "Fedora Atomic", "FreeBSD", "Gentoo", "openSUSE",
		"RancherOS", "Rocky Linux", "Ubuntu", "Unknown",
	}
	for _, k := range known {
		if strings.EqualFold(k, word) {
			return k
		}
	}
	return "Unknown"
}

// validTags fails on a tag that the service refuses.
func validTags(tags []string) error {
	valid := regexp.MustCompile(`^[a-zA-Z0-9_:-]{1,255}$`)
	for _, t := range tags {
		if !valid.MatchString(t) {
			return unprocessable("Tag name " + strconv.Quote(t) + " is invalid: only letters, numbers, colons, dashes and underscores")
		}
	}
	return nil
}
