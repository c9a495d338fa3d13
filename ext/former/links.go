package former

import (
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// A link is an inode of a directory and the first block of that, which tells the number
// that the inode has.
type link struct {
	off       int64 // of the inode
	ino       Ino
	parent    Ino
	blockSize int
	fsSeed    uint32 // of the file system, by the checksum of the inode
	wide      bool   // fsSeed is known
	copied    bool   // it lies in a log, and so says nothing of where tables are
	taken     bool   // it is of the file system that is there now
}

// links joins inodes and blocks of directories, at each block size.
func (f *finder) links() {
	f.logs()
	blocks := f.t.blocks
	for _, in := range f.t.inodes {
		copied := f.log.Meets(in.off, 1)
		for bs := 1024; bs <= 1<<16; bs *= 2 {
			if uint64(in.first) > uint64(f.size)/uint64(bs) {
				break
			}
			off := int64(in.first) * int64(bs)
			i, ok := slices.BinarySearchFunc(blocks, off, func(d dirBlock, off int64) int { return cmp.Compare(d.off, off) })
			if !ok {
				continue
			}
			l := link{off: in.off, ino: blocks[i].ino, parent: blocks[i].parent, blockSize: bs, wide: in.wide, copied: copied}
			if in.wide {
				l.fsSeed = layout.FSSeedOf(in.seed, l.ino, in.gen)
			}
			f.all = append(f.all, l)
		}
	}
	if f.now == nil {
		return
	}
	fs := f.now.fs
	for i := range f.all {
		l := &f.all[i]
		if l.taken = l.wide && fs.Super.MetadataCsum() && l.fsSeed == fs.Seed() || f.now.hide.Meets(l.off, 1); l.taken {
			continue
		}
		off, ok := fs.InodeOffset(l.ino)
		if !ok || off != l.off || l.blockSize != fs.BlockSize() || fs.Super.MetadataCsum() && l.wide {
			continue
		}
		g, index := fs.GroupOfInode(l.ino)
		in, err := fs.Inode(l.ino)
		l.taken = err == nil && in.IsDir() && in.Links > 0 && in.ChecksumOK && index < fs.UsedInodes(g)
	}
}

// logs works out where journals lie, by their superblocks: mke2fs makes each in one piece,
// but for what it goes around.
func (f *finder) logs() {
	b := make([]byte, jbd2.SuperblockSize)
	for _, off := range f.t.journals {
		if n, _ := f.r.ReadAt(b, off); n < len(b) {
			continue
		}
		if s, err := jbd2.DecodeSuperblock(b, off); err == nil {
			f.log = append(f.log, Span{off, off + int64(s.MaxLen)*int64(s.BlockSize)})
		}
	}
	f.log = merge(f.log)
}
