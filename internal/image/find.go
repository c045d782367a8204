// Package image looks at disk image files: it finds the one in a Nix output, makes
// sure before a byte is uploaded that DigitalOcean can import it, and gives its
// bytes as they go to the Space.
package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// Find returns the path of the one image file in dir, a Nix output, or dir itself
// if it is a file. nix-support is not looked into. Several names for one and the
// same file (links) count once. A Fault of kind ErrNoImage, ErrSeveralImages or
// ErrCompression names what is there instead.
func Find(dir string) (string, error) {
	at, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("look for an image: %w", err)
	}
	if !at.IsDir() {
		if _, ok := splitName(filepath.Base(dir)); !ok {
			return "", &Fault{
				Kind: ErrNoImage, Path: dir, Found: "a file whose ending is not an image's",
				Fix: "name an installable that makes " + formatsText,
			}
		}
		return dir, nil
	}
	there, err := walk(dir)
	if err != nil {
		return "", err
	}
	switch {
	case len(there.images) == 1:
		return there.images[0], nil
	case len(there.images) > 1:
		return "", there.several(dir)
	case len(there.refused) > 0:
		return "", &Fault{
			Kind: ErrCompression, Path: dir, Found: list(there.refused), Fix: fixCompress,
		}
	default:
		return "", &Fault{
			Kind: ErrNoImage, Path: dir, Found: list(there.others),
			Fix: "name an installable that makes an image (" + formatsText +
				"), such as .#nixosConfigurations.<name>.config.system.build.digitalOceanImage",
		}
	}
}

// contents is what a directory holds, sorted. others and refused are relative.
type contents struct {
	images  []string
	refused []string
	others  []string
	seen    []fs.FileInfo
}

func walk(dir string) (*contents, error) {
	// WalkDir does not follow a link at its root, and outputs can be links.
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("look for an image: %w", err)
	}
	there := &contents{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "nix-support":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("relative path: %w", err)
		}
		return there.add(dir, rel)
	})
	if err != nil {
		return nil, fmt.Errorf("look for an image in %s: %w", dir, err)
	}
	sort.Strings(there.images)
	return there, nil
}

func (c *contents) add(dir, rel string) error {
	e, ok := splitName(filepath.Base(rel))
	path := filepath.Join(dir, rel)
	if !ok {
		c.others = append(c.others, rel)
		return nil
	}
	if e.refused != "" {
		c.refused = append(c.refused, rel)
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.others = append(c.others, rel+" (a dangling link)")
		return nil
	case err != nil:
		return fmt.Errorf("look at %s: %w", path, err)
	case !info.Mode().IsRegular():
		c.others = append(c.others, rel+" (not a file)")
		return nil
	}
	for _, known := range c.seen {
		if os.SameFile(known, info) {
			return nil
		}
	}
	c.seen = append(c.seen, info)
	c.images = append(c.images, path)
	return nil
}

func (c *contents) several(dir string) error {
	names := make([]string, 0, len(c.images))
	for _, path := range c.images {
		names = append(names, filepath.Base(path))
	}
	return &Fault{
		Kind: ErrSeveralImages, Path: dir, Found: list(names),
		Fix: "name an installable whose output holds exactly one image; a server's disk is one image",
	}
}
