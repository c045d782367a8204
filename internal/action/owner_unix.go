//go:build unix

package action

import (
	"io/fs"
	"syscall"
)

// ownerOf is whose a file is; false where that is not known.
func ownerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	at, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(at.Uid), int(at.Gid), true
}
