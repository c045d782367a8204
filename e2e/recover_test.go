//go:build linux && e2e

package e2e

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

func interrupted(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.project.release(ctx, t, 3)
	w.spy.take()
	// The second part of each image arrives and is never answered.
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.spy.setHold(func(r *http.Request) {
		if part := r.URL.Query().Get("partNumber"); r.Method == http.MethodPut && part != "" && part != "1" {
			once.Do(func() { close(arrived) })
			<-release
		}
	})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	run := w.start(ctx, t, "deploy", "--yes")
	select {
	case <-arrived:
	case <-time.After(2 * time.Minute):
		t.Error("no upload began")
	}
	until(ctx, t, "the first part of an image is stored", func() error {
		stored := func(e exchange) bool { return e.Query.Get("partNumber") == "1" && e.Status == http.StatusOK }
		if !slices.ContainsFunc(w.spy.take(), stored) || len(w.gateway.uploads(ctx, t)) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	asked := time.Now()
	check(t, run.cmd.Process.Signal(os.Interrupt))
	end := run.wait(t)
	if took := time.Since(asked); took > 10*time.Second {
		t.Errorf("it took %s to end", took)
	}
	end.demand(t, 130, "cancelled", "web-1", "api-1", "db-1", "snowdrop deploy")
	t.Logf("what a person sees at the end:\n%s", tail(end.text, 30))
	w.nothingLeft(ctx, t)
	w.spy.setHold(nil)
	letGo()
	if after := w.look(ctx, t); !maps.Equal(before, after) {
		t.Errorf("droplets changed from %v to %v", before, after)
	}
}

func again(ctx context.Context, t *testing.T, w *world) {
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)
	for _, name := range droplets() {
		unit, _ := w.on(ctx, t, name, "systemctl show --value -p Description "+serverOf(name)+".service")
		if unit != serverOf(name)+", release 3" {
			t.Errorf("%s runs %q", name, unit)
		}
	}
	w.nothingLeft(ctx, t)
	left := w.images(t)
	for _, image := range w.first {
		if slices.Contains(left, image) {
			t.Errorf("%s of the first release is still there, beside %v", image, left)
		}
	}
	for _, image := range w.second {
		if !slices.Contains(left, image) {
			t.Errorf("%s, the way back, is gone; there are %v", image, left)
		}
	}
}

// strays are objects of no image: what a run left that died long ago, what a run
// may be at, and what is not snowdrop's.
func strays() (old, young, other string) {
	folder := "images/" + strings.Repeat("0", 32) + "/"
	return folder + "old.qcow2.gz", folder + "young.qcow2.gz", "notes.txt"
}

func pruned(ctx context.Context, t *testing.T, w *world) {
	images := w.images(t)
	old, young, other := strays()
	for _, key := range []string{old, young, other} {
		_, err := w.gateway.s3.PutObject(ctx, bucket, prefix+key, strings.NewReader("bytes"), 5, minio.PutObjectOptions{})
		check(t, err)
	}
	twoDays := time.Now().Add(-48 * time.Hour)
	for _, key := range []string{old, other} {
		check(t, os.Chtimes(filepath.Join(w.gateway.dir, bucket, prefix+key), twoDays, twoDays))
	}
	w.snowdrop(ctx, t, "prune", "--dry-run").demand(t, 0, "1 stale object")
	if there := w.gateway.objects(ctx, t, "images/"); len(there) != 2 {
		t.Errorf("after a dry run: %v", there)
	}
	w.snowdrop(ctx, t, "prune", "--yes").demand(t, 0)
	if there := w.gateway.objects(ctx, t, ""); slices.Contains(there, old) || !slices.Contains(there, young) || !slices.Contains(there, other) {
		t.Errorf("after a prune: %v", there)
	}
	if left := w.images(t); !slices.Equal(left, images) {
		t.Errorf("custom images were %v and are %v", images, left)
	}
	check(t, w.gateway.s3.RemoveObject(ctx, bucket, prefix+young, minio.RemoveObjectOptions{}))
}

func rolledBack(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.snowdrop(ctx, t, "rollback", "web", "--yes").demand(t, 0)
	after := w.look(ctx, t)
	for _, name := range droplets() {
		unit, _ := w.on(ctx, t, name, "systemctl show --value -p Description "+serverOf(name)+".service")
		if web := serverOf(name) == "web"; web && unit != "web, release 2" || web == (before[name] == after[name]) {
			t.Errorf("%s runs %q: %+v, before: %+v", name, unit, after[name], before[name])
		}
	}
	w.snowdrop(ctx, t, "verify", "web").demand(t, 0)
}
