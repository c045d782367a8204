package toplevel

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
)

// maxMarked is the largest file whose content is marked in the path that names it.
const maxMarked = 256 << 10

// shortPath is a store path as it stands in a snapshot: "/…-nginx-1.26.3", with six
// digits behind the dots where they stand for a file's content.
var shortPath = regexp.MustCompile(`/…([0-9a-f]{6})?-([0-9A-Za-z+._?=-]+)`)

// storePaths finds store paths, and the name of a file within, in a text.
func storePaths(dir string) *regexp.Regexp {
	return regexp.MustCompile(regexp.QuoteMeta(dir) + "/([0-9a-df-np-sv-z]{32})-([0-9A-Za-z+._?=-]+)(/[^\\s\"':;,&|(){}<>$`\\[\\]\\\\]*)?")
}

// split splits a store path's name as Nix does: the version begins behind the first
// dash that no letter follows (nix-env(1), parseDrvName).
func split(name string) (pkg, version string) {
	for i := 0; i+1 < len(name); i++ {
		c := name[i+1]
		if name[i] == '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return name[:i], name[i+1:]
		}
	}
	return name, ""
}

func versionOf(name string) string {
	_, version := split(name)
	return version
}

// withoutVersions takes the versions out of short store paths.
func withoutVersions(text string) string {
	if !strings.Contains(text, "/…") {
		return text
	}
	return shortPath.ReplaceAllStringFunc(text, func(p string) string {
		m := shortPath.FindStringSubmatch(p)
		pkg, _ := split(m[2])
		return "/…" + m[1] + "-" + pkg
	})
}

// short takes the hashes out of store paths and marks the files of the configuration's
// own that are named: a script or a settings file has no version, and all that tells
// two of them apart is what is in them. Own is the name of the store path that the
// text is from; what it says of itself is not marked.
func (t *taker) short(text, own string) string {
	return t.paths.ReplaceAllStringFunc(text, func(p string) string {
		m := t.paths.FindStringSubmatch(p)
		mark := ""
		if base := m[1] + "-" + m[2]; base != own && versionOf(m[2]) == "" {
			mark = t.mark(base, m[3])
		}
		return t.store.dir + "/…" + mark + "-" + m[2] + m[3]
	})
}

// mark is six digits for what is in a file, without hashes, versions and secrets;
// empty where it is no text, as the programs of a package are. A store path refers to
// none that refers to it, so this comes to an end.
func (t *taker) mark(base, rest string) string {
	name := base + rest
	if known, ok := t.marks[name]; ok {
		return known
	}
	t.marks[name] = ""
	text, err := t.store.text(name, maxMarked)
	if errors.Is(err, errTooMuch) && !t.full {
		t.full = true
		t.unknown("the files that units name are compared in part only: they have %v", err)
	}
	if err != nil {
		return ""
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = withoutVersions(t.short(masked(line), base))
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	t.marks[name] = hex.EncodeToString(sum[:3])
	return t.marks[name]
}
