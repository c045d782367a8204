package nix

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
)

const (
	webDrv  = "/nix/store/2fclvbbnxfc4bmwxziwrq4yxy8an27ki-web-image.drv"
	webOut  = "/nix/store/r17if2bdad7mzdv48h07lmx6vmjpg0hi-web-image"
	topDrv  = "/nix/store/59xdxdrbwdsxva13c5w8kw7z86gyvs51-nixos-system-web-25.05.drv"
	topOut  = "/nix/store/9vwafn653gmak45zy1h803y4j5g2jrnj-nixos-system-web-25.05"
	topAttr = ".#nixosConfigurations.web.config.system.build.toplevel"
)

func versions() []string { return []string{"v2.8.0", "v2.26.3"} }

// eachVersion runs test with what each captured version of nix says.
func eachVersion(t *testing.T, test func(t *testing.T, v string)) {
	t.Helper()
	for _, v := range versions() {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

func TestOutPathsComeInTheOrderAsked(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{Options: map[string]string{"sandbox": "false"}},
			play{When: []string{"build", "--dry-run", "--option sandbox false", "nix-command flakes"}, Captured: v + "/dry-run"})
		ask := []string{".#web-image", ".#tool", topAttr, ".#multi", ".#web-image"}
		got, err := c.Evaluate(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		want := []Output{
			{Installable: ask[0], Drv: webDrv, Path: webOut, Name: "out"},
			{Installable: ask[1], Drv: "/nix/store/10p5pk9h16zm4z7y7rwv1whl63y2z2vy-tool.drv", Path: "/nix/store/bjf9vs3ciw7spd4kn328xxxqqxsmz9pd-tool", Name: "out"},
			{Installable: ask[2], Drv: topDrv, Path: topOut, Name: "out"},
			{Installable: ask[3], Drv: "/nix/store/m3bf0qz25bm693jyc2cdib6xvygphbbd-multi.drv", Path: "/nix/store/qlh1vqayw7v5phkz84hc3j9mq10y22kj-multi", Name: "out"},
			{Installable: ask[4], Drv: webDrv, Path: webOut, Name: "out"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStorePathIsItsOwnOutput(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{}, version(v), play{When: []string{"build"}, Captured: v + "/dry-store-path"})
		got, err := c.Build(t.Context(), []string{webOut}, Progress{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Output{{Installable: webOut, Path: webOut}}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBuildBuildsWhatWasEvaluated(t *testing.T) {
	t.Parallel()
	for v, target := range map[string]string{"v2.8.0": webDrv, "v2.26.3": webDrv + "^out"} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			c := fake(t, Config{Builders: "ssh://builder", RootDir: "/run/roots"}, version(v),
				play{When: []string{"--dry-run"}, Captured: v + "/dry-run-built"},
				play{When: []string{"build", target, "--builders ssh://builder", "--out-link /run/roots/" + webOut[11:43]}, Captured: v + "/realise"})
			got, err := c.Build(t.Context(), []string{".#web-image"}, Progress{})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].Path != webOut {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBuildThatIsNotWhatWasEvaluatedIsAnError(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{}, version(v), play{When: []string{"build"}, Captured: v + "/build-git-dirty"})
		err := c.Realise(t.Context(), []Output{{Installable: ".#web-image", Drv: webDrv, Path: webOut, Name: "out"}}, Progress{})
		if err == nil || !strings.Contains(err.Error(), webOut) {
			t.Errorf("%v", err)
		}
	})
}

func TestFailedBuildKeepsItsLogAndItsTail(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		logs := filepath.Join(t.TempDir(), "logs")
		c := fake(t, Config{LogDir: logs}, version(v), play{When: []string{"build"}, Captured: v + "/fail-dependency", Exit: 1})
		bad := Output{Installable: ".#bad-image", Drv: "/nix/store/fvbhn3jcnbdakp5g9rdsgh1c7q8ws7yb-bad-image.drv", Path: webOut, Name: "out"}
		err := c.Realise(t.Context(), []Output{bad}, Progress{})
		build := (*BuildError)(nil)
		if !errors.As(err, &build) {
			t.Fatal(err)
		}
		if len(build.Tail) != tailLength || build.Tail[9] != "error: it broke" || build.Reason != "failed with exit code 3" {
			t.Errorf("%+v", build)
		}
		if diff := cmp.Diff([]string{".#bad-image"}, build.Installables); diff != "" {
			t.Error(diff)
		}
		log, readErr := os.ReadFile(build.LogFile)
		if readErr != nil || !strings.Contains(string(log), "bad-dep> line 1\n") || strings.Contains(string(log), "\x1b") {
			t.Errorf("%v\n%s", readErr, log)
		}
		if files, _ := os.ReadDir(logs); len(files) != 1 {
			t.Errorf("logs of commands that did not fail are kept: %v", files)
		}
	})
}

func TestEachFaultyInstallableIsNamed(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{Dir: "testdata/acme"},
			play{When: []string{"-- .#attr .#web-image .#syntax"}, Captured: v + "/eval-attr", Exit: 1},
			play{When: []string{"-- .#attr"}, Captured: v + "/eval-attr", Exit: 1},
			play{When: []string{"-- .#web-image"}, Captured: v + "/dry-run-built"},
			play{When: []string{"-- .#syntax"}, Captured: v + "/eval-syntax", Exit: 1})
		_, err := c.Evaluate(t.Context(), []string{".#attr", ".#web-image", ".#syntax"})
		want := "evaluate .#attr: attr.nix:1:1: attribute 'b' missing (Did you mean a?)\n" +
			"evaluate .#syntax: syntax.nix:2:7: syntax error, unexpected ';'"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if eval := (*EvalError)(nil); !errors.As(err, &eval) || eval.File != "attr.nix" || eval.Line != 1 || eval.Column != 1 {
			t.Errorf("%+v", eval)
		}
	})
}

func TestMetadataOfEveryKindOfTree(t *testing.T) {
	t.Parallel()
	commit := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const rev = "139786bd18eafeb96e82b2ecbb90729981104ca8"
	for kind, want := range map[string]Metadata{
		"metadata-git-clean": {URL: "git+file:///srv/acme-git", Revision: rev, LastModified: commit},
		"metadata-git-rev":   {URL: "git+file:///srv/acme-git?rev=" + rev, Revision: rev, LastModified: commit},
		"metadata-git-dirty": {URL: "git+file:///srv/acme-git", Dirty: true, LastModified: commit},
		"metadata-path":      {URL: "path:/srv/acme", Dirty: true},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			eachVersion(t, func(t *testing.T, v string) {
				c := fake(t, Config{}, play{When: []string{"flake metadata", "-- ."}, Captured: v + "/" + kind})
				got, err := c.Metadata(t.Context(), ".")
				if err != nil {
					t.Fatal(err)
				}
				if want.LastModified.IsZero() { // the newest file's, of the day of the capture
					got.LastModified = time.Time{}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestShowListsNamesAndTakesAnEmptyFlake(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{},
			play{When: []string{"eval", ".#nixosConfigurations"}, Captured: v + "/show-configurations"},
			play{When: []string{"eval", ".#packages"}, Captured: v + "/show-packages"},
			play{When: []string{"eval"}, Captured: v + "/show-missing", Exit: 1})
		got, err := c.Show(t.Context(), ".")
		if err != nil {
			t.Fatal(err)
		}
		want := Shown{
			Configurations: []string{"db", "web"},
			Images: []string{
				"packages.aarch64-linux.arm-image", "packages.x86_64-linux.lasr_nightly_image", "packages.x86_64-linux.web-image",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got, err := c.Show(t.Context(), "./none"); err != nil || len(got.Configurations)+len(got.Images) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestShowTellsAFaultyFlake(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{}, play{When: []string{"eval"}, Captured: v + "/eval-syntax", Exit: 1})
		_, err := c.Show(t.Context(), ".")
		if eval := (*EvalError)(nil); !errors.As(err, &eval) || eval.Line != 2 {
			t.Errorf("%v", err)
		}
	})
}

func TestClosureIsReadInBothShapes(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{},
			play{When: []string{"path-info", "--json", "--recursive", topOut}, Captured: v + "/closure"},
			play{When: []string{"path-info"}, Captured: v + "/valid-missing", Exit: 1})
		got, err := c.Closure(t.Context(), topOut)
		if err != nil {
			t.Fatal(err)
		}
		want := []closure.Path{{Path: topOut, NarSize: 344}, {Path: "/nix/store/zb39mnz4p8yn60my131lf9fg778fn1y9-a-dep", NarSize: 120}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, err := c.Closure(t.Context(), webOut); err == nil || !strings.Contains(err.Error(), "is not valid") {
			t.Errorf("a path that is not there: %v", err)
		}
	})
}

func TestClosureIsReadFromAnotherStore(t *testing.T) {
	t.Parallel()
	const store, secret = "https://me:sesame@cache.acme.example/a", "sesame"
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{},
			play{When: []string{"path-info", "--store " + store, "--json", "--recursive", "-- " + topOut}, Captured: v + "/closure"},
			play{When: []string{"path-info", "--store " + store}, Captured: v + "/valid-missing", Exit: 1},
			play{When: []string{"path-info", "--store none"}, Stdout: "{", Exit: 0})
		got, err := c.ClosureIn(t.Context(), store, topOut)
		if err != nil || len(got) != 2 || got[0] != (closure.Path{Path: topOut, NarSize: 344}) {
			t.Errorf("%v, %v", got, err)
		}
		_, err = c.ClosureIn(t.Context(), store, webOut)
		if err == nil || !strings.Contains(err.Error(), "is not valid") || !strings.Contains(err.Error(), "cache.acme.example") || strings.Contains(err.Error(), secret) {
			t.Errorf("a path that it does not have: %v", err)
		}
		if _, err = c.ClosureIn(t.Context(), "none", topOut); err == nil || !strings.Contains(err.Error(), "in none: nix path-info --json") {
			t.Errorf("an answer that is none: %v", err)
		}
	})
}

func TestPathThatIsNotWholeIsNotValid(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{},
			play{When: []string{"path-info", topOut}},
			play{When: []string{"path-info", webOut}, Captured: v + "/valid-missing", Exit: 1},
			play{When: []string{"path-info"}, Captured: v + "/eval-syntax", Exit: 1})
		if ok, err := c.Valid(t.Context(), topOut); !ok || err != nil {
			t.Errorf("there: %v, %v", ok, err)
		}
		if ok, err := c.Valid(t.Context(), webOut); ok || err != nil {
			t.Errorf("not there: %v, %v", ok, err)
		}
		if _, err := c.Valid(t.Context(), "/nix/store/x"); err == nil {
			t.Error("another failure passes for an answer")
		}
	})
}

func TestVersionIsReadFromEveryNix(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"nix (Nix) 2.8.0\n":                      "2.8.0",
		"nix (Lix, like Nix) 2.93.3\n":           "2.93.3",
		"nix (Determinate Nix 3.11.2) 2.31.1\n":  "2.31.1",
		"nix (Nix) 2.19.0pre20231010_abcdef1\n":  "2.19.0pre20231010_abcdef1",
		"bash: nix: something else altogether\n": "",
		"":                                       "",
	} {
		c := fake(t, Config{}, play{When: []string{"--version"}, Stdout: said})
		got, err := c.Version(t.Context())
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", said, got, err)
		}
	}
}

func TestMissingProgramSaysHowToInstall(t *testing.T) {
	t.Parallel()
	for name, bin := range map[string]string{"by name": "nix-that-is-not-there", "by path": filepath.Join(t.TempDir(), "nix")} {
		_, err := New(Config{Bin: bin}).Build(t.Context(), []string{".#web"}, Progress{})
		if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "install") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := fake(t, Config{Dir: filepath.Join(t.TempDir(), "gone")}).Evaluate(t.Context(), []string{".#web"})
	if err == nil || errors.Is(err, ErrNotInstalled) {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestCancelInterruptsAndThenKills(t *testing.T) {
	t.Parallel()
	stop := errors.New("the user pressed Ctrl-C")
	for name, deaf := range map[string]bool{"interrupted": false, "killed after the grace": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := fake(t, Config{LogDir: t.TempDir()}, version("v2.26.3"),
				play{When: []string{"build"}, Captured: "v2.26.3/build", Hang: true, Deaf: deaf, Exit: 1})
			c.grace = 100 * time.Millisecond
			if !deaf {
				c.grace = time.Minute
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			err := c.Realise(ctx, []Output{{Installable: ".#web-image", Drv: webDrv, Path: webOut, Name: "out"}},
				Progress{Phase: func(string) { cancel(stop) }})
			if !errors.Is(err, stop) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStoreHash(t *testing.T) {
	t.Parallel()
	if got, err := StoreHash(webOut); err != nil || got != "r17if2bdad7mzdv48h07lmx6vmjpg0hi" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{
		"", "/nix/store", "/tmp/x", "/nix/store/short-name", "/nix/store/r17if2bdad7mzdv48h07lmx6vmjpg0hi",
		"/nix/store/r17if2bdad7mzdv48h07lmx6vmjpg0he-web", // e is no digit of nix's base 32
	} {
		if got, err := StoreHash(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// Whatever a version writes, nothing may stop the build that is watched.
func FuzzTranscript(f *testing.F) {
	files, _ := filepath.Glob("testdata/captured/*/fail-*.stderr")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`@nix {"action":"result","fields":["x",null],"id":1,"type":105}` + "\n@nix {\n\x00"))
	f.Add([]byte(`@nix {"action":"start","fields":[1],"id":-1,"type":105}` + "\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		var told strings.Builder
		transcript := newTranscript(notes(&told), &told, "")
		lines := &lineWriter{take: transcript.line}
		half := len(said) / 2
		_, _ = lines.Write(said[:half])
		_, _ = lines.Write(said[half:])
		lines.flush()
		for _, e := range transcript.buildErrors([]Output{{Installable: ".#x", Drv: webDrv}}) {
			if e.Error() == "" || len(e.Tail) > tailLength {
				t.Errorf("%+v", e)
			}
		}
		if err := transcript.evalError([]string{".#x"}, t.TempDir(), errors.New("exit status 1")); err == nil {
			t.Error("no error of an evaluation that failed")
		}
	})
}
