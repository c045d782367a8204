package exectest_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/versatus/snowdrop/internal/exectest"
)

func TestAProgramRunsAtOnceWhileOthersAreStarted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell's")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("true").Run()
			}
		})
	}
	dir := t.TempDir()
	for i := range 400 {
		path := filepath.Join(dir, strconv.Itoa(i))
		exectest.Write(t, path, "#!/bin/sh\n")
		if err := exec.CommandContext(t.Context(), path).Run(); err != nil {
			t.Error(err)
			break
		}
	}
	cancel()
	others.Wait()
}
