package action

import (
	"os"
	"strings"

	"github.com/versatus/snowdrop/internal/connect"
)

// nixConfig are further lines for nix.conf: the workflow's own, and the token with
// which Nix asks GitHub for flakes, where an anonymous runner is soon refused.
func (r *runner) nixConfig() string {
	var lines []string
	if host := strings.TrimPrefix(strings.TrimPrefix(r.event.ServerURL, "https://"), "http://"); r.inputs.GitHubToken != "" && host != "" {
		lines = append(lines, "extra-access-tokens = "+host+"="+r.inputs.GitHubToken)
	}
	if r.inputs.NixConfig != "" {
		lines = append(lines, r.inputs.NixConfig)
	}
	return strings.Join(lines, "\n")
}

// settings are the lines of nix.conf by the setting that they are of.
func settings(config string) map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(config) {
		line, _, _ = strings.Cut(line, "#")
		name, value, _ := strings.Cut(line, "=")
		name = strings.TrimPrefix(strings.TrimSpace(name), "extra-")
		out[name] = append(out[name], strings.Fields(value)...)
	}
	return out
}

// tokens are the secrets of inputs that stand for no variable.
func (r *runner) tokens() []string {
	return append(tokensOf(r.inputs.NixConfig), r.inputs.GitHubToken, connect.StorePassword(r.inputs.Store))
}

// tokensOf are the secrets that stand in lines of nix.conf: "access-tokens =
// HOST=TOKEN HOST=KIND:TOKEN".
func tokensOf(config string) []string {
	var tokens []string
	for _, pair := range settings(config)["access-tokens"] {
		if _, token, ok := strings.Cut(pair, "="); ok {
			tokens = append(tokens, token)
			if _, bare, ok := strings.Cut(token, ":"); ok {
				tokens = append(tokens, bare)
			}
		}
	}
	return tokens
}

// emulation is said where images are built without KVM.
const emulation = "images are built without KVM, because nix.conf says that the system has the feature kvm and there is no /dev/kvm: " +
	"QEMU emulates a processor, which takes many times longer (an image of minutes can take an hour); " +
	"a binary cache or a remote builder with KVM avoids it"

// emulates says whether Nix is told that it has KVM, by the input or by the fleet
// file.
func emulates(config string, options map[string]string) bool {
	for _, feature := range settings(config)["system-features"] {
		if feature == "kvm" {
			return true
		}
	}
	for _, name := range []string{"system-features", "extra-system-features"} {
		for _, feature := range strings.Fields(options[name]) {
			if feature == "kvm" {
				return true
			}
		}
	}
	return false
}

// builds says whether a command may build images.
func builds(o order) bool {
	return (o.command == "deploy" || o.command == "build") && !o.request.DryRun
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
