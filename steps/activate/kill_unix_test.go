//go:build unix

package activate

import (
	"fmt"
	"strconv"
	"syscall"
)

// kill kills the unit's main process.
func kill(b *box) error {
	pid, err := strconv.Atoi(b.read("pid"))
	if err != nil {
		return fmt.Errorf("the unit's main process: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	return nil
}
