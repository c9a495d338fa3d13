package ext

import (
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// A GroupState tells how far a group descriptor can be believed.
type GroupState uint8

const (
	GroupGood      GroupState = iota
	GroupBadSum               // its checksum does not match; its flags and counts are not believed
	GroupBackup               // taken from a backup copy, whose flags and counts are old
	GroupBadBitmap            // a bitmap is said to lie where none can; its inode table is read, its flags and counts are not believed
	GroupBad                  // its inode table is said to lie where none can, or it could not be read
	GroupOverlap              // its inode table overlaps that of another group
)

// A Group is one block group's descriptor and how far it can be believed.
type Group struct {
	layout.GroupDesc
	State  GroupState
	Offset int64 // where the descriptor lies, in bytes
}

// A groupTable holds the groups, a slice for each block of descriptors; nil
// where that block is all zeros or missing, so that a huge claimed number of
// groups costs little.
type groupTable struct {
	perBlock uint32
	blocks   [][]Group
}

// Group gives a group, nil where its descriptor is not there.
func (f *FS) Group(g uint32) *Group {
	i := g / f.groups.perBlock
	if g >= f.groupCount || int(i) >= len(f.groups.blocks) || f.groups.blocks[i] == nil {
		return nil
	}
	return &f.groups.blocks[i][g%f.groups.perBlock]
}

// descLocation is where block i of the group descriptors lies: the primary
// copy, or that of the backup in group copy (descriptor_loc, fs/ext4/super.c).
// Under meta_bg copies 1 and 2 are those in the second and the last group of
// the metagroup.
func (f *FS) descLocation(i, copy uint32) (Block, bool) {
	first := f.Super.FirstMetaBG
	if !f.hasIncompat(layout.IncompatMetaBG) || i < first {
		if copy == 0 {
			return f.superBlock + 1 + Block(i), true
		}
		return f.GroupStart(copy) + 1 + Block(i), hasSuper(f.Super, copy)
	}
	group := i * f.groups.perBlock
	switch copy {
	case 0:
	case 1:
		group++
	case 2:
		group += f.groups.perBlock - 1
	default:
		return 0, false
	}
	if group >= f.groupCount {
		return 0, false
	}
	b := f.GroupStart(group)
	if hasSuper(f.Super, group) {
		b++
	}
	if group == 0 && f.blockSize == 1024 && f.firstDataBlock == 0 {
		b++
	}
	return b, true
}

// maxEmptyDescs bounds how many bytes of descriptors that say nothing are read,
// in all: a damaged superblock can claim 2^32 groups of a sparse image.
const maxEmptyDescs = 64 << 20

// loadGroups reads the descriptors, then mends what is damaged from the
// backups.
func (f *FS) loadGroups() {
	f.groups.perBlock = uint32(f.blockSize / f.descSize)
	n := (uint64(f.groupCount) + uint64(f.groups.perBlock) - 1) / uint64(f.groups.perBlock)
	// A descriptor block takes a block: there are no more than fit.
	fit := uint64(f.size)>>f.blockBits + 1
	if n > fit {
		f.warn(AboutGroups, "group descriptors: %d blocks of them are claimed and %d fit into the image", n, fit)
		n = fit
	}
	buf := make([]byte, f.blockSize)
	var failed []uint32
	empty := 0 // bytes of descriptors that are zeros or not there
	for i := range uint32(n) {
		if empty > maxEmptyDescs {
			f.warn(AboutGroups, "group descriptors: those of groups %d and on are not read, too many before them are missing or all zeros",
				i*f.groups.perBlock)
			break
		}
		b, _ := f.descLocation(i, 0)
		var groups []Group
		if err := f.ReadBlock(buf, b); err == nil {
			groups = f.decodeGroups(buf, i, f.bytes(b))
		} else if len(failed) == 0 || failed[len(failed)-1]+1 != i {
			f.warn(AboutGroups, "group descriptors of groups %d and on: %v", i*f.groups.perBlock, err)
		}
		f.groups.blocks = append(f.groups.blocks, groups)
		if groups == nil {
			empty += f.blockSize
		}
		if groups == nil || slices.ContainsFunc(groups, func(g Group) bool { return g.State != GroupGood }) {
			failed = append(failed, i)
		}
	}
	for _, i := range failed[:min(len(failed), 1<<12)] {
		f.mendGroups(i, buf)
	}
	f.checkGroups()
}

// decodeGroups decodes the descriptor block in buf, nil when it is all zeros.
func (f *FS) decodeGroups(buf []byte, i uint32, off int64) []Group {
	if !slices.ContainsFunc(buf, func(c byte) bool { return c != 0 }) {
		return nil
	}
	first := i * f.groups.perBlock
	groups := make([]Group, min(f.groups.perBlock, f.groupCount-first))
	for j := range groups {
		raw := buf[j*f.descSize:][:f.descSize]
		groups[j] = f.decodeGroup(raw, first+uint32(j), off+int64(j*f.descSize))
	}
	return groups
}

func (f *FS) decodeGroup(raw []byte, number uint32, off int64) Group {
	g := Group{GroupDesc: layout.DecodeGroupDesc(raw), Offset: off}
	sum, ok := f.Super.GroupChecksum(raw, number, f.seed)
	switch {
	case !f.MetadataInRange(g.InodeTable, f.tableBlocks()):
		g.State = GroupBad
	case !f.MetadataInRange(g.BlockBitmap, 1) || !f.MetadataInRange(g.InodeBitmap, 1):
		g.State = GroupBadBitmap
	case ok && sum != g.Checksum:
		g.State = GroupBadSum
	}
	return g
}

// MetadataInRange is InRange of a group's bitmaps and inode table, which lie behind the
// superblock; a wiped descriptor has them in front of it.
func (f *FS) MetadataInRange(b Block, n uint64) bool { return b > f.superBlock && f.InRange(b, n) }

// mendGroups replaces the damaged descriptors of block i by good ones of a
// backup.
func (f *FS) mendGroups(i uint32, buf []byte) {
	var copies []uint32
	if f.hasIncompat(layout.IncompatMetaBG) && i >= f.Super.FirstMetaBG {
		copies = []uint32{1, 2}
	} else {
		copies = f.BackupSupers(8)
	}
	for _, copy := range copies {
		b, ok := f.descLocation(i, copy)
		if !ok || f.ReadBlock(buf, b) != nil {
			continue
		}
		backup := f.decodeGroups(buf, i, f.bytes(b))
		if backup == nil {
			continue
		}
		if f.groups.blocks[i] == nil {
			f.groups.blocks[i] = make([]Group, len(backup))
			for j := range backup {
				f.groups.blocks[i][j].State = GroupBad
			}
		}
		mended := 0
		for j := range backup {
			mine := &f.groups.blocks[i][j]
			if mine.State == GroupGood || mine.State == GroupBackup || backup[j].State != GroupGood {
				continue
			}
			if mine.State == GroupBadSum && mine.InodeTable == backup[j].InodeTable {
				continue // the places agree, and the rest of the primary is fresher
			}
			// Backups are not kept up to date: what they say is unused may
			// be in use by now.
			backup[j].Flags, backup[j].ItableUnused = 0, 0
			backup[j].State = GroupBackup
			*mine = backup[j]
			mended++
		}
		if mended > 0 {
			f.warn(AboutGroups, "group descriptors: %d of them, from group %d on, are damaged; those of the backup in block %d are used",
				mended, i*f.groups.perBlock, b)
		}
	}
}

// checkGroups names what stays damaged, and sets aside groups whose inode
// tables overlap, which would be read again and again.
func (f *FS) checkGroups() {
	type table struct {
		start Block
		group uint32
	}
	var tables []table
	var bad, bitmaps, missing, sums []uint32
	for i, block := range f.groups.blocks {
		first := uint32(i) * f.groups.perBlock
		if block == nil {
			missing = append(missing, first)
			continue
		}
		for j := range block {
			switch block[j].State {
			case GroupBad:
				bad = append(bad, first+uint32(j))
				continue
			case GroupBadBitmap:
				bitmaps = append(bitmaps, first+uint32(j))
			case GroupBadSum:
				sums = append(sums, first+uint32(j))
			}
			tables = append(tables, table{block[j].InodeTable, first + uint32(j)})
		}
	}
	slices.SortFunc(tables, func(a, b table) int {
		switch {
		case a.start != b.start:
			return int(min(max(int64(a.start)-int64(b.start), -1), 1))
		}
		return int(int64(a.group) - int64(b.group))
	})
	var overlap []uint32
	var end Block
	for _, t := range tables {
		if t.start < end {
			f.Group(t.group).State = GroupOverlap
			overlap = append(overlap, t.group)
			continue
		}
		end = t.start + Block(f.tableBlocks())
	}
	f.warnGroups("do not tell where the inode table lies, and no backup does", bad)
	f.warnGroups("name a bitmap that is not there, and no backup helps; their inode tables are read", bitmaps)
	f.warnGroups("have a wrong checksum; the places they name are used, their flags are not", sums)
	f.warnGroups("have an inode table that overlaps another group's; it is not read", overlap)
	if len(missing) > 0 {
		f.warn(AboutGroups, "group descriptors: %d blocks of them are missing or all zeros, the first for group %d on", len(missing), missing[0])
	}
}

func (f *FS) warnGroups(what string, groups []uint32) {
	if len(groups) > 0 {
		f.warn(AboutGroups, "group descriptors: %d of them (%s) %s", len(groups), numberList(groups, 8), what)
	}
}

// numberList spells the first numbers of a list.
func numberList(n []uint32, limit int) string {
	s := ""
	for i, v := range n {
		if i == limit {
			return s + ", …"
		}
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(v)
	}
	return s
}

// usable reports whether the group's inode table can be read.
func (g *Group) usable() bool {
	return g != nil && g.State != GroupBad && g.State != GroupOverlap
}

// UsedInodes is how many inodes from the start of the group's table may be in
// use: none where it is flagged uninitialised, and not the tail that was never
// used (bg_itable_unused). Flags count only where a checksum guards them, and
// holds.
func (f *FS) UsedInodes(group uint32) uint32 {
	g := f.Group(group)
	if !g.usable() {
		return 0
	}
	start := uint64(group) * uint64(f.inodesPerGroup)
	if start >= uint64(f.inodesCount) {
		return 0
	}
	n := uint32(min(uint64(f.inodesCount)-start, uint64(f.inodesPerGroup)))
	guarded := f.hasROCompat(layout.ROCompatGDTCsum | layout.ROCompatMetadataCsum)
	if !guarded || g.State != GroupGood {
		return n
	}
	if g.Flags&layout.GroupInodeUninit != 0 {
		return 0
	}
	if g.ItableUnused <= n {
		n -= g.ItableUnused
	}
	return n
}
