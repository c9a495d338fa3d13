package former

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// Bounds of the work without a superblock: the file systems that are worked out, the
// blocks of descriptors that are tried, and the directories that are asked.
const (
	maxDerived = 4
	maxChains  = 64
	maxAsked   = 1 << 14
)

// A clan are links that can be of one file system: with one block size, and the same
// seed of checksums where they have any.
type clan struct {
	blockSize int
	wide      bool
	seed      uint32
	links     []link
}

// derived works out file systems of which no superblock is left.
func (f *finder) derived() {
	clans := f.clans()
	for _, c := range clans[:min(len(clans), maxDerived)] {
		v := &Volume{r: f.newReader(), seed: c.seed}
		v.say("superblock: no copy is left; block size %d by %s, each a block that the inode with its number leads to", c.blockSize, count(len(c.links), "directory", "directories"))
		if c.wide {
			v.say("checksums: the seed %#08x of the file system, by %s", c.seed, count(len(c.links), "inode of a directory", "inodes of directories"))
		}
		if !f.likeNow(v, &c) && !f.byNumbers(v, &c) {
			continue
		}
		if v.Votes = f.votes(v.FS); v.Votes > 0 {
			f.keep(v)
		}
	}
}

// clans groups the links that no volume found so far explains, the largest group first.
func (f *finder) clans() []clan {
	type key struct {
		blockSize int
		wide      bool
		seed      uint32
	}
	groups := map[key]*clan{}
	for i := range f.all {
		l := &f.all[i]
		if l.taken || l.copied || f.explained(l) {
			continue
		}
		k := key{l.blockSize, l.wide, l.fsSeed}
		if groups[k] == nil {
			groups[k] = &clan{blockSize: l.blockSize, wide: l.wide, seed: l.fsSeed}
		}
		groups[k].links = append(groups[k].links, *l)
	}
	var out []clan
	for _, c := range groups {
		if len(c.links) > 1 || c.wide && f.backed(c) {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b clan) int {
		return cmp.Or(cmp.Compare(len(b.links), len(a.links)), cmp.Compare(a.links[0].off, b.links[0].off), cmp.Compare(a.blockSize, b.blockSize))
	})
	return out
}

func (f *finder) explained(l *link) bool {
	for _, v := range f.found {
		off, ok := v.FS.InodeOffset(l.ino)
		if v.FS.BlockSize() == l.blockSize && (l.wide && v.FS.Super.MetadataCsum() && v.FS.Seed() == l.fsSeed || ok && off == l.off) {
			return true
		}
	}
	return false
}

// backed reports whether the inodes beside that of a single directory have checksums
// with the same seed.
func (f *finder) backed(c *clan) bool {
	const size = 256
	l := &c.links[0]
	at := l.off &^ (page - 1)
	var b [page]byte
	if n, _ := f.r.ReadAt(b[:], at); n < page {
		return false
	}
	for i := 0; i < page; i += size {
		raw := b[i:][:size]
		want := int64(l.ino) + (at+int64(i)-l.off)/size
		if at+int64(i) == l.off || le.Uint16(raw) == 0 || want < 1 {
			continue
		}
		if seed, ok := seedOf(raw); ok && layout.InoOf(c.seed, seed, le.Uint32(raw[0x64:])) == Ino(want) {
			return true
		}
	}
	return false
}

// likeNow tries the layout of the file system that is there now: made with the same
// options on the same disk it has everything in the same place.
func (f *finder) likeNow(v *Volume, c *clan) bool {
	if f.now == nil || f.now.fs.BlockSize() != c.blockSize {
		return false
	}
	fs := f.now.fs
	fits := 0
	for _, l := range c.links {
		if off, ok := fs.InodeOffset(l.ino); ok && off == l.off {
			fits++
		}
	}
	if fits*2 <= len(c.links) {
		return false
	}
	raw := bytes.Clone(fs.SuperBytes)
	clear(raw[0x68:0xd0])   // UUID, label, place
	clear(raw[0xe8:0xec])   // s_last_orphan
	clear(raw[0x2c:0x36])   // times
	clear(raw[0x108:0x150]) // s_mkfs_time, s_jnl_blocks
	raw[0xfd] = 0           // s_jnl_backup_type
	clear(raw[0x194:0x200]) // errors
	f.features(raw, c, fs.Super.DescBytes())
	if f.open(v, raw) != nil {
		return false
	}
	known := map[uint32]layout.GroupDesc{}
	for g, d := range fs.Groups() {
		if usable(fs, g) {
			known[g] = layout.GroupDesc{InodeTable: d.InodeTable}
		}
	}
	f.fill(v, known)
	v.say("layout: that of the file system that is there now, where %d of these inodes lie in their places", fits)
	return true
}

// features sets the features that follow from what was seen.
func (f *finder) features(raw []byte, c *clan, desc int) {
	incompat := layout.Incompat(le.Uint32(raw[0x60:]))
	ro := layout.ROCompat(le.Uint32(raw[0x64:]))
	incompat &^= layout.IncompatRecover | layout.IncompatCsumSeed
	ro &^= layout.ROCompatMetadataCsum | layout.ROCompatGDTCsum
	if c.wide {
		incompat |= layout.IncompatCsumSeed
		ro |= layout.ROCompatMetadataCsum
		raw[0x175] = 1 // s_checksum_type
		le.PutUint32(raw[0x270:], c.seed)
	}
	le.PutUint32(raw[0x60:], uint32(incompat))
	le.PutUint32(raw[0x64:], uint32(ro))
}

// byNumbers works out the layout from the numbers of inodes and where they lie.
func (f *finder) byNumbers(v *Volume, c *clan) bool {
	size := c.inodeSize()
	blocks := uint64(f.size) / uint64(c.blockSize)
	first := uint64(0)
	if c.blockSize == 1024 {
		first = 1
	}
	per := uint64(c.blockSize) * 8
	if blocks <= first {
		return false
	}
	groups := (blocks - first + per - 1) / per
	top := uint32(0)
	for _, l := range c.links {
		top = max(top, uint32(l.ino))
	}
	best, bestScore, flex := uint32(0), -1, false
	var known map[uint32]layout.GroupDesc
	try := func(inodes uint32, tables map[uint32]layout.GroupDesc) {
		if inodes == 0 || uint64(inodes) > per || uint64(inodes)*groups < uint64(top) || uint64(inodes)*groups >= 1<<32 {
			return
		}
		plain, flexed := c.fits(inodes, size, first, per, groups, tables)
		if plain > bestScore {
			best, bestScore, flex, known = inodes, plain, false, tables
		}
		if flexed > bestScore {
			best, bestScore, flex, known = inodes, flexed, true, tables
		}
	}
	ratios := func(tables map[uint32]layout.GroupDesc) {
		for _, ratio := range []uint64{16384, 4096, 8192, 32768, 65536, 1 << 20, 4 << 20, 1024, 2048} {
			try(defaultInodes(blocks*uint64(c.blockSize)/ratio, groups, size, c.blockSize), tables)
		}
	}
	for _, off := range f.t.descs[:min(len(f.t.descs), maxChains)] {
		if inodes, tables := f.descChain(off, c.blockSize, size, groups); inodes > 0 {
			try(inodes, tables)
			ratios(tables)
		}
	}
	ratios(nil)
	fromDescs := known != nil
	if bestScore <= 0 {
		return false
	}
	raw := make([]byte, layout.SuperblockSize)
	put := func(at int, n uint32) { le.PutUint32(raw[at:], n) }
	log := uint32(0)
	for 1024<<log < c.blockSize {
		log++
	}
	put(0x0, uint32(groups)*best)  // s_inodes_count
	put(0x4, uint32(blocks))       // s_blocks_count_lo
	put(0x150, uint32(blocks>>32)) // s_blocks_count_hi
	put(0x14, uint32(first))       // s_first_data_block
	put(0x18, log)                 // s_log_block_size
	put(0x1c, log)                 // s_log_cluster_size
	put(0x20, uint32(per))         // s_blocks_per_group
	put(0x24, uint32(per))         // s_clusters_per_group
	put(0x28, best)                // s_inodes_per_group
	le.PutUint16(raw[0x38:], layout.Magic)
	le.PutUint16(raw[0x3a:], layout.StateValid)
	put(0x4c, 1)                               // s_rev_level
	put(0x54, uint32(layout.GoodOldFirstIno))  // s_first_ino
	le.PutUint16(raw[0x58:], uint16(size))     // s_inode_size
	put(0x5c, uint32(layout.CompatHasJournal)) // s_feature_compat
	put(0xe0, uint32(layout.JournalIno))       // s_journal_inum
	le.PutUint16(raw[0xfe:], 64)               // s_desc_size
	incompat := layout.IncompatFiletype | layout.IncompatExtents | layout.Incompat64Bit | layout.IncompatInlineData
	if flex {
		incompat |= layout.IncompatFlexBG
		raw[0x174] = defaultFlex // s_log_groups_per_flex
	}
	put(0x60, uint32(incompat))
	put(0x64, uint32(layout.ROCompatSparseSuper|layout.ROCompatLargeFile|layout.ROCompatHugeFile))
	f.features(raw, c, 64)
	if f.open(v, raw) != nil {
		return false
	}
	how := "by the numbers that inodes of directories have and where they lie, at a ratio of inodes that mke2fs takes"
	if fromDescs {
		how = "by a block of group descriptors"
	}
	v.say("layout: %d inodes of %d bytes a group, %s; %d blocks as the volume has", best, size, how, blocks)
	if known == nil {
		known = map[uint32]layout.GroupDesc{}
	}
	missing := map[uint32]bool{}
	for g := range min(v.FS.GroupCount(), 1<<16) {
		if _, ok := known[g]; !ok {
			missing[g] = true
		}
	}
	f.byLinks(v, missing, known)
	f.fill(v, known)
	v.say("inode tables: %d of %d groups have one whose place is known", len(known), v.FS.GroupCount())
	return true
}

// defaultFlex is the base 2 logarithm of the groups that mke2fs packs together.
const defaultFlex = 4

// inodeSize gives the distance of inodes by those that lie near each other.
func (c *clan) inodeSize() int {
	list := slices.Clone(c.links)
	slices.SortFunc(list, func(a, b link) int { return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.off, b.off)) })
	votes := map[int64]int{}
	for i := 1; i < len(list); i++ {
		if n, d := int64(list[i].ino-list[i-1].ino), list[i].off-list[i-1].off; n > 0 && d > 0 && d%n == 0 {
			votes[d/n]++
		}
	}
	best := 256
	for _, size := range []int{128, 512, 1024} {
		if votes[int64(size)] > votes[int64(best)] {
			best = size
		}
	}
	return best
}

// defaultInodes is how many inodes mke2fs gives a group, where there are to be that
// many in all (ext2fs_initialize, lib/ext2fs/initialize.c).
func defaultInodes(total, groups uint64, size, blockSize int) uint32 {
	per := max((total+groups-1)/groups, 16)
	table := (per*uint64(size) + uint64(blockSize) - 1) / uint64(blockSize)
	return uint32(min(table*uint64(blockSize)/uint64(size)&^7, 1<<24))
}

// fits counts the links that agree about where tables lie, if a group has so many
// inodes: with each table in its group, and with those of 16 groups together.
func (c *clan) fits(inodes uint32, size int, first, per, groups uint64, tables map[uint32]layout.GroupDesc) (plain, flexed int) {
	bs := int64(c.blockSize)
	table := (int64(inodes)*int64(size) + bs - 1) / bs
	places, flexPlaces := map[uint32]map[int64]int{}, map[uint32]map[int64]int{}
	vote := func(m map[uint32]map[int64]int, g uint32, at int64) {
		if m[g] == nil {
			m[g] = map[int64]int{}
		}
		m[g][at]++
	}
	for _, l := range c.links[:min(len(c.links), maxAsked)] {
		g, index := (uint32(l.ino)-1)/inodes, (uint32(l.ino)-1)%inodes
		start := l.off - int64(index)*int64(size)
		if start <= 0 || start%bs != 0 || uint64(g) >= groups {
			continue
		}
		at := start / bs
		if d, ok := tables[g]; ok {
			if int64(d.InodeTable) == at {
				flexed++ // stated, whatever the layout
			}
			continue
		}
		if from := first + uint64(g)*per; uint64(at) >= from && uint64(at) < from+per {
			vote(places, g, at)
		}
		vote(flexPlaces, g>>defaultFlex, at-int64(g&(1<<defaultFlex-1))*table)
	}
	most := func(m map[uint32]map[int64]int) (n int) {
		for _, list := range m {
			best := 0
			for _, k := range list {
				best = max(best, k)
			}
			n += best
		}
		return n
	}
	plain, flexed = most(places), flexed+most(flexPlaces)
	if len(c.links) < 2 && plain > 0 {
		flexed = 0
	}
	return plain, flexed
}

// descChain reads descriptors from the block of the first groups on, and gives how many
// inodes a group has by the distance of the tables.
func (f *finder) descChain(off int64, blockSize, size int, groups uint64) (inodes uint32, tables map[uint32]layout.GroupDesc) {
	if off%int64(blockSize) != 0 {
		return 0, nil
	}
	if _, before := slices.BinarySearch(f.t.descs, off-int64(blockSize)); before {
		return 0, nil
	}
	b := make([]byte, blockSize)
	tables = map[uint32]layout.GroupDesc{}
	desc := 0
	for g := uint32(0); uint64(g) < groups && g < 1<<16; {
		if n, _ := f.r.ReadAt(b, off); n < blockSize {
			break
		}
		if desc == 0 {
			if desc = 64; !descsOf(b, 64) {
				desc = 32
			}
		}
		for at := 0; at+desc <= blockSize && uint64(g) < groups; at, g = at+desc, g+1 {
			d := layout.DecodeGroupDesc(b[at:][:desc])
			if d.BlockBitmap == 0 || d.InodeTable <= d.InodeBitmap || uint64(d.InodeTable) > uint64(f.size)/uint64(blockSize) {
				return tableInodes(tables, size, blockSize), tables
			}
			tables[g] = d
		}
		off += int64(blockSize)
	}
	return tableInodes(tables, size, blockSize), tables
}

// tableInodes takes the smallest distance of two tables for the length of one.
func tableInodes(tables map[uint32]layout.GroupDesc, size, blockSize int) uint32 {
	gap := Block(0)
	for g, d := range tables {
		if next, ok := tables[g+1]; ok && next.InodeTable > d.InodeTable && (gap == 0 || next.InodeTable-d.InodeTable < gap) {
			gap = next.InodeTable - d.InodeTable
		}
	}
	return uint32(min(uint64(gap)*uint64(blockSize)/uint64(size), 1<<24))
}
