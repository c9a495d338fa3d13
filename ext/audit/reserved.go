package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// reserved judges an inode that belongs to the file system itself, in use or not.
func (w *worker) reserved(in *ext.Inode) {
	w.flags(in)
	s := w.a.fs.Super
	inUse := in.Links != 0 || in.BlocksLo != 0 || le.Uint32(in.Block[:]) != 0
	quota := s.ROCompat&layout.ROCompatQuota != 0 && (in.Ino == s.UserQuotaInum || in.Ino == s.GroupQuotaInum)
	switch {
	case in.Ino == s.JournalInum:
		w.ownFile(in, "journal")
		return
	case in.Ino == s.OrphanFileInum && s.Compat&layout.CompatOrphanFile != 0:
		w.ownFile(in, "orphan file")
		return
	case quota:
		w.ownFile(in, "quota file")
		return
	case in.Ino == layout.JournalIno || in.Ino == layout.UserQuotaIno || in.Ino == layout.GrpQuotaIno:
		if inUse {
			w.badInode(BadInode, in, 0x1a, "a reserved inode that nothing refers to is in use")
			if in.Links > 0 {
				w.blocks(in)
			}
		}
		return
	case in.Ino == layout.BootIno && in.IsDir(),
		in.Ino == layout.ResizeIno && in.Mode != 0 && !in.IsRegular(),
		in.Ino != layout.BootIno && in.Ino != layout.ResizeIno && in.Mode != 0:
		w.badInode(BadInode, in, 0x00, "i_mode of a reserved inode is %#o", in.Mode)
	}
	w.blocks(in)
}

// ownFile judges a file that the superblock names.
func (w *worker) ownFile(in *ext.Inode, what string) {
	if !in.IsRegular() {
		w.badInode(BadInode, in, 0x00, "i_mode of the %s is %#o, which is no regular file", what, in.Mode)
	}
	w.blocks(in)
}

// badBlocks accounts for the inode that lists the bad blocks of the medium. Its
// blocks may lie in metadata, which is then in a bad place.
func (a *auditor) badBlocks() {
	in, err := a.fs.Inode(layout.BadBlocksIno)
	if err != nil {
		return // told elsewhere: its group has no inode table
	}
	if in.Mode != 0 || in.UID&0xffff != 0 || in.GID&0xffff != 0 || in.Links != 0 || in.HasInline() || in.FileACL&(1<<32-1) != 0 || !in.ChecksumOK && !allZero(in.Raw) {
		a.add(Finding{Kind: BadInode, Ino: in.Ino, Offset: in.Offset, Detail: "the inode of bad blocks is not that: it has a mode, an owner, links or attributes"})
	}
	a.workers[0].flags(in)
	if in.HasInline() || in.Flags&layout.FlagExtents == 0 && allZero(in.Block[:]) {
		return
	}
	told := 0 // looks at where a block lies, which take a while
	m := mapWalk{a: a, budget: a.nodes}
	m.reset(in, false)
	m.block = func(b ext.Block, n uint64, logical int64) {
		switch {
		case logical < 0 && a.claims.isMeta(b):
			a.add(Finding{Kind: BadBlockPointer, Ino: in.Ino, HasBlock: true, Block: b, Offset: in.Offset + 0x28,
				Detail: sprintf("block %d of the list of bad blocks is one of the file system's metadata", b)})
		case a.claims.isMeta(b) && told < 100:
			if told++; !a.misplaced(b) {
				a.claims.quiet(b, n)
				a.retire(b, n)
				return
			}
			told = 100
			a.add(Finding{Kind: BadBlockPointer, Ino: in.Ino, HasBlock: true, Block: b, Offset: in.Offset + 0x28,
				Detail: sprintf("bad block %d holds metadata of the file system", b)})
		}
		a.claims.quiet(b, n)
	}
	m.walk()
}

// retire notes the inodes that lie in bad blocks: nobody may use them, and the bitmap says
// so (e2fsck/pass1.c, process_bad_block).
func (a *auditor) retire(b ext.Block, n uint64) {
	for r := range a.fs.Metadata() {
		if r.Kind != ext.MetaInodeTable || b >= r.Start+ext.Block(r.Len) || b+ext.Block(n) <= r.Start {
			continue
		}
		if a.unusable == nil {
			a.unusable = newBitSet(uint64(a.fs.InodesCount()) + 1)
		}
		for at := max(b, r.Start); at < min(b+ext.Block(n), r.Start+ext.Block(r.Len)); at++ {
			if first, count := a.fs.TableInodes(r.Group, uint64(at-r.Start)); uint64(first)+uint64(count) <= a.unusable.n {
				a.unusable.add(uint64(first), uint64(count), nil)
			}
		}
	}
}

// misplaced reports whether a block holds what the file system cannot do without:
// a superblock, descriptors or a bitmap. The rest can go elsewhere.
func (a *auditor) misplaced(b ext.Block) bool {
	for r := range a.fs.Metadata() {
		switch r.Kind {
		case ext.MetaSuper, ext.MetaDesc, ext.MetaBlockBitmap, ext.MetaInodeBitmap:
			if b >= r.Start && uint64(b-r.Start) < r.Len {
				return true
			}
		}
	}
	return false
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
