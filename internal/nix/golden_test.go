package nix

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file below testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// stderrs are all that was captured of standard error.
func stderrs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*/*.stderr")
	written, err2 := filepath.Glob("testdata/written/*.stderr")
	if err := errors.Join(err, err2); err != nil || len(files) == 0 {
		t.Fatalf("no captured files: %v", err)
	}
	return append(files, written...)
}

// replay plays a captured standard error and notes what a caller is told.
func replay(t *testing.T, file string) (*transcript, string) {
	t.Helper()
	var told strings.Builder
	transcript := newTranscript(notes(&told), io.Discard, "nix.log")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := &lineWriter{take: transcript.line}
	_, _ = lines.Write(text)
	lines.flush()
	return transcript, told.String()
}

func notes(w io.Writer) Progress {
	return Progress{
		Count: func(done, total int64) { fmt.Fprintf(w, "count %d/%d\n", done, total) },
		Bytes: func(done, total int64) { fmt.Fprintf(w, "bytes %d/%d\n", done, total) },
		Phase: func(text string) { fmt.Fprintf(w, "phase %s\n", text) },
		Log:   func(line string) { fmt.Fprintf(w, "log   %s\n", line) },
	}
}

// What a person is told of each thing that nix can say, by both versions.
func TestWhatNixSaysIsReducedToWhatAPersonNeeds(t *testing.T) {
	t.Parallel()
	for _, file := range stderrs(t) {
		name := strings.TrimPrefix(strings.TrimSuffix(filepath.ToSlash(file), ".stderr"), "testdata/")
		name = strings.TrimPrefix(name, "captured/")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, told := replay(t, file)
			var err error
			base := filepath.Base(name)
			switch {
			case strings.HasPrefix(base, "fail-"):
				err = joinBuild(said.buildErrors([]Output{
					{Installable: ".#bad-image", Drv: "/nix/store/fvbhn3jcnbdakp5g9rdsgh1c7q8ws7yb-bad-image.drv"},
					{Installable: ".#noout", Drv: "/nix/store/cd6dyzghyrm7yb65rdd3gw535yys2vvd-noout.drv"},
					{Installable: ".#tool", Drv: "/nix/store/10p5pk9h16zm4z7y7rwv1whl63y2z2vy-tool.drv"},
				}))
			case len(said.faults) > 0 || said.last != "":
				err = said.evalError([]string{".#x"}, "testdata/acme", errors.New("nix build: exit status 1"))
			}
			if err != nil {
				told += "error:\n" + err.Error() + "\n"
			}
			golden(t, name+".txt", told)
		})
	}
}
