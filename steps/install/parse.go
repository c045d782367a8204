package install

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// errIncomplete says that the answer's first or last line is missing: the script
// did not run, or not to its end.
var errIncomplete = errors.New("its answer is not whole")

// parse reads the script's answer. What stands before it, as a login shell's words,
// is passed over, and so are words that are not known.
func parse(answer string) (Facts, error) {
	var f Facts
	var lsblk strings.Builder
	var device string
	started, ended := false, false
	for line := range strings.Lines(answer) {
		line = plain(strings.TrimRight(line, "\r\n"))
		if !started {
			started = line == "snowdrop-install v1"
			continue
		}
		word, value, _ := strings.Cut(line, " ")
		switch word {
		case "end":
			ended = true
		case "disk":
			lsblk.WriteString(value + "\n")
		case "nodisk":
			f.DisksUnknown = value
		case "device":
			if device = value; f.Devices == nil {
				f.Devices = map[string]string{}
			}
			f.Devices[device] = ""
		case "is":
			f.Devices[device] = value
		default:
			f.take(word, strings.TrimSpace(value))
		}
	}
	if !started || !ended {
		return f, errIncomplete
	}
	if f.DisksUnknown == "" {
		var err error
		if f.Disks, err = parseDisks(lsblk.String()); err != nil {
			f.DisksUnknown = err.Error()
		}
	}
	f.Installer = f.Installer && f.ID == "nixos"
	if f.ID != "nixos" {
		f.System = "" // a Nix on another distribution has none of its own
	}
	return f, nil
}

// take reads what is one word and a value.
func (f *Facts) take(word, value string) {
	switch word {
	case "os":
		f.OS = value
	case "arch":
		f.Arch = value
	case "kernel":
		f.Kernel = value
	case "uid":
		f.Root = value == "0"
	case "sudo":
		f.Sudo = value
	case "boot":
		f.BootID = value
	case "system":
		if strings.HasPrefix(value, "/nix/store/") {
			f.System = value
		}
	case "container":
		if value != "none" {
			f.Container = value
		}
	case "kexec":
		f.kexec(value)
	case "lockdown":
		if mode := between(value, "[", "]"); mode != "" && mode != "none" {
			f.KexecOff = "the kernel is locked down (" + mode + "), as with Secure Boot"
		}
	case "memory":
		number, unit, _ := strings.Cut(value, " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && unit == "kB" && n < 1<<50 {
			f.Memory = n << 10
		}
	case "missing":
		f.Missing = append(f.Missing, value)
	case "key":
		f.HostKeys = append(f.HostKeys, value)
	case "release":
		f.release(value)
	}
}

// kexec reads kexec_load_disabled. What lockdown said already is the better reason.
func (f *Facts) kexec(value string) {
	switch value {
	case "0":
	case "none":
		f.KexecOff = "the kernel was built without kexec (CONFIG_KEXEC)"
	default:
		f.KexecOff = "it is switched off until the next boot (kernel.kexec_load_disabled=" + value + ")"
	}
}

// release reads a line of os-release.
func (f *Facts) release(line string) {
	key, value, _ := strings.Cut(line, "=")
	value = strings.Trim(value, `"'`)
	switch key {
	case "ID":
		f.ID = value
	case "PRETTY_NAME":
		f.Distribution = value
	case "VARIANT_ID":
		f.Installer = value == "installer"
	}
}

// plain is text without what commands a terminal, as that could hide from a person
// which disks are wiped.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, text)
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	inside, _, ok := strings.Cut(rest, to)
	if !ok {
		return ""
	}
	return inside
}

// unique are keys without their comments, each once. What is no key is left out.
func unique(lines []string) []string {
	var out []string
	for _, line := range lines {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			continue
		}
		if plain := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))); !slices.Contains(out, plain) {
			out = append(out, plain)
		}
	}
	return out
}

// String is what people call the system that runs.
func (f Facts) String() string {
	name := f.Distribution
	if name == "" {
		name = strings.TrimSpace(f.OS + " " + f.Kernel)
	}
	return fmt.Sprintf("%s, %s", name, f.Arch)
}
