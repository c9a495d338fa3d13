package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// resizeInode judges the inode that keeps blocks for descriptors to come: its
// double indirect block leads to those blocks of group 0, and each of them, as
// an indirect block, to the same one in the groups with backups
// (reserve_backup_gdb, fs/ext4/resize.c).
func (a *auditor) resizeInode() {
	in, err := a.fs.Inode(layout.ResizeIno)
	if err != nil {
		return
	}
	bad := func(at int64, format string, args ...any) {
		a.add(Finding{Kind: BadInode, Ino: in.Ino, Offset: at, Detail: "resize inode: " + sprintf(format, args...)})
	}
	if a.fs.Super.Compat&layout.CompatResizeInode == 0 {
		if !allZero(in.Block[:]) {
			bad(in.Offset+0x28, "it maps blocks, without resize_inode")
		}
		return
	}
	const doubly = 13
	block := ext.Block(le.Uint32(in.Block[4*doubly:]))
	others := in.Block
	clear(others[4*doubly:][:4])
	if !allZero(others[:]) || !a.fs.InRange(block, 1) || in.Links == 0 || in.Mode&layout.ModeRegular == 0 {
		bad(in.Offset+0x28, "it is no file that maps its blocks through a double indirect one")
		return
	}
	a.reservedGDT(block, bad)
}

func (a *auditor) reservedGDT(block ext.Block, bad func(at int64, format string, args ...any)) {
	s := a.fs.Super
	bs := a.fs.BlockSize()
	double, indirect := make([]byte, bs), make([]byte, bs)
	if err := a.fs.ReadBlock(double, block); err != nil {
		a.addError(layout.ResizeIno, err)
		return
	}
	perBlock := bs / s.DescBytes()
	descs := (int(a.fs.GroupCount())-1)/perBlock + 1
	want := a.fs.GroupStart(0) + 1 + ext.Block(descs)
	if bs == 1024 && s.FirstDataBlock == 0 {
		want++ // the boot block
	}
	slot := descs
	backups := a.fs.BackupSupers(bs / 4)
	for range s.ReservedGDTBlocks / 4 { // as many as e2fsck looks at
		slot %= bs / 4
		if got := ext.Block(le.Uint32(double[4*slot:])); got != want {
			bad(a.fs.BlockOffset(block)+int64(4*slot), "it leads to block %d in place of %d", got, want)
			return
		}
		if a.fs.ReadBlock(indirect, want) != nil {
			return
		}
		for i, g := range backups {
			to := want + ext.Block(uint64(g)*uint64(s.BlocksPerGroup))
			if got := ext.Block(le.Uint32(indirect[4*i:])); got != to {
				bad(a.fs.BlockOffset(want)+int64(4*i), "block %d leads to block %d in place of %d, of group %d", want, got, to, g)
				return
			}
		}
		slot++
		want++
	}
}
