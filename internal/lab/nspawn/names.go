package nspawn

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	namePrefix = "snowdrop-lab-"
	// Linux allows 15 characters in a link's name, so the one on this system has a short
	// prefix; the lab's full name is its alias.
	linkPrefix = "sdl-"
	idLength   = 6
)

// labID is what everything of one lab carries in its name: six hex digits.
type labID string

func (id labID) name() string         { return namePrefix + string(id) }
func (id labID) machine(n int) string { return id.name() + "-" + strconv.Itoa(n) }
func (id labID) hostLink() string     { return linkPrefix + string(id) }
func (id labID) port(n int) string    { return "port" + strconv.Itoa(n) }
func (id labID) lockFile() string     { return id.name() + ".lock" }
func (id labID) mac(n int) string {
	return fmt.Sprintf("02:%s:%s:%s:00:%02x", id[0:2], id[2:4], id[4:6], n)
}

// ownerOf reads the lab's id off the name of a namespace, a control group, a
// machine, a directory or a lock file. It is strict: what does not look exactly
// like a name that this package gives is not ours.
func ownerOf(name string) (labID, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(name, ".lock"), namePrefix)
	if !ok {
		return "", false
	}
	return parseID(rest)
}

// ownerOfLink is ownerOf for network links of this system, which must carry the
// alias too.
func ownerOfLink(name, alias string) (labID, bool) {
	rest, ok := strings.CutPrefix(name, linkPrefix)
	if !ok {
		return "", false
	}
	id, ok := parseID(rest)
	return id, ok && rest == string(id) && strings.TrimSpace(alias) == id.name()
}

func parseID(s string) (labID, bool) {
	id, number, numbered := strings.Cut(s, "-")
	if len(id) != idLength || strings.Trim(id, "0123456789abcdef") != "" {
		return "", false
	}
	if numbered {
		if n, err := strconv.Atoi(number); err != nil || n < firstMachine || n > lastMachine {
			return "", false
		}
	}
	return labID(id), true
}

// mountsOfLabs reads the mount points of labs off a /proc/self/mountinfo, by lab:
// those at <lab's directory>/<number>/root.
func mountsOfLabs(mountinfo io.Reader) (map[labID][]string, error) {
	mounts := map[labID][]string{}
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescapeMount(fields[4])
		if filepath.Base(point) != rootDir {
			continue
		}
		if id, ok := ownerOf(filepath.Base(filepath.Dir(filepath.Dir(point)))); ok {
			mounts[id] = append(mounts[id], point)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the table of mounts: %w", err)
	}
	return mounts, nil
}

// unescapeMount undoes the kernel's octal escapes of blanks (proc_pid_mountinfo(5)).
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
