package audit

import (
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A dirInfo is what a directory's blocks are judged by.
type dirInfo struct {
	dir     ext.Ino
	seed    uint32 // of checksums
	blocks  uint32 // one more than the last block mapped
	version layout.HashVersion
	indexed bool
}

// directory notes a directory in use, and looks at the root of its index for the
// version of the hash, which its other blocks are judged by.
func (w *worker) directory(in *ext.Inode) {
	f := w.a.fs
	d := dirInfo{dir: in.Ino, blocks: uint32(min(w.walk.last+1, 1<<32-1)), indexed: in.Flags&layout.FlagIndex != 0 && !in.HasInline()}
	if f.Super.MetadataCsum() {
		d.seed = f.InodeSeed(in)
	} else if !d.indexed {
		return
	}
	if d.indexed {
		var info [0x20]byte
		if w.walk.first == 0 || !f.InRange(w.walk.first, 1) {
			w.badInode(BadHtree, in, 0x28, "directory index: the block of its root is not mapped")
			d.indexed = false
		} else if _, err := f.ReadMetadata(info[:], f.BlockOffset(w.walk.first)); err != nil {
			d.indexed = false // told by the survey
		}
		d.version = layout.HashVersion(info[0x1c])
		if f.Super.Flags&layout.FlagUnsignedHash != 0 {
			d.version = d.version.Unsigned()
		}
	}
	w.dirs = append(w.dirs, d)
}

// gatherDirs puts together what the workers noted of the directories.
func (a *auditor) gatherDirs() {
	var parts [][]dirInfo
	for _, w := range a.workers {
		parts, w.dirs = append(parts, w.dirs), nil
	}
	a.dirs = ext.SortParts(parts, func(x, y dirInfo) int { return cmp.Compare(x.dir, y.dir) })
}

// dir gives what was noted of a directory, nil for nothing.
func (a *auditor) dir(dir ext.Ino) *dirInfo {
	i, ok := slices.BinarySearchFunc(a.dirs, dir, func(d dirInfo, dir ext.Ino) int { return cmp.Compare(d.dir, dir) })
	if !ok {
		return nil
	}
	return &a.dirs[i]
}
