package former

import (
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// maxDescBlocks bounds the blocks of descriptors that a copy is tried as, and maxTries
// how often that is done.
const (
	maxDescBlocks = 1 << 12
	maxTries      = 1 << 22
)

// descriptors looks for the descriptors that neither the primary copy nor a backup
// gives: in copies that lie anywhere, as in the log, and by the inodes that lie in the
// tables.
func (f *finder) descriptors(v *Volume) {
	missing := map[uint32]bool{}
	for g := range v.FS.GroupCount() {
		if !usable(v.FS, g) {
			if missing[g] = true; len(missing) > 1<<16 {
				break
			}
		}
	}
	if len(missing) == 0 {
		return
	}
	known := map[uint32]layout.GroupDesc{}
	f.copied(v.FS, missing, known)
	if n := len(known); n > 0 {
		v.say("group descriptors: %d of them by copies that lie elsewhere, whose checksums hold", n)
	}
	before := len(known)
	f.byLinks(v, missing, known)
	if n := len(known) - before; n > 0 {
		v.say("inode tables: the places of %d of them by directories whose inodes lie in them", n)
	}
	f.fill(v, known)
}

func usable(fs *ext.FS, g uint32) bool {
	x := fs.Group(g)
	return x != nil && x.State != ext.GroupBad && x.State != ext.GroupOverlap
}

// copied takes descriptors whose checksums name the group.
func (f *finder) copied(fs *ext.FS, missing map[uint32]bool, known map[uint32]layout.GroupDesc) {
	s := fs.Super
	size, bs := s.DescBytes(), fs.BlockSize()
	buf := make([]byte, bs)
	per := uint32(bs / size)
	check := func(raw []byte, g uint32) bool {
		sum, ok := s.GroupChecksum(raw, g, fs.Seed())
		return ok && sum == le.Uint16(raw[0x1e:])
	}
	blocks := min((fs.GroupCount()+per-1)/per, maxDescBlocks)
	tries := 0
	for _, off := range f.t.descs {
		if tries += int(blocks); tries > maxTries || f.ctx.Err() != nil {
			return
		}
		if off%int64(bs) != 0 {
			continue
		}
		if n, _ := f.r.ReadAt(buf, off); n < bs {
			continue
		}
		for i := range blocks {
			first := i * per
			if !check(buf[:size], first) {
				continue
			}
			for j := range min(per, fs.GroupCount()-first) {
				raw := buf[int(j)*size:][:size]
				if g := first + j; missing[g] && check(raw, g) {
					known[g] = layout.DecodeGroupDesc(raw)
				}
			}
			break
		}
	}
}

// byLinks takes the places of inode tables from directories that lie in them, and under
// flex_bg those of the tables that lie beside them.
func (f *finder) byLinks(v *Volume, missing map[uint32]bool, known map[uint32]layout.GroupDesc) {
	fs := v.FS
	s := fs.Super
	bs, table := int64(fs.BlockSize()), Block(fs.TableBlocks())
	flex := uint32(1)
	if s.Incompat&layout.IncompatFlexBG != 0 && s.LogGroupsPerFlex < 31 {
		flex = 1 << s.LogGroupsPerFlex
	}
	votes := map[uint32]map[Block]int{}
	for i := range f.all {
		l := &f.all[i]
		if l.taken || l.copied || l.blockSize != fs.BlockSize() || uint32(l.ino) > fs.InodesCount() || s.MetadataCsum() && l.wide && l.fsSeed != fs.Seed() {
			continue
		}
		g, index := fs.GroupOfInode(l.ino)
		start := l.off - int64(index)*int64(fs.InodeSize())
		if start <= 0 || start%bs != 0 || !fs.InRange(Block(start/bs), uint64(table)) {
			continue
		}
		for k := g / flex * flex; k < min(g/flex*flex+flex, fs.GroupCount()); k++ {
			at := Block(start/bs) + Block(int64(k)-int64(g))*table
			if _, have := known[k]; have || !missing[k] || !fs.InRange(at, uint64(table)) {
				continue
			}
			if votes[k] == nil {
				votes[k] = map[Block]int{}
			}
			votes[k][at]++
		}
	}
	for g, list := range votes {
		best, n := Block(0), 0
		for at, count := range list {
			if count > n || count == n && at < best {
				best, n = at, count
			}
		}
		known[g] = layout.GroupDesc{InodeTable: best}
		if f.inLog(fs, best, table) {
			if v.guessed == nil {
				v.guessed = map[uint32]bool{}
			}
			v.guessed[g] = true
		}
	}
}

// inLog reports whether what is taken for an inode table has blocks of a log among it, as
// copies of the table in the log have. No inode begins like one.
func (f *finder) inLog(fs *ext.FS, table, blocks Block) bool {
	i, _ := slices.BinarySearch(f.t.logs, fs.BlockOffset(table))
	return i < len(f.t.logs) && f.t.logs[i] < fs.BlockOffset(table+blocks) || len(f.t.logs) >= maxLogs
}

// fill puts descriptors in the place of those that are lost. Where no bitmap is known
// the table itself stands for it: nothing believes what has the wrong checksum.
func (f *finder) fill(v *Volume, known map[uint32]layout.GroupDesc) {
	if len(known) == 0 || v.FS.Super.Incompat&layout.IncompatMetaBG != 0 {
		return
	}
	s := v.FS.Super
	bs, size := v.FS.BlockSize(), s.DescBytes()
	per := uint32(bs / size)
	first := Block(layout.SuperblockOffset/bs) + 1
	blocks := map[uint32][]byte{}
	for g := range known {
		if blocks[g/per] != nil {
			continue
		}
		b := make([]byte, bs)
		blocks[g/per] = b
		for j := range per {
			one := g/per*per + j
			d, ok := known[one]
			if !ok {
				if !usable(v.FS, one) {
					continue
				}
				d = v.FS.Group(one).GroupDesc
			}
			if d.BlockBitmap == 0 {
				d.BlockBitmap, d.InodeBitmap = d.InodeTable, d.InodeTable
			}
			d.Flags, d.ItableUnused = 0, 0 // old, or not known
			raw := b[int(j)*size:][:size]
			encodeDesc(raw, &d)
			if sum, ok := s.GroupChecksum(raw, one, v.FS.Seed()); ok {
				le.PutUint16(raw[0x1e:], sum)
			}
		}
	}
	for i, b := range blocks {
		v.r.put(patch{v.FS.BlockOffset(first + Block(i)), b, false})
	}
	if fs, err := ext.Open(v.r, f.size, ext.Options{}); err == nil {
		v.FS = fs
	}
}

// encodeDesc is the reverse of layout.DecodeGroupDesc, but for counts and checksum.
func encodeDesc(b []byte, d *layout.GroupDesc) {
	for i, n := range []Block{d.BlockBitmap, d.InodeBitmap, d.InodeTable} {
		le.PutUint32(b[4*i:], uint32(n))
		if len(b) >= 64 {
			le.PutUint32(b[0x20+4*i:], uint32(n>>32))
		}
	}
	le.PutUint16(b[0x18:], uint16(d.BlockBitmapCsum))
	le.PutUint16(b[0x1a:], uint16(d.InodeBitmapCsum))
	if len(b) >= 64 {
		le.PutUint16(b[0x38:], uint16(d.BlockBitmapCsum>>16))
		le.PutUint16(b[0x3a:], uint16(d.InodeBitmapCsum>>16))
	}
}
