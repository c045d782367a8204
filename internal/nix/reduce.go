package nix

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

var (
	dependencyFailed = regexp.MustCompile(`(?s)^\d+ dependenc(y|ies) of derivation '|Reason: \d+ dependenc(y|ies) failed`)
	buildOfFailed    = regexp.MustCompile(`^build of ('[^']*\.drv[^']*'(, )?)+ failed$`)
	quotedDerivation = regexp.MustCompile(`'(/nix/store/[^']+\.drv)[^']*'`)
	reasonLine       = regexp.MustCompile(`(?m)^\s*Reason: (.+?)\.?$`)
	errorStart       = regexp.MustCompile(`(?m)^\s*error: ?`)
	didYouMean       = regexp.MustCompile(`(?m)^\s*(Did you mean .+\?)$`)
)

// buildErrors are the failures of a build, each told once: what failed because
// something else failed is folded into that.
func (t *transcript) buildErrors(asked []Output) []*BuildError {
	var roots []*BuildError
	var folded []string
	for _, f := range t.faults {
		drv, reason := failedDerivation(f.raw)
		switch {
		case isDependencyFailure(f.raw) && drv != "":
			folded = append(folded, drv)
		case drv != "" && slices.ContainsFunc(roots, func(e *BuildError) bool { return e.Drv == drv }):
		case isSummary(f.raw):
		default:
			roots = append(roots, &BuildError{
				Drv: drv, Reason: reason, Tail: t.tails[drv], Hint: hint(f.raw), LogFile: t.logName,
			})
		}
	}
	// Nix 2.8 does not name the derivation that failed when another has too.
	if len(roots) == 0 && len(folded) > 0 {
		roots = append(roots, &BuildError{Drv: folded[0], Reason: "failed: a derivation that it needs did", LogFile: t.logName})
	}
	for _, e := range roots {
		e.blame(folded, asked)
	}
	return roots
}

// blame notes what is not built because of e. With several failures nix does not
// say which of them each of the folded derivations needed: then it is every one
// that nobody asked for itself.
func (e *BuildError) blame(folded []string, asked []Output) {
	own := slices.ContainsFunc(asked, func(o Output) bool { return o.Drv == e.Drv })
	if !own {
		e.Needed = folded
	}
	for _, o := range asked {
		if e.Drv == "" || o.Drv == e.Drv || slices.Contains(e.Needed, o.Drv) {
			e.Installables = append(e.Installables, o.Installable)
		}
	}
}

// isDependencyFailure tells "1 dependencies of derivation 'X' failed to build"
// and, since Nix 2.30, "Cannot build 'X'. Reason: 1 dependency failed."
func isDependencyFailure(raw string) bool {
	return dependencyFailed.MatchString(raw)
}

// isSummary tells a closing line that names nothing new.
func isSummary(raw string) bool {
	return strings.HasPrefix(raw, "Build failed due to failed dependenc") ||
		buildOfFailed.MatchString(raw)
}

// failedDerivation takes apart what nix says of a derivation that failed.
func failedDerivation(raw string) (drv, reason string) {
	m := quotedDerivation.FindStringSubmatch(raw)
	if m == nil {
		return "", strings.TrimSpace(raw)
	}
	drv = m[1]
	if reason, ok := strings.CutPrefix(raw, "builder for '"+drv+"' "); ok {
		reason, _, _ = strings.Cut(reason, ";\n") // "last 10 log lines" of older versions: we have them
		return drv, strings.TrimSpace(reason)
	}
	if m := reasonLine.FindStringSubmatch(raw); m != nil {
		return drv, strings.TrimPrefix(m[1], "builder ")
	}
	return drv, "cannot be built: " + strings.TrimSpace(raw)
}

// isBuildFailure tells the failure of a build from that of an evaluation, for a
// flake that needs something built before it can be evaluated.
func isBuildFailure(raw string) bool {
	return strings.HasPrefix(raw, "builder for '") || strings.HasPrefix(raw, "Cannot build '") || isDependencyFailure(raw)
}

// evalError makes the error of an installable that could not be evaluated.
func (t *transcript) evalError(installables []string, dir string, cause error) error {
	if slices.ContainsFunc(t.faults, func(f fault) bool { return isBuildFailure(f.raw) }) {
		return joinBuild(t.buildErrors(nil))
	}
	e := &EvalError{Installable: strings.Join(installables, ", "), LogFile: t.logName}
	if len(t.faults) == 0 {
		e.Message = cause.Error()
		if said, ok := strings.CutPrefix(t.last, "error: "); ok {
			e.Message = said
		}
		return e
	}
	f := t.faults[len(t.faults)-1]
	at := place(f, installables, dir)
	e.Message, e.File, e.Line, e.Column, e.Hint = f.message(), at.File, at.Line, at.Column, hint(f.raw)
	return e
}

// message is what went wrong, without the trace and without the listing.
func (f fault) message() string {
	text := strings.TrimSpace(f.raw)
	if text == "" { // a version that has no raw_msg: what follows the last "error:"
		parts := errorStart.Split(f.text, -1)
		text, _, _ = strings.Cut(parts[len(parts)-1], "\n\n")
		text = strings.TrimSpace(text)
	}
	if m := didYouMean.FindStringSubmatch(f.text); m != nil && !strings.Contains(text, m[1]) {
		text += " (" + m[1] + ")"
	}
	return text
}

func joinBuild(all []*BuildError) error {
	if len(all) == 1 {
		return all[0]
	}
	errs := make([]error, len(all))
	for i, e := range all {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// hint is what to do about a failure that people meet often.
func hint(raw string) string {
	for _, h := range []struct{ sign, hint string }{
		{"features {kvm", "a NixOS image is built in a virtual machine: build on a machine with /dev/kvm, name one in " +
			"nix.builders, let a binary cache have it, or accept slow emulation with nix.options: {extra-system-features: kvm}"},
		{"is required to build", "build on a machine of that kind: name one in nix.builders, or let a binary cache have it"},
		{"lacks a signature by a trusted key", "the path comes from a place whose key is not trusted: add its key with " +
			"nix.options: {extra-trusted-public-keys: …}, as a user whom nix trusts"},
		{"No space left on device", "free some room (nix store gc), or move the build to a machine with more"},
		{"nixbld", "as root without nix's build users: set nix.options: {build-users-group: \"\"}"},
	} {
		if strings.Contains(raw, h.sign) {
			return h.hint
		}
	}
	return ""
}
