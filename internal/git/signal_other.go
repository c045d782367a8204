//go:build !unix

package git

import "os"

func terminate(p *os.Process) error { return p.Kill() } //nolint:wrapcheck // exec says of which process
