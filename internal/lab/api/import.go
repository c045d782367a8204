package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/lab/fault"
)

type imageRequest struct {
	Name, URL, Region, Distribution, Description string
	Tags                                         []string
}

func (s *Server) createImage(c *call) (int, any, error) {
	var in imageRequest
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if err := s.checkImageRequest(c, in); err != nil {
		return 0, nil, err
	}
	if _, ok := s.cfg.Faults.Take(fault.ImportUnreachable, in.Name); ok {
		s.addCustom(in)
		return 0, nil, unreachable()
	}
	s.mu.Unlock()
	err := s.reach(c.Context(), in.URL)
	s.mu.Lock()
	if err != nil {
		s.cfg.Log(fmt.Sprintf("import of %s: %v", in.Name, err))
		return 0, nil, unreachable()
	}
	i := s.addCustom(in)
	s.run(func(ctx context.Context) { s.importImage(ctx, i.ID, in) })
	return 202, map[string]any{"image": i}, nil
}

func unreachable() error {
	return badRequest("Your source URL is unreachable. Please check the URL and try again.")
}

func (s *Server) checkImageRequest(c *call, in imageRequest) error {
	u, err := url.Parse(in.URL)
	switch {
	case in.Name == "":
		return unprocessable("Name is required")
	case in.URL == "" || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return unprocessable("Url is invalid")
	case !knownRegion(in.Region):
		return unprocessable("Region is invalid")
	}
	if len(in.Tags) > 0 {
		if err := c.need("tag:create"); err != nil {
			return err
		}
	}
	return validTags(in.Tags)
}

func (s *Server) addCustom(in imageRequest) *Image {
	i := &Image{
		ID: s.id(), Name: in.Name, Type: "custom", Distribution: distribution(in.Distribution), Description: in.Description,
		Regions: []string{}, Tags: append([]string{}, in.Tags...), CreatedAt: now(), Status: "NEW",
	}
	s.images[i.ID] = i
	s.useTags(in.Tags)
	return i
}

// reach does what the service does before it answers: it asks the URL's server.
func (s *Server) reach(ctx context.Context, link string) error {
	status, err := s.probe(ctx, http.MethodHead, link)
	if err != nil {
		return err
	}
	if status < 400 {
		return nil
	}
	if s.cfg.StrictHead || status != http.StatusForbidden && status != http.StatusMethodNotAllowed {
		return fmt.Errorf("HEAD of the source URL answered %d", status)
	}
	if status, err = s.probe(ctx, http.MethodGet, link); err != nil {
		return err
	}
	if status >= 400 {
		return fmt.Errorf("GET of the source URL answered %d", status)
	}
	return nil
}

func (s *Server) probe(ctx context.Context, method, link string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, link, nil)
	if err != nil {
		return 0, fmt.Errorf("%s the source URL: %w", method, err)
	}
	req.Header.Set("Range", "bytes=0-0")
	res, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("%s the source URL: %w", method, err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, nil
}

// importImage takes an image from NEW over pending to available or deleted.
func (s *Server) importImage(ctx context.Context, id int, in imageRequest) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.change(id, func(*Image) { s.imports[id] = cancel })
	defer s.change(0, func(*Image) { delete(s.imports, id) })

	if !wait(ctx, s.cfg.Timings.New) {
		return
	}
	s.change(id, func(i *Image) { i.Status = "pending" })
	if _, ok := s.cfg.Faults.Take(fault.ImportStuck, in.Name); ok {
		return
	}
	found, file, err := s.fetch(ctx, id, in.URL)
	if f, ok := s.cfg.Faults.Take(fault.ImportFailed, in.Name); ok {
		err = errors.New(or(f.Message, "Image import failed: the disk could not be read"))
	}
	if !wait(ctx, s.cfg.Timings.Pending) {
		return
	}
	if err != nil {
		s.cfg.Log(fmt.Sprintf("import of %s failed: %v", in.Name, err))
		s.change(id, func(i *Image) { i.Status, i.ErrorMessage = "deleted", importMessage(err) })
		return
	}
	kept := false
	s.change(id, func(i *Image) {
		kept = true
		i.Status, i.Regions = "available", []string{in.Region}
		i.MinDiskSize = int(math.Ceil(float64(found.Virtual) / (1 << 30)))
		i.SizeGigabytes = math.Round(float64(found.Bytes)/(1<<30)*100) / 100
		i.disk = Disk{Name: in.Name, Spec: found.Spec, File: file, Format: found.Format}
	})
	if !kept && file != "" { // deleted meanwhile
		_ = os.Remove(file)
	}
}

func importMessage(err error) string {
	if errors.Is(err, disk.ErrSilent) {
		return " " // the real service says no more (doctl#671)
	}
	return err.Error()
}

// change alters an image under the lock, if it is still there; id 0 alters the
// server alone.
func (s *Server) change(id int, f func(*Image)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.images[id]; i != nil || id == 0 {
		f(i)
	}
}

// fetch reads the whole image and keeps it, decompressed, where real droplets need it.
func (s *Server) fetch(ctx context.Context, id int, link string) (found disk.Found, file string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return found, "", fmt.Errorf("fetch the image: %w", err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return found, "", fmt.Errorf("fetch the image: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return found, "", fmt.Errorf("fetch the image: the server answered %s", res.Status)
	}
	var keep io.Writer
	if s.cfg.ImageDir != "" {
		file = filepath.Join(s.cfg.ImageDir, fmt.Sprintf("%d.img", id))
		f, err := os.Create(file) //nolint:gosec // a number below the lab's own directory
		if err != nil {
			return found, "", fmt.Errorf("keep the image: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		keep = f
	}
	found, err = disk.Inspect(res.Body, path.Base(req.URL.Path), keep)
	if err != nil && file != "" {
		_ = os.Remove(file)
	}
	return found, file, err
}
