package api

import (
	"fmt"
	"slices"
	"strconv"
)

func (s *Server) tagRoutes() []route {
	return []route{
		{"GET /v2/tags", []string{"tag:read"}, s.listTags},
		{"POST /v2/tags", []string{"tag:create"}, s.createTag},
		{"GET /v2/tags/{tag}", []string{"tag:read"}, s.getTag},
		{"DELETE /v2/tags/{tag}", []string{"tag:delete"}, s.deleteTag},
		{"POST /v2/tags/{tag}/resources", []string{"tag:create"}, func(c *call) (int, any, error) { return s.retag(c, true) }},
		{"DELETE /v2/tags/{tag}/resources", []string{"tag:delete"}, func(c *call) (int, any, error) { return s.retag(c, false) }},
	}
}

func (s *Server) useTags(tags []string) {
	for _, t := range tags {
		s.tags[t] = true
	}
}

func (s *Server) describeTag(c *call, name string) tag {
	t := tag{Name: name}
	for _, d := range s.sortedDroplets() {
		if slices.Contains(d.Tags, name) {
			t.Resources.Droplets.Count++
			t.Resources.Droplets.LastTaggedURI = fmt.Sprintf("http://%s/v2/droplets/%d", c.Host, d.ID)
		}
	}
	for _, i := range s.sortedImages() {
		if slices.Contains(i.Tags, name) {
			t.Resources.Images.Count++
			t.Resources.Images.LastTaggedURI = fmt.Sprintf("http://%s/v2/images/%d", c.Host, i.ID)
		}
	}
	t.Resources.Count = t.Resources.Droplets.Count + t.Resources.Images.Count
	t.Resources.LastTaggedURI = or(t.Resources.Images.LastTaggedURI, t.Resources.Droplets.LastTaggedURI)
	return t
}

func (s *Server) listTags(c *call) (int, any, error) {
	var names []string
	for name := range s.tags {
		names = append(names, name)
	}
	slices.Sort(names)
	var found []tag
	for _, name := range names {
		found = append(found, s.describeTag(c, name))
	}
	return page(c, "tags", found)
}

func (s *Server) createTag(c *call) (int, any, error) {
	var in struct{ Name string }
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if err := validTags([]string{in.Name}); err != nil {
		return 0, nil, err
	}
	s.useTags([]string{in.Name})
	return 201, map[string]any{"tag": s.describeTag(c, in.Name)}, nil
}

func (s *Server) getTag(c *call) (int, any, error) {
	name := c.PathValue("tag")
	if !s.tags[name] {
		return 0, nil, notFound()
	}
	return 200, map[string]any{"tag": s.describeTag(c, name)}, nil
}

func (s *Server) deleteTag(c *call) (int, any, error) {
	name := c.PathValue("tag")
	if !s.tags[name] {
		return 0, nil, notFound()
	}
	delete(s.tags, name)
	for _, d := range s.droplets {
		setTag(&d.Tags, name, false)
	}
	for _, i := range s.images {
		setTag(&i.Tags, name, false)
	}
	return 204, nil, nil
}

// retag adds a tag to resources, or takes it off.
func (s *Server) retag(c *call, on bool) (int, any, error) {
	name := c.PathValue("tag")
	if !s.tags[name] {
		return 0, nil, notFound()
	}
	var in struct {
		Resources []struct {
			ID   string `json:"resource_id"`
			Type string `json:"resource_type"`
		} `json:"resources"`
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	for _, r := range in.Resources {
		id, _ := strconv.Atoi(r.ID)
		switch {
		case r.Type == "droplet" && s.droplets[id] != nil:
			setTag(&s.droplets[id].Tags, name, on)
		case r.Type == "image" && s.images[id] != nil:
			setTag(&s.images[id].Tags, name, on)
		default:
			return 0, nil, notFound()
		}
	}
	return 204, nil, nil
}

func setTag(tags *[]string, name string, on bool) {
	*tags = slices.DeleteFunc(slices.Clone(*tags), func(t string) bool { return t == name })
	if on {
		*tags = append(*tags, name)
	}
	if *tags == nil {
		*tags = []string{}
	}
}
