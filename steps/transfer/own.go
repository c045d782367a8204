package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// WithOwn writes beside a configuration of ours another one with which ssh reaches
// one more host as the user's own ssh does, by ~/.ssh/config and known_hosts, and
// returns its path. Whoever removes the folder of the first removes both.
func WithOwn(config, host string) (string, error) {
	name, err := hostOf(host)
	if err != nil {
		return "", err
	}
	// OpenSSH takes the first value that it meets, so the user's come first.
	text := fmt.Sprintf("Host %s\n  Include ~/.ssh/config\n  Include /etc/ssh/ssh_config\nHost *\n  Include %s\n", name, filepath.ToSlash(config))
	file := filepath.Join(filepath.Dir(config), "config-with-own")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("configure ssh for the build host %s: %w", host, err)
	}
	return file, nil
}

// CheckBuildHost refuses what is not the name of a host: it becomes a word of ssh's
// command line, and of its configuration.
func CheckBuildHost(host string) error {
	_, err := hostOf(host)
	return err
}

// hostOf is a build host without the user.
func hostOf(host string) (string, error) {
	user, name, found := strings.Cut(host, "@")
	if !found {
		user, name = "-", host
	}
	if user == "" || name == "" || strings.ContainsAny(host, " \t\r\n\"*?!,:/%#") || strings.HasPrefix(host, "-") || strings.HasPrefix(name, "-") {
		return "", fmt.Errorf("build host %q: write it as for ssh, HOST or USER@HOST; a port stands in ~/.ssh/config", host)
	}
	return name, nil
}
