package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// super judges the superblock in use, and what opening had to say of it and of
// the descriptors.
func (a *auditor) super() {
	s := a.fs.Super
	if s.MetadataCsum() {
		if sum := layout.SuperblockChecksum(a.fs.SuperBytes); sum != s.Checksum {
			a.add(Finding{Kind: BadChecksum, Offset: a.fs.SuperOffset + 0x3fc,
				Detail: fmt.Sprintf("superblock checksum is %#08x, its contents give %#08x", s.Checksum, sum)})
		}
	}
	for _, w := range a.fs.Warnings() {
		if w.About == ext.AboutSuper || w.About == ext.AboutGroups {
			a.add(Finding{Kind: BadSuperblock, Detail: w.Text})
		}
		if w.About == ext.AboutSize {
			a.lost(errors.New(w.Text))
		}
	}
	if s.Incompat&layout.IncompatMMP != 0 {
		_, ok, err := a.fs.MMP()
		switch {
		case err != nil:
			a.addError(0, err)
		case !ok:
			a.add(Finding{Kind: BadChecksum, HasBlock: true, Block: s.MMPBlock, Offset: a.fs.BlockOffset(s.MMPBlock),
				Detail: "multiple mount protection block: its checksum does not match its contents"})
		}
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
		a.bitmap(n, "block", g.BlockBitmap, a.fs.BlockBitmapSum)
		a.bitmap(n, "inode", g.InodeBitmap, a.fs.InodeBitmapSum)
	})
}

func (a *auditor) bitmap(group uint32, what string, block ext.Block, sums func(uint32) (stored, computed uint32, err error)) {
	stored, computed, err := sums(group)
	switch {
	case err != nil:
		a.lost(fmt.Errorf("group %d: %s bitmap: %w", group, what, err))
	case stored != computed:
		a.add(Finding{Kind: BadChecksum, HasGroup: true, Group: group, HasBlock: true, Block: block, Offset: a.fs.BlockOffset(block),
			Detail: fmt.Sprintf("group %d: %s bitmap checksum is %#x, its contents give %#x", group, what, stored, computed)})
	}
}
