package action

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/nix"
)

// annotations are the places in the repository's files that an error speaks of:
// what Nix could not evaluate, and what is wrong in the fleet file. workspace is the
// repository's root, dir the fleet file's folder, seen from there.
func annotations(err error, workspace, dir string) []github.Annotation {
	var out []github.Annotation
	seen := map[github.Annotation]bool{}
	walk(err, func(one error) {
		var a github.Annotation
		switch one := one.(type) { //nolint:errorlint // walk comes to each of them
		case *nix.EvalError:
			file := path.Join(dir, one.File)
			if below, ok := strings.CutPrefix(one.File, strings.TrimSuffix(workspace, "/")+"/"); ok && workspace != "" {
				file = below // beside the flake's folder or above it
			} else if one.File == "" || path.IsAbs(one.File) {
				return // it lies in nixpkgs, or nowhere
			}
			a = github.Annotation{
				Path: file, StartLine: one.Line, StartColumn: one.Column,
				Title: "Nix cannot evaluate " + one.Installable, Message: one.Message,
			}
		case *fleet.Error:
			a = github.Annotation{
				Path: path.Join(dir, filepath.Base(one.File)), StartLine: max(1, one.Line), StartColumn: one.Column,
				Title: "The fleet file", Message: one.Message,
			}
			if one.Hint != "" {
				a.Message += ": " + one.Hint
			}
		default:
			return
		}
		a.Level, a.EndLine, a.EndColumn = "failure", a.StartLine, a.StartColumn
		if !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	})
	return out
}

// walk comes to every error that an error holds, itself first.
func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch several := err.(type) { //nolint:errorlint // the tree itself is walked
	case interface{ Unwrap() error }:
		walk(several.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, one := range several.Unwrap() {
			walk(one, visit)
		}
	}
}

// blamed are the servers that an error of planning is about; none where it is about
// all of them.
func blamed(err error, servers []fleet.Server) map[string]bool {
	out := map[string]bool{}
	walk(err, func(one error) {
		var eval *nix.EvalError
		if !errors.As(one, &eval) {
			return
		}
		for _, s := range servers {
			if eval.Installable == s.Image || eval.Installable == s.System {
				out[s.Name] = true
			}
		}
	})
	return out
}
