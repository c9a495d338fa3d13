package ext

import "github.com/extscope/extscope/ext/layout"

// InodeBitmap reads the inode bitmap of a group: a bit an inode, lowest first,
// set when it is allocated. Where the group is flagged uninitialised the bitmap
// on disk does not count, and all bits are clear.
func (f *FS) InodeBitmap(group uint32) ([]byte, error) {
	g := f.Group(group)
	if !g.usable() {
		return nil, &NoInodeError{f.FirstInode(group), f.inodesCount}
	}
	b := make([]byte, f.blockSize)
	if f.uninit(g, layout.GroupInodeUninit) {
		return b, nil
	}
	return b, f.readBitmap(b, g.InodeBitmap, "bg_inode_bitmap")
}

// readBitmap reads a block that a descriptor names.
func (f *FS) readBitmap(b []byte, at Block, field string) error {
	if !f.MetadataInRange(at, 1) {
		return corrupt("group descriptor", field, 0, uint64(at))
	}
	return f.ReadBlock(b, at)
}

// BlockBitmap reads the block bitmap of a group: a bit a cluster, lowest first,
// set when it is allocated. computed says that the group is flagged
// uninitialised, and the bitmap holds just the group's own metadata.
func (f *FS) BlockBitmap(group uint32) (bitmap []byte, computed bool, err error) {
	g := f.Group(group)
	if g == nil {
		return nil, false, corrupt("group descriptor", "bg_block_bitmap", 0, 0)
	}
	b := make([]byte, f.blockSize)
	if !f.uninit(g, layout.GroupBlockUninit) {
		return b, false, f.readBitmap(b, g.BlockBitmap, "bg_block_bitmap")
	}
	set := func(from Block, n uint64) {
		start := f.GroupStart(group)
		to := min(from+Block(n), start+Block(f.blocksPerGroup)) // n is a claim, too
		for blk := max(from, start); blk < to; blk++ {
			bit := uint32(blk-start) / f.clusterBlocks
			if int(bit/8) < len(b) {
				b[bit/8] |= 1 << (bit % 8)
			}
		}
	}
	for _, m := range f.GroupMetadata(group) {
		set(m.Start, m.Len)
	}
	return b, true, nil
}

// uninit reports whether a flag of the descriptor is set and may be believed.
func (f *FS) uninit(g *Group, flag uint16) bool {
	return g.Flags&flag != 0 && g.State == GroupGood &&
		f.hasROCompat(layout.ROCompatGDTCsum|layout.ROCompatMetadataCsum)
}

// InodeAllocated reports whether the inode bitmap says that an inode is in use.
func (f *FS) InodeAllocated(ino Ino) (bool, error) {
	if ino == 0 || uint32(ino) > f.inodesCount {
		return false, &NoInodeError{ino, f.inodesCount}
	}
	group, index := f.GroupOfInode(ino)
	g := f.Group(group)
	if !g.usable() {
		return false, &NoInodeError{ino, f.inodesCount}
	}
	if f.uninit(g, layout.GroupInodeUninit) {
		return false, nil
	}
	if !f.MetadataInRange(g.InodeBitmap, 1) {
		return false, corrupt("group descriptor", "bg_inode_bitmap", 0, uint64(g.InodeBitmap))
	}
	var b [1]byte
	if _, err := f.ReadMetadata(b[:], f.bytes(g.InodeBitmap)+int64(index/8)); err != nil {
		return false, err
	}
	return b[0]>>(index%8)&1 != 0, nil
}

// BlockAllocated reports whether the block bitmap says that a block is in use.
func (f *FS) BlockAllocated(b Block) (bool, error) {
	if !f.InRange(b, 1) {
		return false, corrupt("block number", "block", 0, uint64(b))
	}
	group := f.GroupOfBlock(b)
	bitmap, _, err := f.BlockBitmap(group)
	if err != nil {
		return false, err
	}
	bit := uint32(b-f.GroupStart(group)) / f.clusterBlocks
	if int(bit/8) >= len(bitmap) {
		return false, nil
	}
	return bitmap[bit/8]>>(bit%8)&1 != 0, nil
}

// A MetaKind names what a block of the file system's own metadata holds.
type MetaKind string

const (
	MetaSuper       MetaKind = "superblock"
	MetaDesc        MetaKind = "group descriptors"
	MetaReservedGDT MetaKind = "reserved group descriptors"
	MetaBlockBitmap MetaKind = "block bitmap"
	MetaInodeBitmap MetaKind = "inode bitmap"
	MetaInodeTable  MetaKind = "inode table"
	MetaMMP         MetaKind = "multiple mount protection"
)

// A MetaRun is a run of blocks that hold metadata of one kind.
type MetaRun struct {
	Start Block
	Len   uint64
	Kind  MetaKind
	Group uint32 // whose metadata it is
}

// GroupMetadata lists the metadata that belongs to a group: its copy of the
// superblock and descriptors, which lie in it, and its bitmaps and inode table,
// which under flex_bg may lie in another.
func (f *FS) GroupMetadata(group uint32) []MetaRun {
	var runs []MetaRun
	start := f.GroupStart(group)
	next := start
	if hasSuper(f.Super, group) {
		if group == 0 && f.blockSize == 1024 && start == 0 {
			// The boot block of a bigalloc file system; the superblock follows.
			runs = append(runs, MetaRun{0, 1, MetaSuper, 0})
			next = 1
		}
		runs = append(runs, MetaRun{next, 1, MetaSuper, group})
		next++
	}
	perBlock := f.groups.perBlock
	descBlocks := (f.groupCount-1)/perBlock + 1
	metaBG := f.hasIncompat(layout.IncompatMetaBG)
	switch {
	case metaBG && group/perBlock >= f.Super.FirstMetaBG:
		if r := group % perBlock; r == 0 || r == 1 || r == perBlock-1 {
			runs = append(runs, MetaRun{next, 1, MetaDesc, group})
		}
	case hasSuper(f.Super, group):
		n := descBlocks
		if metaBG {
			n = min(n, f.Super.FirstMetaBG)
		}
		runs = append(runs, MetaRun{next, uint64(n), MetaDesc, group})
		if r := uint64(f.Super.ReservedGDTBlocks); r > 0 && !metaBG {
			runs = append(runs, MetaRun{next + Block(n), r, MetaReservedGDT, group})
		}
	}
	if g := f.Group(group); g.usable() {
		for _, r := range []MetaRun{
			{g.BlockBitmap, 1, MetaBlockBitmap, group},
			{g.InodeBitmap, 1, MetaInodeBitmap, group},
			{g.InodeTable, f.tableBlocks(), MetaInodeTable, group},
		} {
			if f.MetadataInRange(r.Start, r.Len) {
				runs = append(runs, r)
			}
		}
	}
	if group == 0 && f.hasIncompat(layout.IncompatMMP) && f.InRange(f.Super.MMPBlock, 1) {
		runs = append(runs, MetaRun{f.Super.MMPBlock, 1, MetaMMP, 0})
	}
	return runs
}
