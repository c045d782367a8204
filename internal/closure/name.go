package closure

import "strings"

// hashLength is that of the hash before a store path's name.
const hashLength = 32

// split takes a store path's name apart: "/nix/store/…-openssl-3.4.1-dev" is openssl,
// 3.4.1 and dev. Name and version are what Nix's own parseDrvName makes of it: the
// version starts after the first dash that no letter follows. The output is empty
// for "out", and is only looked for after a version: a name alone does not show
// where it ends (linux-firmware, system-path).
func split(storePath string) (name, version, output string) {
	name, version = splitVersion(baseName(storePath))
	if i := strings.LastIndexByte(version, '-'); i > 0 && isOutput(version[i+1:]) {
		version, output = version[:i], version[i+1:]
	}
	if output == "out" {
		output = ""
	}
	return name, version, output
}

// splitVersion is Nix's parseDrvName (src/libstore/names.cc).
func splitVersion(s string) (name, version string) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '-' && !isLetter(s[i+1]) {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// baseName is what follows the hash in a store path, which may stand below another
// root. A bare name stays as it is.
func baseName(storePath string) string {
	dir := strings.LastIndexByte(storePath, '/') + 1
	base := storePath[dir:]
	if len(base) > hashLength+1 && base[hashLength] == '-' && (dir > 0 || isHash(base[:hashLength])) {
		return base[hashLength+1:]
	}
	return base
}

func isHash(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && (s[i] < 'a' || s[i] > 'z') {
			return false
		}
	}
	return true
}

// isOutput tells an output from a word that belongs to the version (2.0-unstable,
// 5.1-rc): Nix itself cannot. These are the names in use in nixpkgs, its common ones
// first (https://nixos.org/manual/nixpkgs/stable/#sec-multiple-outputs-file-type-groups).
func isOutput(word string) bool {
	switch word {
	case "out", "bin", "dev", "lib", "man", "doc", "info", "devdoc", "devman", "static", "debug", "data", "share",
		"lib32", "lib64", "libs", "include", "headers", "modules", "dist", "installer", "tools", "scripts", "examples",
		"getent", "libgcc", "libc", "xgcc", "terminfo", "nspawn",
		"login", "mount", "swap", "su", "client", "server", "cli", "utils", "daemon", "extra", "plugins", "completions",
		"host", "dnsutils", "npm", "corepack", "py", "python", "pl", "hw", "gui", "test", "tests", "wheel", "cc", "clang":
		return true
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
