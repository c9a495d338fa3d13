package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// blocks accounts for what an inode maps, and holds its size and its count of
// blocks against that.
func (w *worker) blocks(in *ext.Inode) {
	a := w.a
	m := &w.walk
	m.reset(in, false)
	inline := a.fs.Super.Incompat&layout.IncompatInlineData != 0
	if mapped(in, inline) {
		m.walk()
	}
	w.attributes(in)
	w.size(in)
	w.blockCount(in)
	if in.IsRegular() && in.Size() >= 1<<31 {
		w.large = true
	}
	if in.IsDir() && in.Flags&layout.FlagIndex != 0 && (in.SizeHigh != 0 || in.SizeLo >= 1<<31) {
		w.largeDir = true
	}
	if a.fs.Super.ROCompat&layout.ROCompatBigalloc != 0 && (in.IsRegular() || in.IsDir()) && in.BlocksLo > 0 &&
		in.Flags&(layout.FlagExtents|layout.FlagInlineData) == 0 && (in.Ino >= a.fs.FirstIno() || in.Ino == layout.RootIno) {
		w.badInode(BadInode, in, 0x20, "clusters take extents, and the file has a block map")
	}
}

// take is a mapWalk's block: it claims what the inode maps.
func (w *worker) take(b ext.Block, n uint64, logical int64) {
	m := &w.walk
	if m.in.Ino == layout.ResizeIno {
		// It owns its double indirect block, and that leads to reserved
		// descriptor blocks, which are metadata of their groups.
		if logical == -2 {
			w.a.claims.claim(b, 1, 0)
		}
		m.clusters += n
		return
	}
	prev := m.prev
	if logical < 0 {
		prev = 0
	}
	m.clusters += w.a.claims.claim(b, n, prev)
}

// attributes notes the block of extended attributes of an inode.
func (w *worker) attributes(in *ext.Inode) {
	block := in.FileACL
	if w.a.fs.Super.Compat&layout.CompatExtAttr == 0 || !w.a.fs.InRange(block, 1) {
		block = 0
	}
	if block == 0 && (len(w.values) == 0 || w.values[len(w.values)-1].ino != in.Ino) {
		return
	}
	stored, unit := w.a.storedBlocks(in)
	if stored%unit != 0 {
		stored = ^uint64(0)
	} else {
		stored /= unit
	}
	w.acls = append(w.acls, aclRef{block, in.Ino, w.walk.clusters, stored})
}

// size holds i_size against the last block that is mapped.
func (w *worker) size(in *ext.Inode) {
	a, m := w.a, &w.walk
	if in.IsSymlink() || in.HasInline() {
		return
	}
	bs, size := uint64(a.fs.BlockSize()), in.Size()
	if err := a.fs.CheckSize(in); err != nil {
		a.addError(in.Ino, err)
		return
	}
	end := uint64(m.last+1) * bs
	bad := func(why string) {
		a.add(Finding{Kind: BadSize, Ino: in.Ino, Offset: in.Offset + 0x04, Counts: true, Stored: size, Counted: end,
			Detail: sprintf("size is %d bytes, %s %d", size, why, end)})
	}
	switch {
	case in.IsDir() && m.clusters == 0:
		w.badInode(BadSize, in, 0x04, "a directory without a block, and a size of %d bytes", size)
		m.gap(0)
	case in.IsDir() && size%bs != 0:
		w.badInode(BadSize, in, 0x04, "the size of a directory is %d bytes, not whole blocks", size)
	case in.IsDir() && size > end:
		bad("and the blocks of the directory end at")
	case in.IsDir() && (end-size)/bs > uint64(a.fs.Super.PreallocDirBlocks):
		bad("and the blocks of the directory reach to")
	case !in.IsDir() && m.lastInit >= 0 && size < uint64(m.lastInit)*bs && in.Flags&layout.FlagVerity == 0:
		bad("and blocks are mapped up to")
	}
}

// blockCount holds i_blocks against the blocks that were counted. Where there are
// extended attributes outside of the inode, that waits until those are known.
func (w *worker) blockCount(in *ext.Inode) {
	if n := len(w.acls); n > 0 && w.acls[n-1].ino == in.Ino {
		return
	}
	w.a.compareBlocks(in, w.walk.clusters)
	w.chargeClusters(in, w.walk.clusters, 0)
}

// storedBlocks is i_blocks, and how much of it a cluster makes.
func (a *auditor) storedBlocks(in *ext.Inode) (stored, unit uint64) {
	stored, unit = uint64(in.BlocksLo), uint64(a.fs.BlockSize()/512)
	if a.fs.Super.ROCompat&layout.ROCompatHugeFile != 0 {
		stored |= uint64(in.BlocksHigh) << 32
		if in.Flags&layout.FlagHugeFile != 0 {
			unit = 1
		}
	}
	return stored, unit * uint64(a.fs.ClusterBlocks())
}

// compareBlocks tells of i_blocks, where an inode has so many clusters.
func (a *auditor) compareBlocks(in *ext.Inode, clusters uint64) {
	stored, unit := a.storedBlocks(in)
	if counted := clusters * unit; stored != counted && a.fs.Super.CreatorOS != osHurd {
		a.add(Finding{Kind: BadBlocksCount, Ino: in.Ino, Offset: in.Offset + 0x1c, Counts: true, Stored: stored, Counted: counted,
			Detail: sprintf("i_blocks is %d, and its blocks make %d", stored, counted)})
	}
}
