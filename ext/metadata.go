package ext

import (
	"iter"

	"github.com/extscope/extscope/ext/layout"
)

// Groups yields every group whose descriptor is there, in order. What a damaged
// superblock claims beyond the descriptors costs nothing.
func (f *FS) Groups() iter.Seq2[uint32, *Group] {
	return func(yield func(uint32, *Group) bool) {
		for i := range f.groups.blocks {
			first := uint32(i) * f.groups.perBlock
			for j := range f.groups.blocks[i] {
				if !yield(first+uint32(j), &f.groups.blocks[i][j]) {
					return
				}
			}
		}
	}
}

// Metadata yields the metadata of every group whose descriptor is there, group
// by group; under flex_bg that is not the order on disk.
func (f *FS) Metadata() iter.Seq[MetaRun] {
	return func(yield func(MetaRun) bool) {
		for g := range f.Groups() {
			for _, r := range f.GroupMetadata(g) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// UnwrittenTables yields those parts of inode tables, by group, that hold what was there
// before: what lies behind the inodes in use, where mke2fs or resize2fs left that to be
// zeroed by the kernel, and it was not yet (bg_flags, ext4_init_inode_table in
// fs/ext4/ialloc.c).
func (f *FS) UnwrittenTables() iter.Seq[MetaRun] {
	return func(yield func(MetaRun) bool) {
		if !f.hasROCompat(layout.ROCompatGDTCsum | layout.ROCompatMetadataCsum) {
			return // flags mean nothing
		}
		for n, g := range f.Groups() {
			if g.State != GroupGood || g.Flags&layout.GroupInodeZeroed != 0 {
				continue
			}
			written := (uint64(f.UsedInodes(n))*uint64(f.inodeSize) + uint64(f.blockSize) - 1) / uint64(f.blockSize)
			if table := f.tableBlocks(); written < table && !yield(MetaRun{g.InodeTable + Block(written), table - written, MetaInodeTable, n}) {
				return
			}
		}
	}
}

// TableInodes gives the inodes whose place in the inode table of a group begins
// in block i of that table; count is 0 where the table holds none there.
func (f *FS) TableInodes(group uint32, i uint64) (first Ino, count uint32) {
	from := (i*uint64(f.blockSize) + uint64(f.inodeSize) - 1) / uint64(f.inodeSize)
	to := min(((i+1)*uint64(f.blockSize)+uint64(f.inodeSize)-1)/uint64(f.inodeSize), uint64(f.inodesPerGroup))
	if from >= to {
		return 0, 0
	}
	return f.FirstInode(group) + Ino(from), uint32(to - from)
}

// InBootBlock reports whether block b lies before all groups: the boot block of
// a file system with blocks of 1 KiB.
func (f *FS) InBootBlock(b Block) bool { return b < f.firstDataBlock }

// SuperBackups yields the blocks that hold backup superblocks, with their
// groups, among the groups whose descriptors are there.
func (f *FS) SuperBackups() iter.Seq2[uint32, Block] {
	return func(yield func(uint32, Block) bool) {
		for g := range f.Groups() {
			if g > 0 && hasSuper(f.Super, g) && !yield(g, f.GroupStart(g)) {
				return
			}
		}
	}
}
