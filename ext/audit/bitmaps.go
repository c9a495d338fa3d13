package audit

import (
	"math/bits"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// bitmaps compares the bitmaps with what is in use, group by group, and the
// counts of what is free with the bitmaps. What the bitmaps say is what is handed
// out next, so that the counts are held against them.
func (a *auditor) bitmaps() {
	if a.skip(BitmapMismatch) && a.skip(FreeCount) {
		return
	}
	b := newBitmapCheck(a)
	var free [2]uint64 // clusters, inodes
	judged := true
	for n, g := range a.fs.Groups() {
		clusters, ok := b.blocks(n)
		inodes, dirs, ok2 := b.inodes(n)
		if !ok || !ok2 {
			judged = false
			continue
		}
		free[0] += clusters
		free[1] += inodes
		if g.State == ext.GroupBackup {
			continue // its counts are those of a copy that nobody keeps
		}
		b.count(n, g, 0x0c, "block", uint64(g.FreeBlocks), clusters)
		b.count(n, g, 0x0e, "inode", uint64(g.FreeInodes), inodes)
		b.count(n, g, 0x10, "directory", uint64(g.UsedDirs), dirs)
	}
	s := a.fs.Super
	if !judged || a.pending || a.fs.SuperOffset != layout.SuperblockOffset {
		return // nobody keeps the totals of a backup, nor the kernel those of a mounted file system
	}
	b.total(0x0c, "block", s.FreeBlocks, free[0]*uint64(a.fs.ClusterBlocks()))
	b.total(0x10, "inode", uint64(s.FreeInodes), free[1])
}

// A bitmapCheck compares bitmaps with what is in use.
type bitmapCheck struct {
	a      *auditor
	stored []byte  // a bitmap block, and room for a word past it
	forced *bitSet // metadata of groups whose block bitmap was never written
	past   ext.Ino // from here on no inode is in use, reserved, or listed as an orphan
}

func newBitmapCheck(a *auditor) *bitmapCheck {
	b := &bitmapCheck{a: a, stored: make([]byte, a.fs.BlockSize()+8), past: max(a.tree.Limit(), a.fs.FirstIno())}
	for ino := range a.listed {
		b.past = max(b.past, ino+1)
	}
	for n, g := range a.fs.Groups() {
		if !a.believed(g, layout.GroupBlockUninit) {
			continue
		}
		if b.forced == nil {
			b.forced = newBitSet(a.claims.used.n)
		}
		for _, r := range a.fs.GroupMetadata(n) {
			first, count := a.claims.clusters(r.Start, r.Len)
			b.forced.add(first, count, nil)
		}
	}
	return b
}

// believed reports whether a group is flagged as uninitialised, which takes a
// checksum that holds.
func (a *auditor) believed(g *ext.Group, flag uint16) bool {
	return g.Flags&flag != 0 && g.State == ext.GroupGood &&
		a.fs.Super.ROCompat&(layout.ROCompatGDTCsum|layout.ROCompatMetadataCsum) != 0
}

// compare holds a bitmap of n bits against what word gives to be in use, 64 bits
// at a time. It gives how many bits are clear, and what differs: the first bits
// that are set for nothing and that are not set.
func compare(stored []byte, n uint64, word func(i uint64) uint64) (free uint64, idle, missing diff) {
	for i := uint64(0); i < n; i += 64 {
		m, _ := mask(0, min(64, n-i))
		s, u := le.Uint64(stored[i/8:])&m, word(i)&m
		free += uint64(bits.OnesCount64(m &^ s))
		if s != u {
			idle.note(i, s&^u)
			missing.note(i, u&^s)
		}
	}
	return free, idle, missing
}

// A diff is how many bits differ, and the first of them.
type diff struct{ first, n uint64 }

func (d *diff) note(i, w uint64) {
	if w == 0 {
		return
	}
	if d.n == 0 {
		d.first = i + uint64(bits.TrailingZeros64(w))
	}
	d.n += uint64(bits.OnesCount64(w))
}

// blocks compares the block bitmap of a group, and counts its free clusters.
func (b *bitmapCheck) blocks(n uint32) (free uint64, ok bool) {
	a := b.a
	g := a.fs.Group(n)
	stored := b.stored
	clear(stored)
	if g.State == ext.GroupBad || !a.fs.MetadataInRange(g.BlockBitmap, 1) {
		return 0, false
	}
	uninit := a.believed(g, layout.GroupBlockUninit)
	if !uninit {
		if err := a.fs.ReadBlock(stored[:a.fs.BlockSize()], g.BlockBitmap); err != nil {
			return 0, false // told by the checksum
		}
		_, bits := a.claims.clusters(a.fs.GroupStart(n), uint64(a.fs.GroupBlocks(n)))
		b.padding(n, "block", g.BlockBitmap, bits)
	}
	first, total := a.claims.clusters(a.fs.GroupStart(n), uint64(a.fs.GroupBlocks(n)))
	if total > uint64(a.fs.BlockSize())*8 || first >= a.claims.used.n {
		return 0, false
	}
	total = min(total, a.claims.used.n-first)
	var unmarked diff
	if b.forced != nil {
		for i := uint64(0); i < total; i += 64 {
			m, _ := mask(0, min(64, total-i))
			word, forced := le.Uint64(stored[i/8:]), b.forced.word(first+i)
			if !uninit {
				unmarked.note(i, forced&^word&m)
			}
			le.PutUint64(stored[i/8:], word|forced)
		}
	}
	free, idle, missing := compare(stored, total, func(i uint64) uint64 { return a.claims.used.word(first + i) })
	at := func(d diff) ext.Block {
		return ext.Block(a.claims.first + (first+d.first)*a.claims.ratio)
	}
	tell := func(d diff, what string) {
		if d.n > 0 {
			a.add(Finding{Kind: BitmapMismatch, HasGroup: true, Group: n, What: "block", HasBlock: true, Block: at(d),
				Offset: a.fs.BlockOffset(g.BlockBitmap) + int64(d.first/8),
				Detail: sprintf("group %d: %d %s, the first is block %d", n, d.n, what, at(d))})
		}
	}
	tell(idle, "blocks or clusters are marked in the block bitmap and nothing uses them")
	tell(missing, "blocks or clusters are in use and not marked in the block bitmap")
	// e2fsck takes these to be marked, the kernel to be free.
	tell(unmarked, "blocks or clusters are metadata of groups whose bitmap was never written, and not marked in this one")
	if uninit && missing.n > 0 {
		a.add(Finding{Kind: BadSuperblock, HasGroup: true, Group: n, Offset: g.Offset + 0x12,
			Detail: sprintf("group %d: its block bitmap is flagged as never written, and blocks of it are in use", n)})
	}
	return free, true
}

// inodes compares the inode bitmap of a group, and counts its free inodes and the
// directories among the others.
func (b *bitmapCheck) inodes(n uint32) (free, dirs uint64, ok bool) {
	a := b.a
	g := a.fs.Group(n)
	stored := b.stored
	clear(stored)
	if g.State == ext.GroupBad || !a.fs.MetadataInRange(g.InodeBitmap, 1) {
		return 0, 0, false
	}
	if !a.believed(g, layout.GroupInodeUninit) {
		if err := a.fs.ReadBlock(stored[:a.fs.BlockSize()], g.InodeBitmap); err != nil {
			return 0, 0, false
		}
		b.padding(n, "inode", g.InodeBitmap, uint64(a.fs.Super.InodesPerGroup))
	}
	first := uint64(a.fs.FirstInode(n))
	if first > uint64(a.fs.InodesCount()) {
		return 0, 0, true
	}
	total := min(uint64(a.fs.Super.InodesPerGroup), uint64(a.fs.InodesCount())-first+1)
	free, idle, missing := compare(stored, total, func(i uint64) uint64 {
		used, dir := b.usedInodes(ext.Ino(first+i), total-i)
		dirs += uint64(bits.OnesCount64(dir & le.Uint64(stored[i/8:])))
		return used
	})
	tell := func(d diff, what string) {
		if d.n > 0 {
			a.add(Finding{Kind: BitmapMismatch, HasGroup: true, Group: n, What: "inode",
				Offset: a.fs.BlockOffset(g.InodeBitmap) + int64(d.first/8),
				Detail: sprintf("group %d: %d %s, the first is inode %d", n, d.n, what, first+d.first)})
		}
	}
	tell(idle, "inodes are marked in the inode bitmap and are not in use")
	tell(missing, "inodes are in use and not marked in the inode bitmap")
	return free, dirs, true
}

// padding tells where bits behind the last of a group, of n, are clear in the bitmap at hand.
// They stand for nothing, and ext4_mark_bitmap_end (fs/ext4/ialloc.c) sets them all.
func (b *bitmapCheck) padding(group uint32, what string, bitmap ext.Block, n uint64) {
	end := uint64(b.a.fs.BlockSize()) * 8
	var unset diff
	for i := n &^ 63; i < end; i += 64 {
		m, _ := mask(max(n, i)-i, 64)
		unset.note(i, m&^le.Uint64(b.stored[i/8:]))
	}
	if unset.n > 0 {
		b.a.add(Finding{Kind: BitmapMismatch, HasGroup: true, Group: group, What: what,
			Offset: b.a.fs.BlockOffset(bitmap) + int64(unset.first/8),
			Detail: sprintf("group %d: %d bits of the %s bitmap behind the last %s are clear, and padding is set", group, unset.n, what, what)})
	}
}

// usedInodes gives 64 inodes from first on as bits: those in use, and the
// directories among them.
func (b *bitmapCheck) usedInodes(first ext.Ino, n uint64) (used, dir uint64) {
	a := b.a
	if first >= b.past {
		if a.unusable != nil {
			used = a.unusable.word(uint64(first))
		}
		return used, 0 // of a large file system nearly all
	}
	n = min(n, 64)
	used, dir = a.tree.Used(first, n)
	if first >= a.fs.FirstIno() && len(a.listed) == 0 && a.unusable == nil {
		return used, dir
	}
	for i := range n {
		ino := first + ext.Ino(i)
		if ino < a.fs.FirstIno() && ino != layout.RootIno || a.listed[ino] || a.unusable != nil && a.unusable.has(uint64(ino)) {
			used |= 1 << i
		}
	}
	return used, dir
}

// count tells of a count of a group's descriptor.
func (b *bitmapCheck) count(n uint32, g *ext.Group, at int64, what string, stored, counted uint64) {
	if stored != counted {
		b.a.add(Finding{Kind: FreeCount, HasGroup: true, Group: n, What: what, Counts: true, Stored: stored, Counted: counted,
			Offset: g.Offset + at, Detail: sprintf("group %d: the count of %s is %d, and its bitmap gives %d", n, countNames[what], stored, counted)})
	}
}

// total tells of a count of the superblock.
func (b *bitmapCheck) total(at int64, what string, stored, counted uint64) {
	if stored != counted {
		b.a.add(Finding{Kind: FreeCount, What: what, Counts: true, Stored: stored, Counted: counted, Offset: b.a.fs.SuperOffset + at,
			Detail: sprintf("superblock: the count of %s is %d, and the bitmaps give %d", countNames[what], stored, counted)})
	}
}

var countNames = map[string]string{"block": "free blocks", "inode": "free inodes", "directory": "directories"}
