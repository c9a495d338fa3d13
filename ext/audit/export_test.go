package audit

import (
	"context"

	"github.com/extscope/extscope/ext"
)

// Illegal reports whether a name has a character that none may have.

// RunThorough is Run where no inode is left to a glance.
func RunThorough(ctx context.Context, f *ext.FS, o Options) (*Result, error) {
	a := newAuditor(f, o)
	a.thorough = true
	return a.run(ctx)
}

// Plain counts the inodes that a glance knows.
func Plain(ctx context.Context, f *ext.FS) (n int, err error) {
	g := newGlance(newAuditor(f, Options{}))
	if g == nil {
		return 0, nil
	}
	count := make([]int, ext.Workers())
	err = f.ScanRawInodes(ctx, func(w int, ino ext.Ino, raw []byte) bool {
		if g.plain(0, ino, raw) {
			count[w]++
		}
		return false
	}, func(int, *ext.Inode) {}, func(ext.Ino, uint32, error) {})
	for _, c := range count {
		n += c
	}
	return n, err
}
