package nix

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	onePlace     = regexp.MustCompile(`^(.+):(\d+):(\d+):?$`)
	tracePlace   = regexp.MustCompile(`(?m)(?:^\s*|\s)at (\S+:\d+:\d+):?$`)
	copiedSource = regexp.MustCompile(`^(/nix/store/[0-9a-z]{32}-source|«[^»]*»)/(.+)$`)
)

// position is a place in a file; lines and columns count from 1.
type position struct {
	File         string
	Line, Column int
}

// parsePosition reads "FILE:LINE:COLUMN" with or without a colon after it.
func parsePosition(s string) (position, bool) {
	m := onePlace.FindStringSubmatch(s)
	if m == nil {
		return position{}, false
	}
	line, err1 := strconv.Atoi(m[2])
	column, err2 := strconv.Atoi(m[3])
	return position{File: m[1], Line: line, Column: column}, err1 == nil && err2 == nil
}

// positions are the places that an error's text names, outermost first.
func positions(text string) []position {
	var found []position
	for _, m := range tracePlace.FindAllStringSubmatch(text, -1) {
		if p, ok := parsePosition(m[1]); ok {
			found = append(found, p)
		}
	}
	return found
}

// place finds where a person should look: the fault's own position if it lies
// in the user's files, else the innermost step of the trace that does, else the
// fault's own. Files of the user are named relative to dir where they are below it.
func place(f fault, flakes []string, dir string) position {
	all := positions(f.text)
	if f.at.File != "" {
		all = append(all, f.at)
	}
	for i := len(all) - 1; i >= 0; i-- {
		if local, ok := localFile(all[i].File, flakes, dir); ok {
			all[i].File = local
			return all[i]
		}
	}
	if len(all) > 0 && !strings.HasPrefix(all[len(all)-1].File, "<nix/") {
		return all[len(all)-1]
	}
	return position{}
}

// localFile finds the file of the user's that nix copied to the store before it
// read it there. Inputs are copied in the same way under the same kind of name,
// so the contents are compared where the copy can be read.
func localFile(file string, flakes []string, dir string) (string, bool) {
	m := copiedSource.FindStringSubmatch(file)
	if m == nil {
		return relative(file, dir)
	}
	copied, copyErr := os.ReadFile(file) //nolint:gosec // a path that nix named
	for _, root := range sourceRoots(flakes, dir) {
		name := filepath.Join(root, filepath.FromSlash(m[2]))
		own, err := os.ReadFile(name) //nolint:gosec // below the user's own flake
		if err != nil || (copyErr == nil && !bytes.Equal(own, copied)) {
			continue
		}
		if rel, ok := relative(name, dir); ok {
			return rel, true
		}
		return name, true
	}
	return "", false
}

// sourceRoots are the directories that a flake's sources may begin at: its own,
// and those above it up to the root of its git tree.
func sourceRoots(flakes []string, dir string) []string {
	var roots []string
	for _, flake := range append(flakes, ".") {
		at := flakeDir(flake)
		if at == "" {
			continue
		}
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		at, err := filepath.Abs(at)
		if err != nil {
			continue
		}
		for {
			roots = append(roots, at)
			_, err := os.Stat(filepath.Join(at, ".git"))
			if parent := filepath.Dir(at); err != nil && parent != at {
				at = parent
				continue
			}
			break
		}
	}
	return roots
}

// flakeDir is the directory of a flake that is on this machine, else "".
func flakeDir(installable string) string {
	flake, _, _ := strings.Cut(installable, "#")
	flake, _, _ = strings.Cut(flake, "?")
	for _, scheme := range []string{"path:", "git+file://"} {
		if rest, ok := strings.CutPrefix(flake, scheme); ok {
			return rest
		}
	}
	switch {
	case flake == "":
		return "."
	case strings.HasPrefix(flake, "."), strings.HasPrefix(flake, "/"):
		return flake
	default:
		return ""
	}
}

// relative is file as seen from dir, if it is there and below dir.
func relative(file, dir string) (string, bool) {
	base, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(base, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	if _, err := os.Stat(filepath.Join(base, rel)); err != nil {
		return "", false
	}
	return filepath.ToSlash(rel), true
}
