package toplevel

import (
	"path"
	"slices"
	"strings"
)

// What switch-to-configuration does with a unit that changed.
const (
	restarts  = "restart"
	reloads   = "reload"
	staysAsIs = "nothing"
)

// onSwitch says what switch-to-configuration does with a changed unit that runs
// (nixpkgs' pkgs/by-name/sw/switch-to-configuration-ng, and before it
// nixos/modules/system/activation/switch-to-configuration.pl). It is empty for the
// users' units, which it leaves to their managers, and for units without a text of
// their own. A rebuild starts all anew.
func onSwitch(name, text string) string {
	switch suffix := path.Ext(name); {
	case strings.HasSuffix(name, " (user)"), strings.HasPrefix(text, "# alias of "), strings.HasPrefix(text, "# masked"):
		return ""
	case slices.Contains([]string{".slice", ".target", ".socket"}, suffix):
		return staysAsIs
	case suffix == ".mount":
		return reloads
	}
	set := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			set[key] = strings.ToLower(value) // The last one counts, as in systemd.
		}
	}
	yes := func(key string) bool { return slices.Contains([]string{"true", "yes", "on", "1"}, set[key]) }
	_, said := set["X-RestartIfChanged"]
	switch {
	case yes("X-ReloadIfChanged"):
		return reloads
	case said && !yes("X-RestartIfChanged"), yes("RefuseManualStop"), yes("X-OnlyManualStart"):
		return staysAsIs
	}
	return restarts
}
