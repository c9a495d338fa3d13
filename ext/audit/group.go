package audit

import (
	"context"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// badGroup tells of a field of a group's descriptor, which lies at byte at of it.
func (a *auditor) badGroup(n uint32, g *ext.Group, at int64, format string, args ...any) {
	a.add(Finding{Kind: BadSuperblock, HasGroup: true, Group: n, Offset: g.Offset + at, Detail: sprintf("group %d: ", n) + sprintf(format, args...)})
}

// descriptors judges the descriptors, and accounts for the metadata that they
// and the superblock name.
func (a *auditor) descriptors() {
	s := a.fs.Super
	sums := s.ROCompat&(layout.ROCompatMetadataCsum|layout.ROCompatGDTCsum) != 0
	last := a.fs.GroupCount() - 1
	seen := uint32(0)
	for n, g := range a.fs.Groups() {
		seen++
		switch g.State {
		case ext.GroupBackup:
			a.badGroup(n, g, 0, "its descriptor is damaged, that of a backup is used")
			continue
		case ext.GroupGood, ext.GroupBadSum, ext.GroupBadBitmap, ext.GroupBad, ext.GroupOverlap:
		}
		a.places(n, g)
		if !sums && (g.Flags&(layout.GroupInodeUninit|layout.GroupBlockUninit) != 0 || g.ItableUnused != 0) {
			a.badGroup(n, g, 0x12, "flags %#x and %d unused inodes take checksums of descriptors, which the file system does not have", g.Flags, g.ItableUnused)
		}
		if n == last && g.Flags&layout.GroupBlockUninit != 0 {
			a.badGroup(n, g, 0x12, "the last group has its block bitmap flagged as never written")
		}
		if sums && (g.ItableUnused > g.FreeInodes || g.ItableUnused > s.InodesPerGroup) {
			a.badGroup(n, g, 0x1c, "%d inodes were never used, and %d are free of %d", g.ItableUnused, g.FreeInodes, s.InodesPerGroup)
		}
	}
	if seen < a.fs.GroupCount() {
		a.add(Finding{Kind: BadSuperblock, Detail: sprintf("descriptors of %d groups are missing or all zeros", a.fs.GroupCount()-seen)})
	}
	a.metadata()
}

// places judges where a descriptor says that the metadata of its group lies:
// within the group, or under flex_bg anywhere in the file system.
func (a *auditor) places(n uint32, g *ext.Group) {
	first, end := a.fs.GroupStart(0), ext.Block(a.fs.Super.BlocksCount)
	if a.fs.Super.Incompat&layout.IncompatFlexBG == 0 {
		first = a.fs.GroupStart(n)
		end = first + ext.Block(a.fs.GroupBlocks(n))
	}
	for _, p := range []struct {
		what string
		at   int64
		b    ext.Block
		n    ext.Block
	}{
		{"block bitmap", 0x00, g.BlockBitmap, 1},
		{"inode bitmap", 0x04, g.InodeBitmap, 1},
		{"inode table", 0x08, g.InodeTable, ext.Block(a.fs.TableBlocks())},
	} {
		if p.b < first || p.b > end || p.n > end-p.b || !a.fs.MetadataInRange(p.b, uint64(p.n)) {
			a.badGroup(n, g, p.at, "its %s is said to be in block %d, and blocks %d to %d are its own", p.what, p.b, first, end-1)
		}
	}
}

// metadata enters what the file system keeps for itself, and tells of parts that
// lie on each other.
func (a *auditor) metadata() {
	taken := newBitSet(a.claims.used.n * a.claims.ratio)
	base := a.claims.first
	own := func(b ext.Block, n uint64) {
		a.claims.own(b, n)
		taken.add(uint64(b)-min(uint64(b), base), n, nil)
	}
	for n := range a.fs.Groups() {
		for _, r := range a.fs.GroupMetadata(n) {
			switch r.Kind {
			case ext.MetaSuper, ext.MetaDesc, ext.MetaReservedGDT:
				if a.fs.InRange(r.Start, 1) {
					own(r.Start, min(r.Len, a.fs.Super.BlocksCount-uint64(r.Start)))
				}
			}
		}
	}
	for n, g := range a.fs.Groups() {
		for _, p := range []struct {
			what string
			at   int64
			b    ext.Block
			n    uint64
		}{
			{"inode table", 0x08, g.InodeTable, a.fs.TableBlocks()},
			{"block bitmap", 0x00, g.BlockBitmap, 1},
			{"inode bitmap", 0x04, g.InodeBitmap, 1},
		} {
			if !a.fs.MetadataInRange(p.b, p.n) {
				continue
			}
			if taken.any(uint64(p.b)-base, p.n) {
				a.badGroup(n, g, p.at, "its %s, in block %d and on, lies on other metadata", p.what, p.b)
			}
			own(p.b, p.n)
		}
	}
	if s := a.fs.Super; s.Incompat&layout.IncompatMMP != 0 && a.fs.InRange(s.MMPBlock, 1) {
		a.claims.quiet(s.MMPBlock, 1)
	}
}

// groups checks the checksums of descriptors and bitmaps.
func (a *auditor) groups(ctx context.Context) {
	if a.skip(BadChecksum) || a.fs.Super.ROCompat&(layout.ROCompatMetadataCsum|layout.ROCompatGDTCsum) == 0 {
		return
	}
	bitmaps := a.fs.Super.MetadataCsum()
	_ = a.fs.EachGroup(ctx, func(n uint32, g *ext.Group) {
		if g.State == ext.GroupBadSum {
			a.add(Finding{Kind: BadChecksum, HasGroup: true, Group: n, Offset: g.Offset + 0x1e,
				Detail: fmt.Sprintf("group %d: descriptor checksum is %#04x, which its contents do not give", n, g.Checksum)})
		}
		if !bitmaps || g.State == ext.GroupBad {
			return
		}
		a.bitmapSum(n, "block", g.BlockBitmap, a.fs.BlockBitmapSum)
		a.bitmapSum(n, "inode", g.InodeBitmap, a.fs.InodeBitmapSum)
	})
}

func (a *auditor) bitmapSum(group uint32, what string, block ext.Block, sums func(uint32) (stored, computed uint32, err error)) {
	if !a.fs.MetadataInRange(block, 1) {
		return // told of the descriptor
	}
	stored, computed, err := sums(group)
	switch {
	case err != nil:
		a.lost(fmt.Errorf("group %d: %s bitmap: %w", group, what, err))
	case stored != computed:
		a.add(Finding{Kind: BadChecksum, HasGroup: true, Group: group, HasBlock: true, Block: block, Offset: a.fs.BlockOffset(block),
			Detail: fmt.Sprintf("group %d: %s bitmap checksum is %#x, its contents give %#x", group, what, stored, computed)})
	}
}
