package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/versatus/snowdrop"

// pkg is a package of this module as go list describes it. Its paths, and the
// imports within the module, are relative to the module.
type pkg struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

// packages are all packages of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = local(p.ImportPath)
		for _, imports := range []*[]string{&p.Imports, &p.TestImports, &p.XTestImports} {
			for i := range *imports {
				(*imports)[i] = local((*imports)[i])
			}
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("go list shows %d packages only", len(all))
	}
	return all
}

// local is a path of this module with "./" before it; others are as they are.
func local(importPath string) string {
	if importPath == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(importPath, module+"/"); ok {
		return "./" + rest
	}
	return importPath
}

// below says whether a package is root or in a folder of it.
func below(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func belowAny(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return below(p, root) })
}

// TestForeignLibrariesHaveOneUser keeps the clients of outside systems where they
// can be replaced.
func TestForeignLibrariesHaveOneUser(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for library, users := range map[string][]string{
		"github.com/digitalocean/godo":          {"./internal/ocean"},
		"github.com/hashicorp/go-retryablehttp": {"./internal/ocean", "./internal/github"},
		"github.com/google/go-github":           {"./internal/github"},
		"github.com/sethvargo/go-githubactions": {"./internal/action"},
		"github.com/minio/minio-go":             {"./internal/space"},
		"github.com/johannesboyne/gofakes3":     {"./internal/lab"},
		"github.com/yuin/goldmark":              {"./internal/lab"},
		"github.com/rhysd/actionlint":           nil,
		"mvdan.cc/sh":                           {"./internal/lab"},
		"github.com/spf13/cobra":                {"./internal/cli"},
		"github.com/goccy/go-yaml":              {"./internal/fleet"},
		"github.com/lima-vm/go-qcow2reader":     {"./internal/image"},
		"github.com/klauspost/pgzip":            {"./internal/image"},
		"golang.org/x/crypto/ssh/agent":         {"./internal/remote"},
		"github.com/skeema/knownhosts":          {"./internal/remote"},
		"github.com/getkin/kin-openapi":         {"./internal/contract"},
		"modernc.org/sqlite":                    {"./internal/nix"},
		"github.com/rogpeppe/go-internal":       nil,
		"github.com/google/go-cmp":              nil,
		"testing":                               {"./internal/contract", "./internal/exectest", "./internal/remote/sshtest"},
	} {
		for _, p := range all {
			for _, imported := range p.Imports {
				if below(imported, library) && !belowAny(p.ImportPath, users...) {
					t.Errorf("%s imports %s; only %v may", p.ImportPath, imported, users)
				}
			}
		}
	}
}

// TestArrowsPointDown keeps the layers: main → front ends → use cases → steps →
// outside systems → fleet, release, event.
func TestArrowsPointDown(t *testing.T) {
	t.Parallel()
	words := []string{"./internal/event", "./internal/fleet", "./internal/release", "./internal/closure", "./internal/toplevel", "./internal/knownhosts"}
	outside := []string{"./internal/nix", "./internal/git", "./internal/image", "./internal/space", "./internal/ocean", "./internal/remote", "./internal/systemd", "./internal/github", "./internal/vm", "./internal/anywhere"}
	lower := slices.Concat(words, outside)
	rules := []struct {
		of  string
		may []string
	}{
		{"./internal/release", nil},
		{"./internal/closure", nil},
		{"./internal/toplevel", nil},
		{"./internal/knownhosts", nil},
		{"./internal/event", []string{"./internal/release", "./internal/closure", "./internal/toplevel"}},
		{"./internal/fleet", []string{"./internal/release", "./internal/event"}},
		{"./internal/nix", words},
		{"./internal/vm", nil},
		{"./internal/git", words},
		{"./internal/image", words},
		{"./internal/space", words},
		{"./internal/ocean", words},
		{"./internal/anywhere", words},
		{"./internal/github", words},
		{"./internal/remote", words},
		{"./internal/systemd", append([]string{"./internal/remote"}, words...)},
		{"./internal/redact", words},
		{"./internal/report", words},
		{"./internal/action", append([]string{"./internal/connect", "./internal/deploy", "./internal/redact", "./internal/report"}, lower...)},
		{"./internal/contract", nil},
		// A step knows the contract of steps, and the systems that it works on.
		{"./steps", append([]string{"./steps"}, lower...)},
		{"./internal/deploy", append([]string{"./steps"}, lower...)},
		{"./internal/connect", append([]string{"./internal/deploy", "./internal/redact"}, lower...)},
		// The lab stands in for the outside: it must not lean on what it tests.
		{"./internal/lab", append([]string{"./internal/nix", "./internal/remote", "./internal/systemd"}, words...)},
	}
	for _, p := range packages(t) {
		for _, rule := range rules {
			if !below(p.ImportPath, rule.of) {
				continue
			}
			for _, imported := range p.Imports {
				if strings.HasPrefix(imported, "./") && !below(imported, rule.of) && !belowAny(imported, rule.may...) {
					t.Errorf("%s imports %s; below it are only %v", p.ImportPath, imported, rule.may)
				}
			}
		}
	}
}

func TestStepsDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.ImportPath, "./steps/") {
			continue
		}
		found++
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "./steps/") && !below(imported, p.ImportPath) {
				t.Errorf("step %s imports step %s: what connects them is package deploy", p.ImportPath, imported)
			}
		}
	}
	if found < 6 {
		t.Errorf("%d steps found", found)
	}
}

// TestLabIsForTryingAlone keeps the lab, and the checks of the vendors'
// descriptions, out of what works on real droplets.
func TestLabIsForTryingAlone(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for target, users := range map[string][]string{
		"./internal/lab":            {"./internal/lab", "./internal/demo", "./internal/cli"},
		"./internal/demo":           {"./internal/cli"},
		"./internal/contract":       nil,
		"./internal/exectest":       nil,
		"./internal/remote/sshtest": nil,
	} {
		for _, p := range all {
			for _, imported := range p.Imports {
				if below(imported, target) && !belowAny(p.ImportPath, users...) {
					t.Errorf("%s imports %s; only tests and %v may", p.ImportPath, imported, users)
				}
			}
		}
	}
}

// TestMainOnlyPicksTheFrontEnd keeps decisions where tests reach them.
func TestMainOnlyPicksTheFrontEnd(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 40 {
		t.Errorf("main.go has %d lines; it may have 40", lines)
	}
	for _, p := range packages(t) {
		if p.ImportPath != "." {
			if slices.Contains(p.Imports, ".") {
				t.Errorf("%s imports main", p.ImportPath)
			}
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "./") && !belowAny(imported, "./internal/cli", "./internal/action") {
				t.Errorf("main imports %s; it may import the front ends only", imported)
			}
		}
	}
}
