//go:build linux && e2e

package e2e

import (
	"io"
	"sync"
)

// lockedWriter takes both outputs of a program.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// tee writes to both.
type tee [2]io.Writer

func (t tee) Write(p []byte) (int, error) { return io.MultiWriter(t[0], t[1]).Write(p) }
