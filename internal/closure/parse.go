package closure

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Parse reads what nix path-info --json says about a closure, ordered by path: the
// array of older versions, and the object keyed by path that Nix writes since 2.19.
// A path that is not valid is an error that names it: in the object it is null, in
// the array it has no size.
func Parse(r io.Reader) ([]Path, error) {
	p := parser{scanner: newScanner(r)}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("read a closure's JSON, after %d paths: %w", len(p.paths), err)
	}
	byPath := func(a, b Path) int { return cmp.Compare(a.Path, b.Path) }
	if !slices.IsSortedFunc(p.paths, byPath) {
		slices.SortFunc(p.paths, byPath)
	}
	return p.paths, nil
}

type parser struct {
	*scanner
	paths []Path
}

func (p *parser) parse() error {
	switch c, err := p.must(); {
	case err != nil:
		return err
	case c == '[':
		if err := p.array(p.element); err != nil {
			return err
		}
	case c == '{':
		if err := p.object(p.member); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q starts neither an array nor an object", c)
	}
	return p.end()
}

// element reads {"path": …, "narSize": …} with whatever else is there.
func (p *parser) element() error {
	c, err := p.must()
	if err != nil {
		return err
	}
	if c != '{' {
		return fmt.Errorf("%q stands where a path's object should", c)
	}
	var path Path
	size := int64(-1)
	err = p.object(func(key []byte) error {
		switch string(key) {
		case "path":
			path.Path, err = p.readString()
		case "narSize":
			size, err = p.readSize()
		default:
			err = p.skip(0)
		}
		return err
	})
	if err != nil {
		return err
	}
	if path.Path == "" {
		return errors.New("an object names no path")
	}
	return p.add(path.Path, size)
}

// member reads what is said about the path that is its name.
func (p *parser) member(key []byte) error {
	path, err := plain(key)
	if err != nil {
		return err
	}
	c, err := p.must()
	if err != nil {
		return err
	}
	if path == "version" || path == "storeDir" { // since 2.33 they stand beside the paths
		return p.skipFrom(c, 0)
	}
	size := int64(-1)
	switch c {
	case '{':
		err = p.object(func(key []byte) error {
			if string(key) != "narSize" {
				return p.skip(0)
			}
			size, err = p.readSize()
			return err
		})
	case 'n':
		err = p.skipFrom(c, 0)
	default:
		return fmt.Errorf("%q stands where an object about %s should", c, path)
	}
	if err != nil {
		return err
	}
	return p.add(path, size)
}

func (p *parser) add(path string, size int64) error {
	if size < 0 {
		return fmt.Errorf("%s is not in the Nix store", path)
	}
	p.paths = append(p.paths, Path{Path: path, NarSize: size})
	return nil
}

func (p *parser) readString() (string, error) {
	c, err := p.must()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", fmt.Errorf("%q stands where a string should", c)
	}
	text, err := p.text()
	if err != nil {
		return "", err
	}
	return plain(text)
}

func (p *parser) readSize() (int64, error) {
	c, err := p.must()
	if err != nil {
		return 0, err
	}
	token, err := p.token(c)
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(string(token), 10, 64)
	if err != nil || size < 0 {
		return 0, fmt.Errorf("%s is not a size", token)
	}
	return size, nil
}
