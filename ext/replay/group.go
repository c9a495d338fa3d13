package replay

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A group is one that changes: its descriptor as on disk, and its bitmaps once
// they were asked for.
type group struct {
	number      uint32
	off         int64
	desc        []byte
	blocks      []byte
	inodes      []byte
	blocksDirty bool
	inodesDirty bool
}

// half stores a value whose high 16 bits lie elsewhere, in a long descriptor.
func (g *group) half(lo, hi int, v uint32) {
	le.PutUint16(g.desc[lo:], uint16(v))
	if len(g.desc) >= 64 {
		le.PutUint16(g.desc[hi:], uint16(v>>16))
	}
}

func (g *group) value(lo, hi int) uint32 {
	v := uint32(le.Uint16(g.desc[lo:]))
	if len(g.desc) >= 64 {
		v |= uint32(le.Uint16(g.desc[hi:])) << 16
	}
	return v
}

func (g *group) flags() uint16     { return le.Uint16(g.desc[0x12:]) } // bg_flags
func (g *group) setFlags(f uint16) { le.PutUint16(g.desc[0x12:], f) }

// add changes one of the group's counts, which stays within what can be stored.
func (g *group) add(lo, hi int, n int) {
	g.half(lo, hi, uint32(max(0, int64(g.value(lo, hi))+int64(n))))
}

// Where the counts of struct ext4_group_desc lie: low and high half.
const (
	freeBlocksLo, freeBlocksHi     = 0x0c, 0x2c // bg_free_blocks_count
	freeInodesLo, freeInodesHi     = 0x0e, 0x2e // bg_free_inodes_count
	usedDirsLo, usedDirsHi         = 0x10, 0x30 // bg_used_dirs_count
	itableUnusedLo, itableUnusedHi = 0x1c, 0x32 // bg_itable_unused
)

func (e *editor) group(number uint32) (*group, error) {
	if g, ok := e.groups[number]; ok {
		return g, nil
	}
	if len(e.groups) >= maxGroups {
		return nil, errTooBig
	}
	home := e.fs.Group(number)
	if home == nil || home.State == ext.GroupBad {
		return nil, fmt.Errorf("group %d: no usable descriptor", number)
	}
	g := &group{number: number, off: home.Offset, desc: make([]byte, e.fs.Super.DescBytes())}
	if _, err := e.overlay.ReadMetadata(g.desc, g.off); err != nil {
		return nil, err
	}
	e.groups[number] = g
	return g, nil
}

// hasGroupSums reports whether descriptors have checksums, so that flags count.
func (e *editor) hasGroupSums() bool {
	return e.fs.Super.ROCompat&(layout.ROCompatGDTCsum|layout.ROCompatMetadataCsum) != 0
}

// bits is how many clusters a group has.
func (e *editor) bits(number uint32) uint32 {
	cluster := e.fs.ClusterBlocks()
	return (e.fs.GroupBlocks(number) + cluster - 1) / cluster
}

// blockBitmap gives the block bitmap of a group, which comes into use by that.
func (e *editor) blockBitmap(number uint32) (*group, error) {
	g, err := e.group(number)
	if err != nil || g.blocks != nil {
		return g, err
	}
	b, computed, err := e.fs.BlockBitmap(number)
	if err != nil {
		return nil, err
	}
	g.blocks = b
	if computed {
		fill(b, e.bits(number))
		g.setFlags(g.flags() &^ layout.GroupBlockUninit)
		g.half(freeBlocksLo, freeBlocksHi, uint32(len(b)*8-ones(b)))
		g.blocksDirty = true
	}
	return g, nil
}

// inodeBitmap does the same for the inode bitmap.
func (e *editor) inodeBitmap(number uint32) (*group, error) {
	g, err := e.group(number)
	if err != nil || g.inodes != nil {
		return g, err
	}
	b, err := e.fs.InodeBitmap(number)
	if err != nil {
		return nil, err
	}
	if e.hasGroupSums() && g.flags()&layout.GroupInodeUninit != 0 {
		fill(b, e.fs.Super.InodesPerGroup)
	}
	g.inodes = b
	return g, nil
}

// fill sets the bits behind the last one that stands for something.
func fill(b []byte, n uint32) {
	for i := int(n); i < len(b)*8; i++ {
		b[i/8] |= 1 << (i % 8)
	}
}

func ones(b []byte) (n int) {
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return n
}

// setUsed sets or clears the bits of blocks: ext4_mb_mark_bb.
func (e *editor) setUsed(start ext.Block, n uint32, used bool) error {
	if !e.fs.InRange(start, uint64(n)) {
		return &layout.CorruptError{Struct: "extent", Field: "ee_start", Offset: -1, Value: uint64(start)}
	}
	cluster := e.fs.ClusterBlocks()
	for n > 0 {
		number := e.fs.GroupOfBlock(start)
		in := uint32(start - e.fs.GroupStart(number))
		here := min(n, e.fs.Super.BlocksPerGroup-min(in, e.fs.Super.BlocksPerGroup-1))
		g, err := e.blockBitmap(number)
		if err != nil {
			return err
		}
		if err := e.spend(int(here / 64)); err != nil {
			return err
		}
		first := in / cluster
		last := min(first+(here+cluster-1)/cluster, uint32(len(g.blocks)*8))
		changed := 0
		for i := first; i < last; i++ {
			if g.blocks[i/8]>>(i%8)&1 != 0 != used {
				g.blocks[i/8] ^= 1 << (i % 8)
				changed++
			}
		}
		if changed > 0 {
			g.blocksDirty = true
			if used {
				changed = -changed
			}
			g.add(freeBlocksLo, freeBlocksHi, changed)
		}
		start += ext.Block(here)
		n -= here
	}
	return nil
}

// useInode marks an inode as used: ext4_mark_inode_used, fs/ext4/ialloc.c.
func (e *editor) useInode(ino ext.Ino) error {
	if ino < e.fs.FirstIno() || uint32(ino) > e.fs.InodesCount() {
		return &ext.NoInodeError{Ino: ino, Count: e.fs.InodesCount()}
	}
	number, index := e.fs.GroupOfInode(ino)
	g, err := e.inodeBitmap(number)
	if err != nil {
		return err
	}
	if g.inodes[index/8]>>(index%8)&1 != 0 {
		return nil
	}
	g.inodes[index/8] |= 1 << (index % 8)
	g.inodesDirty = true
	if e.hasGroupSums() {
		if g.flags()&layout.GroupBlockUninit != 0 {
			if _, err := e.blockBitmap(number); err != nil {
				return err
			}
		}
		per := e.fs.Super.InodesPerGroup
		used := per - min(per, g.value(itableUnusedLo, itableUnusedHi))
		if g.flags()&layout.GroupInodeUninit != 0 {
			g.setFlags(g.flags() &^ layout.GroupInodeUninit)
			used = 0
		}
		if index >= used {
			g.half(itableUnusedLo, itableUnusedHi, per-index-1)
		}
	}
	g.add(freeInodesLo, freeInodesHi, -1)
	return nil
}

// releaseInode marks an inode as free: ext4_free_inode.
func (e *editor) releaseInode(in *inode) error {
	number, index := e.fs.GroupOfInode(in.ino)
	g, err := e.inodeBitmap(number)
	if err != nil || g.inodes[index/8]>>(index%8)&1 == 0 {
		return err
	}
	g.inodes[index/8] &^= 1 << (index % 8)
	g.inodesDirty = true
	g.add(freeInodesLo, freeInodesHi, 1)
	if in.isDir() {
		g.add(usedDirsLo, usedDirsHi, -1)
	}
	return nil
}

// writeGroups writes the bitmaps and descriptors that changed.
func (e *editor) writeGroups() error {
	csum := e.fs.Super.MetadataCsum()
	for _, number := range slices.Sorted(maps.Keys(e.groups)) {
		g := e.groups[number]
		home := e.fs.Group(number)
		if !g.blocksDirty && !g.inodesDirty {
			continue
		}
		if g.blocksDirty {
			if err := e.overlay.Patch(e.fs.BlockOffset(home.BlockBitmap), g.blocks); err != nil {
				return err
			}
			if csum {
				g.half(0x18, 0x38, layout.BitmapChecksum(e.fs.Seed(), g.blocks, e.fs.Super.BlocksPerGroup/e.fs.ClusterBlocks())) // bg_block_bitmap_csum
			}
		}
		if g.inodesDirty {
			if err := e.overlay.Patch(e.fs.BlockOffset(home.InodeBitmap), g.inodes); err != nil {
				return err
			}
			if csum {
				g.half(0x1a, 0x3a, layout.BitmapChecksum(e.fs.Seed(), g.inodes, e.fs.Super.InodesPerGroup)) // bg_inode_bitmap_csum
			}
		}
		if sum, ok := e.fs.Super.GroupChecksum(g.desc, number, e.fs.Seed()); ok {
			le.PutUint16(g.desc[0x1e:], sum) // bg_checksum
		}
		if err := e.overlay.Patch(g.off, g.desc); err != nil {
			return err
		}
	}
	return nil
}

// totals makes the free counts of the superblock the sums of the groups', as
// mounting does.
func (e *editor) totals() (changed bool, err error) {
	s := e.fs.Super
	var blocks, inodes uint64
	var seen uint32
	for number, home := range e.fs.Groups() {
		if home.State != ext.GroupGood {
			return false, nil
		}
		free, ino := home.FreeBlocks, home.FreeInodes
		if g, ok := e.groups[number]; ok {
			free, ino = g.value(freeBlocksLo, freeBlocksHi), g.value(freeInodesLo, freeInodesHi)
		}
		blocks += uint64(free)
		inodes += uint64(ino)
		seen++
	}
	blocks *= uint64(e.fs.ClusterBlocks())
	if seen != e.fs.GroupCount() || blocks == s.FreeBlocks && inodes == uint64(s.FreeInodes) ||
		blocks > s.BlocksCount || inodes > uint64(s.InodesCount) {
		return false, nil
	}
	b := slices.Clone(e.fs.SuperBytes[:layout.SuperblockSize])
	le.PutUint32(b[0x0c:], uint32(blocks)) // s_free_blocks_count_lo
	le.PutUint32(b[0x10:], uint32(inodes)) // s_free_inodes_count
	if s.Incompat&layout.Incompat64Bit != 0 {
		le.PutUint32(b[0x158:], uint32(blocks>>32)) // s_free_blocks_count_hi
	}
	if s.MetadataCsum() {
		le.PutUint32(b[0x3fc:], layout.SuperblockChecksum(b)) // s_checksum
	}
	return true, e.overlay.Patch(e.fs.SuperOffset, b)
}
