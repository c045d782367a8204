package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
)

// TestMain makes this test program the nix of the commands that are tested: a
// link of that name, first in the PATH. It builds what lab.json beside the fleet
// file says.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "nix" {
		os.Exit(playNix(os.Args[1:]))
	}
	os.Exit(withNix(m))
}

func withNix(m *testing.M) int {
	dir, err := os.MkdirTemp("", "snowdrop-cli-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "nix")); err != nil {
		panic(err)
	}
	for name, value := range map[string]string{
		"PATH": dir + string(os.PathListSeparator) + os.Getenv("PATH"), "XDG_CACHE_HOME": dir, "HOME": dir,
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

// playNix answers as nix does, with the store of a lab.Builder.
func playNix(args []string) int {
	out, err := answer(args)
	if err != nil {
		line, _ := toJSON(map[string]any{"action": "msg", "level": 0, "msg": "error: " + err.Error(), "raw_msg": err.Error()})
		fmt.Fprintln(os.Stderr, "@nix "+line)
		return 1
	}
	fmt.Println(out)
	return 0
}

func answer(args []string) (string, error) {
	if slices.Contains(args, "--version") {
		return "nix (Nix) 2.26.3", nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err //nolint:wrapcheck // a test's program
	}
	data, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return "", err //nolint:wrapcheck // a test's program
	}
	var b lab.Builder
	if err := json.Unmarshal(data, &b); err != nil {
		return "", err //nolint:wrapcheck // a test's program
	}
	b.Dir = dir
	at := slices.Index(args, "--")
	switch words := strings.Join(args[:2], " "); {
	case words == "flake metadata":
		return toJSON(map[string]any{"url": "git+file://" + dir, "revision": b.Revision, "lastModified": b.At.Unix()})
	case args[0] == "eval" && strings.HasSuffix(args[at+1], "#packages"):
		shown, err := b.Show(context.Background(), ".")
		images := []string{}
		for _, i := range shown.Images {
			images = append(images, i[strings.LastIndex(i, ".")+1:])
		}
		text, _ := toJSON(map[string][]string{"x86_64-linux": images})
		return text, err //nolint:wrapcheck // a test's program
	case args[0] == "eval":
		shown, err := b.Show(context.Background(), ".")
		text, _ := toJSON(shown.Configurations)
		return text, err //nolint:wrapcheck // a test's program
	case args[0] == "path-info":
		if ok, err := b.Valid(context.Background(), args[at+1]); err != nil || !ok {
			return "", fmt.Errorf("path '%s' is not valid", args[at+1])
		}
		return args[at+1], nil
	case args[0] == "build" && slices.Contains(args, "--dry-run"):
		return build(&b, args[at+1:], false)
	case args[0] == "build":
		return build(&b, args, true)
	default:
		return "", fmt.Errorf("this nix does not know %q", args)
	}
}

func toJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err //nolint:wrapcheck // a test's program
}

// build answers to nix build --json: of installables, or of derivations, which
// it finds by evaluating everything.
func build(b *lab.Builder, targets []string, forReal bool) (string, error) {
	installables := targets
	if forReal {
		installables = nil
		for name := range b.Servers {
			installables = append(installables, ".#"+name+"-image", ".#"+name+"-toplevel")
		}
	}
	outputs, err := b.Evaluate(context.Background(), installables)
	if err != nil {
		return "", err //nolint:wrapcheck // a test's program
	}
	if forReal {
		outputs = slices.DeleteFunc(outputs, func(o nix.Output) bool { return !slices.Contains(targets, o.Drv+"^out") })
		if len(outputs) == 0 {
			return "", errors.New("nothing to build is known")
		}
		if err := b.Realise(context.Background(), outputs, nix.Progress{}); err != nil {
			return "", err //nolint:wrapcheck // a test's program
		}
	}
	entries := []any{}
	for _, o := range outputs {
		entries = append(entries, map[string]any{"drvPath": o.Drv, "outputs": map[string]string{"out": o.Path}})
	}
	return toJSON(entries)
}
