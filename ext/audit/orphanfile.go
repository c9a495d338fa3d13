package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// maxOrphanBlocks bounds how much of the orphan file is looked at: mke2fs makes it
// 512 blocks at most.
const maxOrphanBlocks = 1 << 16

// orphanFile judges the file that lists inodes about to be deleted: whole blocks,
// all of them mapped, with checksums that hold. What it lists is told elsewhere.
func (a *auditor) orphanFile() {
	s := a.fs.Super
	if s.Compat&layout.CompatOrphanFile == 0 {
		return
	}
	if s.Compat&layout.CompatHasJournal == 0 {
		a.badSuper(0x5c, "orphan_file is set without has_journal")
	}
	in, err := a.fs.Inode(s.OrphanFileInum)
	if err != nil || in.Links == 0 {
		a.badSuper(0x280, "s_orphan_file_inum is %d, which is not in use", s.OrphanFileInum)
		return
	}
	bs := uint64(a.fs.BlockSize())
	if in.Size()%bs != 0 {
		a.add(Finding{Kind: BadSize, Ino: in.Ino, Offset: in.Offset + 4, Detail: sprintf("the size of the orphan file is %d bytes, not whole blocks", in.Size())})
	}
	if s.ROCompat&layout.ROCompatOrphanPresent != 0 && !a.pending && !a.fileOrphans {
		a.badSuper(0x64, "orphan_present is set, and the orphan file lists nothing")
	}
	blocks, hole, b := uint64(0), false, make([]byte, bs)
	m := mapWalk{a: a, budget: a.nodes}
	m.block = func(at ext.Block, n uint64, logical int64) {
		if logical < 0 {
			return
		}
		hole = hole || uint64(logical) != blocks
		from := blocks
		blocks += n
		for i := range n {
			if from+i >= maxOrphanBlocks || !s.MetadataCsum() || a.fs.ReadBlock(b, at+ext.Block(i)) != nil {
				return
			}
			stored, computed, ok := layout.OrphanChecksum(b, a.fs.InodeSeed(in), at+ext.Block(i))
			if ok && stored != computed {
				a.addSum(in.Ino, at+ext.Block(i), a.fs.BlockOffset(at+ext.Block(i)), "block of the orphan file", stored, computed)
			}
		}
	}
	m.reset(in, true)
	m.walk()
	if blocks < in.Size()/bs || hole {
		a.add(Finding{Kind: BadSuperblock, Ino: in.Ino, Offset: in.Offset + 0x28,
			Detail: sprintf("of the orphan file %d blocks are mapped, where there should be %d without a hole", blocks, in.Size()/bs)})
	}
}
