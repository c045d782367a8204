package closure

import "testing"

func TestNamesAndVersionsAreSplitAsNixSplitsThem(t *testing.T) {
	t.Parallel()
	const hash = "/nix/store/0a45yf3rzzn9xq3l9d164mnb88bgpwm8-"
	for _, c := range []struct{ path, name, version, output string }{
		{hash + "openssl-3.4.1", "openssl", "3.4.1", ""},
		{hash + "openssl-3.4.1-dev", "openssl", "3.4.1", "dev"},
		{hash + "openssl-3.4.1-out", "openssl", "3.4.1", ""},
		{hash + "glibc-2.40-66-bin", "glibc", "2.40-66", "bin"},
		{hash + "glibc-locales-2.40-66", "glibc-locales", "2.40-66", ""},
		{hash + "gcc-14.2.1.20250322-libgcc", "gcc", "14.2.1.20250322", "libgcc"},
		{hash + "util-linux-minimal-2.41-login", "util-linux-minimal", "2.41", "login"},
		{hash + "bash-interactive-5.2p37", "bash-interactive", "5.2p37", ""},
		{hash + "python3.12-requests-2.32.3", "python3.12-requests", "2.32.3", ""},
		{hash + "nixos-system-web-25.05.20250612.abcdef0", "nixos-system-web", "25.05.20250612.abcdef0", ""},
		// A word of the version is no output.
		{hash + "neovim-0.11-rc", "neovim", "0.11-rc", ""},
		{hash + "tool-0-unstable-2025-01-02", "tool", "0-unstable-2025-01-02", ""},
		{hash + "tool-unstable-2025-01-02", "tool-unstable", "2025-01-02", ""},
		{hash + "tool-1.0-rc-dev", "tool", "1.0-rc", "dev"},
		// Without a version nothing shows where the name ends.
		{hash + "linux-firmware", "linux-firmware", "", ""},
		{hash + "system-path", "system-path", "", ""},
		{hash + "home-man", "home-man", "", ""},
		{hash + "unit-nginx.service", "unit-nginx.service", "", ""},
		{hash + "etc", "etc", "", ""},
		// What is no letter ends the name, not only a digit.
		{hash + "a-_b", "a", "_b", ""},
		{hash + "a--dev", "a", "-dev", ""},
		{hash + "a-", "a-", "", ""},
		{hash + "-1", "", "1", ""},
		// Another store, and a bare name.
		{"/mnt/root/nix/store/0a45yf3rzzn9xq3l9d164mnb88bgpwm8-bind-9.20.9-host", "bind", "9.20.9", "host"},
		{"0a45yf3rzzn9xq3l9d164mnb88bgpwm8-zlib-1.3.1", "zlib", "1.3.1", ""},
		{"zlib-1.3.1", "zlib", "1.3.1", ""},
		{"a-name-of-exactly-thirty-two-chr-1.3", "a-name-of-exactly-thirty-two-chr", "1.3", ""},
		{"", "", "", ""},
	} {
		if name, version, output := split(c.path); name != c.name || version != c.version || output != c.output {
			t.Errorf("%s is %q, %q, %q; want %q, %q, %q", c.path, name, version, output, c.name, c.version, c.output)
		}
	}
}
