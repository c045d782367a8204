package toplevel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// maxLinks is how many links in a row are followed, as many as Linux does.
	maxLinks = 40
	// maxFile is the largest file that is read. Units, rule sets and lists of users
	// are far smaller.
	maxFile = 1 << 20
	// maxTotal is what is read of one system at most.
	maxTotal = 64 << 20
)

var (
	errOutside = errors.New("leads out of the store")
	errNull    = errors.New("is /dev/null")
	errNoText  = errors.New("is not a text")
	errLoop    = errors.New("leads through more than 40 links")
	errLarge   = errors.New("is larger than any unit or list of NixOS's")
	errTooMuch = errors.New("more than 64 MiB of text")
)

// storeName is the last part of a store path. Nix's alphabet for hashes is base 32
// without e, o, t and u.
var storeName = regexp.MustCompile(`^[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+$`)

// store reads a Nix store and nothing beside it. Names are relative to its folder.
type store struct {
	dir  string // as it stands in links and texts: /nix/store
	root *os.Root
	left int64 // bytes that may still be read
}

// openStore opens the store of a toplevel. It lies below root where Nix was told to
// keep it somewhere else (--store ROOT); else root is empty or "/".
func openStore(root, toplevel string) (*store, error) {
	dir, name := path.Split(toplevel)
	if !path.IsAbs(toplevel) || !storeName.MatchString(name) {
		return nil, fmt.Errorf("%q is not a path of the Nix store", toplevel)
	}
	dir = path.Clean(dir)
	folder, err := os.OpenRoot(filepath.Join("/", root, dir))
	if err != nil {
		return nil, fmt.Errorf("open the Nix store: %w", err)
	}
	return &store{dir: dir, root: folder, left: maxTotal}, nil
}

func (s *store) close() { _ = s.root.Close() }

// within is a path as a name in the store.
func (s *store) within(target string) (string, bool) {
	rest, ok := strings.CutPrefix(path.Clean(target), s.dir+"/")
	return rest, ok
}

// resolve follows links, in any part of the name, as long as they stay in the store.
// os.Root would refuse them: nearly all links in a store are absolute.
func (s *store) resolve(name string) (string, fs.FileInfo, error) {
	rest := strings.Split(name, "/")
	var done []string
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(done) == 0 {
				return "", nil, errOutside
			}
			done = done[:len(done)-1]
			continue
		}
		at := path.Join(path.Join(done...), part)
		info, err := s.root.Lstat(at)
		if err != nil {
			return "", nil, fmt.Errorf("look at %s: %w", path.Join(s.dir, at), err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = append(done, part)
			continue
		}
		if links++; links > maxLinks {
			return "", nil, errLoop
		}
		target, err := s.root.Readlink(at)
		if err != nil {
			return "", nil, fmt.Errorf("read the link %s: %w", path.Join(s.dir, at), err)
		}
		if path.IsAbs(target) {
			if path.Clean(target) == "/dev/null" {
				return "", nil, errNull
			}
			inside, ok := s.within(target)
			if !ok {
				return "", nil, errOutside
			}
			target, done = inside, nil
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	if len(done) == 0 {
		return "", nil, errOutside
	}
	at := path.Join(done...)
	info, err := s.root.Lstat(at)
	if err != nil {
		return "", nil, fmt.Errorf("look at %s: %w", path.Join(s.dir, at), err)
	}
	return at, info, nil
}

// text reads a file of at most limit bytes, else it errors with errLarge. A file with
// bytes that no text has is errNoText.
func (s *store) text(name string, limit int64) (string, error) {
	at, info, err := s.resolve(name)
	if err != nil {
		return "", err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", errNoText
	case info.Size() > limit:
		return "", errLarge
	case info.Size() > s.left:
		return "", errTooMuch
	}
	f, err := s.root.Open(at)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", path.Join(s.dir, at), err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path.Join(s.dir, at), err)
	}
	s.left -= int64(len(data))
	text := string(data)
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return "", errNoText
	}
	return text, nil
}

// list is what is in a folder, and the folder's name with its links followed.
func (s *store) list(name string) (string, []fs.DirEntry, error) {
	at, info, err := s.resolve(name)
	if err != nil {
		return "", nil, err
	}
	if !info.IsDir() {
		return "", nil, fmt.Errorf("%s is not a folder", path.Join(s.dir, at))
	}
	entries, err := fs.ReadDir(s.root.FS(), at)
	if err != nil {
		return "", nil, fmt.Errorf("list %s: %w", path.Join(s.dir, at), err)
	}
	return at, entries, nil
}

// link is the store path that a link of the toplevel leads into, without its hash:
// "linux-6.6.63" for kernel; empty where there is no such link.
func (s *store) link(name string) string {
	at, _, err := s.resolve(name)
	if err != nil {
		return ""
	}
	base, _, _ := strings.Cut(at, "/")
	if !storeName.MatchString(base) {
		return ""
	}
	return base[33:]
}
