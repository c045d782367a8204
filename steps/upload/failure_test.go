package upload_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedImportTellsItsWordsAndLikelyCause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		words    string
		delivery fleet.Delivery
		head     int
	}{
		"unreachable when presigned":  {"Image could not be downloaded", fleet.Presigned, 403},
		"unreachable when public":     {"Image could not be downloaded", fleet.PublicRead, 200},
		"without a word":              {"no reason was given", fleet.Presigned, 403},
		"without a word, HEAD served": {"no reason was given", fleet.Presigned, 200},
		"too large":                   {"Image size exceeds limit", fleet.Presigned, 403},
		"bad format":                  {"Invalid image format", fleet.Presigned, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.in.Delivery = test.delivery
			w.bucket.headOfObjects(test.head)
			w.ocean.fail = map[int]string{firstID: test.words}
			_, err := w.run(t.Context())
			var failed *ocean.ImageError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v", err)
			}
			golden(t, "import "+strings.ReplaceAll(name, ",", ""), err.Error())
			if left := w.left(t); len(left) > 0 {
				t.Errorf("left in the Space: %v", left)
			}
		})
	}
}

func TestARefusedHeadIsToldAndIsAWarningOnlyWhereItShouldHaveWorked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		delivery fleet.Delivery
		head     int
		want     string
	}{
		"presigned, as every S3 does": {fleet.Presigned, 403, "\nits URL answers 403 to HEAD and 206 to a ranged GET"},
		"presigned, oddly":            {fleet.Presigned, 405, "\nwarning: the object's URL answers 405 to HEAD"},
		"public":                      {fleet.PublicRead, 403, "\nwarning: the object's URL answers 403 to HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.in.Delivery = test.delivery
			w.bucket.headOfObjects(test.head)
			if _, err := w.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if said := w.told.text(); !strings.Contains(said, test.want) {
				t.Errorf("not told: %q in\n%s", test.want, said)
			}
		})
	}
}

func TestNothingIsImportedFromAURLThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("X-Amz-Signature") && r.Method == http.MethodGet {
			rw.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	_, err := w.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "preflight") || len(w.ocean.requests) > 0 {
		t.Errorf("got %v, %d imports", err, len(w.ocean.requests))
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
}

func TestThePresignedURLIsInNoTextWhateverFails(t *testing.T) {
	t.Parallel()
	for name, quote := range map[string]func(url string) string{
		"plain":        func(url string) string { return url },
		"JSON-escaped": func(url string) string { return strings.ReplaceAll(url, "&", `\u0026`) },
		"its query":    func(url string) string { return url[strings.Index(url, "?"):] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sentinel := errors.New("POST /v2/images answered 400")
			w.ocean.importErr = func(url string) error { return fmt.Errorf("%w: cannot read %s", sentinel, quote(url)) }
			_, err := w.run(t.Context())
			if !errors.Is(err, sentinel) {
				t.Fatalf("got %v", err)
			}
			said := err.Error() + w.told.text()
			for _, secret := range []string{"X-Amz-Signature=", "X-Amz-Credential=", accessKey} {
				if strings.Contains(said, secret) {
					t.Errorf("%q is told:\n%s", secret, said)
				}
			}
		})
	}
}

func TestACancelledUploadLeavesNothingAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.data = bytes.Repeat([]byte{1}, 60<<20)
	noise(w.data)
	if err := os.WriteFile(filepath.Join(w.in.Image, "nixos.raw"), w.data, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.bucket.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("partNumber") == "2" {
			cancel()
		}
		return false
	})
	_, err := w.run(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing is left in the Space") {
		t.Errorf("got %v", err)
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	if swept, err := w.space.SweepUploads(t.Context(), "", -1e9); err != nil || len(swept) > 0 {
		t.Errorf("left as parts: %v, %v", swept, err)
	}
}

func TestACancelledImportIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.Delivery = fleet.PublicRead
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.ocean.onWait = cancel
	_, err := w.run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	golden(t, "cancelled import", err.Error())
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	if diff := cmp.Diff([]string{"public-read", "private"}, w.bucket.acls()); diff != "" {
		t.Errorf("ACLs %s", diff)
	}
}

func TestAnObjectThatCannotBeRemovedIsAWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			rw.WriteHeader(http.StatusForbidden)
		}
		return r.Method == http.MethodDelete
	})
	out, err := w.run(t.Context())
	if err != nil || !out.CustomImage.Available() {
		t.Fatalf("%+v, %v", out, err)
	}
	if said := w.told.text(); !strings.Contains(said, "warning: the object may still be in the Space") || !strings.Contains(said, object) {
		t.Errorf("not told:\n%s", said)
	}
}

func TestAnObjectThatStaysPublicIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.Delivery = fleet.PublicRead
	w.bucket.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		stuck := r.Method == http.MethodDelete || r.Header.Get("X-Amz-Acl") == "private"
		if stuck {
			rw.WriteHeader(http.StatusForbidden)
		}
		return stuck
	})
	out, err := w.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "readable for everybody") || !out.CustomImage.Available() {
		t.Errorf("%+v, %v", out, err)
	}
}
