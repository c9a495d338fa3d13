package undelete

import (
	"io/fs"
	"syscall"
)

// allocated gives the bytes that a file takes.
func allocated(info fs.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks * 512 }
