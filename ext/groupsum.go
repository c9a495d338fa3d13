package ext

import (
	"context"

	"github.com/extscope/extscope/ext/layout"
)

// EachGroup calls visit for every group whose descriptor is there, on all
// cores, until ctx ends.
func (f *FS) EachGroup(ctx context.Context, visit func(number uint32, g *Group)) error {
	return Parallel(ctx, len(f.groups.blocks), func(int) func(int) {
		return func(i int) {
			for j := range f.groups.blocks[i] {
				visit(uint32(i)*f.groups.perBlock+uint32(j), &f.groups.blocks[i][j])
			}
		}
	})
}

// BlockBitmapSum gives the stored checksum of a group's block bitmap and the
// one its contents give. They are equal where the bitmap is not in use.
func (f *FS) BlockBitmapSum(group uint32) (stored, computed uint32, err error) {
	g := f.Group(group)
	if f.uninit(g, layout.GroupBlockUninit) {
		return 0, 0, nil
	}
	return f.bitmapSum(g.BlockBitmap, "bg_block_bitmap", g.BlockBitmapCsum, f.blocksPerGroup/f.clusterBlocks)
}

// InodeBitmapSum does the same for the inode bitmap.
func (f *FS) InodeBitmapSum(group uint32) (stored, computed uint32, err error) {
	g := f.Group(group)
	if f.uninit(g, layout.GroupInodeUninit) {
		return 0, 0, nil
	}
	return f.bitmapSum(g.InodeBitmap, "bg_inode_bitmap", g.InodeBitmapCsum, f.inodesPerGroup)
}

func (f *FS) bitmapSum(block Block, field string, stored, bits uint32) (uint32, uint32, error) {
	b := make([]byte, f.blockSize)
	if err := f.readBitmap(b, block, field); err != nil {
		return 0, 0, err
	}
	sum := layout.BitmapChecksum(f.seed, b, bits)
	if f.descSize < 64 {
		return stored & 0xffff, sum & 0xffff, nil
	}
	return stored, sum, nil
}

// BackupDesc reads a group's descriptor from the backup in group copy, and tells
// where it lies, in bytes. ok is false where there is none.
func (f *FS) BackupDesc(group, copy uint32) (d layout.GroupDesc, off int64, ok bool) {
	i := group / f.groups.perBlock
	if f.hasIncompat(layout.IncompatMetaBG) && i >= f.Super.FirstMetaBG {
		return d, 0, false
	}
	b, ok := f.descLocation(i, copy)
	if !ok || !f.InRange(b, 1) {
		return d, 0, false
	}
	off = f.bytes(b) + int64(group%f.groups.perBlock)*int64(f.descSize)
	raw := make([]byte, f.descSize)
	if f.tables.read(f, raw, off) != nil {
		return d, 0, false
	}
	return layout.DecodeGroupDesc(raw), off, true
}
