package former

import (
	"context"
	"fmt"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

// Faults tells what is wrong with a file system that keeps files from being found in it,
// nothing where it is sound. The error is ctx's.
func Faults(ctx context.Context, v *replay.View) (faults []string, err error) {
	fs := v.FS
	for _, w := range fs.Warnings() {
		if w.About == ext.AboutSuper || w.About == ext.AboutGroups || w.About == ext.AboutSize {
			faults = append(faults, w.Text)
		}
	}
	if v.Journal == nil && fs.Super.Compat&layout.CompatHasJournal != 0 && fs.Super.JournalInum != 0 {
		faults = append(faults, "the journal cannot be read")
	}
	if root, err := fs.Inode(layout.RootIno); err != nil || !root.IsDir() || !root.ChecksumOK {
		faults = append(faults, "the root directory's inode is lost")
	}
	lost, err := lostInodes(ctx, fs)
	if lost > 0 {
		faults = append(faults, fmt.Sprintf("%d inodes are in use by the bitmaps, and there is nothing in the inode tables", lost))
	}
	return faults, err
}

// lostInodes counts the inodes that bitmaps have in use and tables have not.
func lostInodes(ctx context.Context, fs *ext.FS) (lost int, err error) {
	top := uint64(fs.Size())/uint64(fs.InodeSize()) + 1 // more do not fit, whatever is claimed
	if uint64(fs.InodesCount()) > top {
		return 0, nil
	}
	seen := make([]uint64, fs.InodesCount()/64+1)
	var mu sync.Mutex
	err = fs.ScanInodes(ctx, func(_ int, in *ext.Inode) {
		mu.Lock()
		defer mu.Unlock()
		seen[uint32(in.Ino)/64] |= 1 << (uint32(in.Ino) % 64)
	}, func(Ino, uint32, error) {})
	if err != nil {
		return 0, err
	}
	for g, x := range fs.Groups() {
		if err := ctx.Err(); err != nil {
			return lost, err
		}
		if x.State != ext.GroupGood {
			continue
		}
		stored, computed, sumErr := fs.InodeBitmapSum(g)
		bitmap, err := fs.InodeBitmap(g)
		if err != nil || fs.Super.MetadataCsum() && (sumErr != nil || stored != computed) {
			continue
		}
		first := fs.FirstInode(g)
		for i := range min(fs.UsedInodes(g), uint32(len(bitmap))*8) {
			ino := first + Ino(i)
			if ino >= fs.FirstIno() && bitmap[i/8]>>(i%8)&1 != 0 && seen[uint32(ino)/64]>>(uint32(ino)%64)&1 == 0 {
				lost++
			}
		}
	}
	return lost, nil
}
