package undelete

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// A strayKind says what a block looks like that nothing leads to.
type strayKind uint8

const (
	strayExtents  strayKind = iota // a node of an extent tree
	strayDir                       // a block of a directory with names
	strayDxRoot                    // the root of a directory's index
	strayDxNode                    // an inner node of one
	strayPointers                  // an indirect block
	strayInode                     // an inode of a copy of an inode table
)

// A stray is such a block, or a piece of one.
type stray struct {
	block Block // where it lies; of a copy in the log the block that it is a copy of, 0 where that is not known
	log   uint32
	tx    int32  // of the copy; strayAtHome for the block itself, strayUncovered for a block of the log that no descriptor covers
	seed  uint32 // of the inode whose checksum the block has
	ino   Ino    // that an inode is, or that a directory names "."
	at    uint16 // of an inode, its place in the block in units of 128 bytes
	kind  strayKind
	depth uint8 // of a node; of an indirect block 1 where it must be an inner one
}

const (
	strayAtHome    = math.MaxInt32
	strayUncovered = -1
)

// maxStrays bounds what a scan keeps.
const maxStrays = 1 << 21

// scanLog visits the blocks of the log, as scanFree does free ones. Of a copy that a descriptor covers
// the block is known that it is a copy of, and the transaction.
func (f *finder) scanLog(ctx context.Context, visit func(worker int, s stray, buf []byte)) error {
	if f.log == nil {
		return nil
	}
	log, last := f.log.Journal.Log(), f.log.Archive.Last
	copies := make([]stray, min(last, log.Blocks()))
	for i, t := range f.log.Transactions() {
		if !f.log.TookEffect(i) {
			continue
		}
		for _, c := range t.Blocks {
			if int(c.Log) < len(copies) && c.Checksum != jbd2.Bad {
				copies[c.Log] = stray{block: c.FS, tx: int32(i), log: c.Log}
			}
		}
	}
	const per = 256
	bs := f.fs.BlockSize()
	return f.each(ctx, (len(copies)+per-1)/per, func(w int, buf *[]byte, chunk int) {
		if *buf == nil {
			*buf = make([]byte, bs)
		}
		for n := chunk * per; n < min((chunk+1)*per, len(copies)); n++ {
			if n <= int(log.Super()) || log.ReadBlock(*buf, uint32(n)) != nil {
				continue
			}
			if _, header := jbd2.DecodeHeader(*buf); header {
				continue
			}
			s := copies[n]
			if s.log == 0 {
				s = stray{tx: strayUncovered, log: uint32(n)}
			}
			visit(w, s, *buf)
		}
	})
}

// A strayScan recognises blocks.
type strayScan struct {
	f        *finder
	fs       uint32 // the file system's seed
	free     bitset
	pointers bool // look for indirect blocks
	found    [][]stray
	left     atomic.Int64
}

// scanStrays goes through the free blocks and the log, and gives what it recognised in
// an order that does not depend on the scan's.
func (f *finder) scanStrays(ctx context.Context, free bitset, pointers bool) ([]stray, error) {
	s := &strayScan{f: f, fs: f.fs.Seed(), free: free, pointers: pointers, found: make([][]stray, ext.Workers())}
	s.left.Store(maxStrays)
	err := f.scanFree(ctx, f.toScan(free), func(w int, b Block, buf []byte) { s.look(w, stray{block: b, tx: strayAtHome}, buf) })
	if err != nil {
		return nil, err
	}
	if err := f.scanLog(ctx, s.look); err != nil {
		return nil, err
	}
	out := slices.Concat(s.found...)
	slices.SortFunc(out, func(a, b stray) int {
		return cmp.Or(cmp.Compare(b.tx, a.tx), cmp.Compare(a.block, b.block), cmp.Compare(a.log, b.log), cmp.Compare(a.kind, b.kind), cmp.Compare(a.at, b.at))
	})
	return out, nil
}

func (s *strayScan) keep(w int, one stray) {
	if s.left.Add(-1) >= 0 {
		s.found[w] = append(s.found[w], one)
	}
}

// look recognises one block.
func (s *strayScan) look(w int, one stray, b []byte) {
	if one.tx == strayAtHome && allZero(b) {
		s.f.stray.zero.setShared(one.block)
		return
	}
	if s.f.o.Former != nil && one.tx == strayAtHome && !s.free.has(one.block) {
		return // some file's that was in use
	}
	switch head := le.Uint32(b); {
	case head&0xffff == 0xf30a:
		if node, seed, ok := s.extents(b); ok {
			one.kind, one.depth, one.seed = strayExtents, uint8(node.Depth), seed
			s.keep(w, one)
			return
		}
	case le.Uint16(b[4:]) == 12 && b[6] == 1 && b[8] == '.' || head == 0 && int(le.Uint16(b[4:])) == len(b):
		// An index comes before a leaf: a root can end in the tail of the leaf that
		// it was before.
		if kind, seed, ok := s.index(b); ok {
			one.kind, one.seed = kind, seed
			if kind == strayDxRoot {
				one.ino = Ino(head)
			}
			s.keep(w, one)
			return
		}
	}
	if seed, ok := s.dir(b); ok {
		one.kind, one.seed, one.ino = strayDir, seed, dotOf(b)
		s.keep(w, one)
		return
	}
	if s.f.csum && (one.tx == strayUncovered || one.tx == strayAtHome) {
		s.inodes(w, one, b)
	}
	if s.pointers && one.tx == strayAtHome {
		if ok, inner := s.indirect(one.block, b); ok {
			one.kind = strayPointers
			if inner {
				one.depth = 1
			}
			s.keep(w, one)
		}
	}
}

// extents recognises a node of an extent tree that has a block of its own.
func (s *strayScan) extents(b []byte) (n layout.ExtentNode, seed uint32, ok bool) {
	n, err := layout.DecodeExtentNode(b, 0)
	if err != nil || n.Depth > 4 || n.Entries == 0 {
		return n, 0, false
	}
	if s.f.csum {
		stored, plain, there := layout.ExtentChecksum(b, 0)
		if !there {
			return n, 0, false
		}
		seed = layout.SeedOf(stored, plain, (int(n.Max)+1)*12)
	}
	next := uint64(0)
	for i := range int(n.Entries) {
		at, size, start := uint64(0), uint64(1), Block(0)
		if n.Depth == 0 {
			e := n.Extent(i)
			at, size, start = uint64(e.FileBlock), uint64(e.Len), e.Start
		} else {
			x := n.Index(i)
			at, start = uint64(x.FileBlock), x.Child
		}
		if i > 0 && at < next || size == 0 || !s.f.fs.InRange(start, size) {
			return n, 0, false
		}
		next = at + size
	}
	return n, seed, true
}

// index recognises the root of a directory's index, and its inner nodes.
func (s *strayScan) index(b []byte) (kind strayKind, seed uint32, ok bool) {
	at := layout.DxNodeCountOffset
	kind = strayDxNode
	if le.Uint32(b) != 0 {
		kind, at = strayDxRoot, layout.DxRootCountOffset
		if root, err := layout.DecodeDxRoot(b, 0); err != nil || uint32(root.DotIno) > s.f.fs.InodesCount() {
			return 0, 0, false
		}
	} else if _, err := layout.DecodeDxNode(b, 0); err != nil {
		return 0, 0, false
	}
	limit, count := int(le.Uint16(b[at:])), int(le.Uint16(b[at+2:]))
	if limit != layout.DxLimit(len(b), at, s.f.csum, false) && limit != layout.DxLimit(len(b), at, s.f.csum, true) {
		return 0, 0, false
	}
	if s.f.csum {
		stored, plain, there := layout.DxChecksum(b, 0, at)
		if !there {
			return 0, 0, false
		}
		seed = layout.SeedOf(stored, plain, at+8*count+8)
	}
	return kind, seed, true
}

// dir recognises a block of a directory that holds names.
func (s *strayScan) dir(b []byte) (seed uint32, ok bool) {
	if first := int(le.Uint16(b[4:])); first < 8 && len(b) < 1<<16 || first%4 != 0 && len(b) < 1<<16 {
		return 0, false
	}
	if s.f.csum {
		stored, tail := layout.DirTail(b)
		if !tail {
			return 0, false
		}
		seed = layout.SeedOf(stored, layout.DirChecksum(b, 0), len(b)-12)
	}
	return seed, s.f.soundDir(b)
}

// soundDir reports whether a block is a chain of sound records with a name among them.
func (f *finder) soundDir(b []byte) bool {
	w := f.fs.DirRecords(b, 0, 0)
	var e layout.Dirent
	names := 0
	for w.Next(&e) {
		if e.Ino == 0 {
			continue
		}
		if len(e.Name) == 0 || uint32(e.Ino) > f.fs.InodesCount() || e.Type > layout.FTSymlink ||
			bytes.IndexByte(e.Name, 0) >= 0 || bytes.IndexByte(e.Name, '/') >= 0 {
			return false
		}
		names++
	}
	return w.Err() == nil && names > 0
}

// inodes recognises inodes by a checksum that solves to the number whose slot they are
// in.
func (s *strayScan) inodes(w int, one stray, b []byte) {
	size := s.f.fs.InodeSize()
	if size < 256 || len(b)%size != 0 {
		return // 16 bits of checksum say nothing
	}
	var solved [64]Ino
	found := 0
	for i := 0; i < len(b)/size && i < len(solved); i++ {
		solved[i] = 0
		raw := b[i*size:][:size]
		mode, extra := le.Uint16(raw), int(le.Uint16(raw[0x80:]))
		if mode == 0 || layout.FTOfMode(mode) == layout.FTUnknown || extra < 4 || extra > size-layout.GoodOldInodeSize || extra%4 != 0 {
			continue
		}
		plain, wide := layout.InodeChecksum(raw, 0)
		if !wide {
			continue
		}
		stored := uint32(le.Uint16(raw[0x7c:])) | uint32(le.Uint16(raw[0x82:]))<<16
		ino := layout.InoOf(s.fs, layout.SeedOf(stored, plain, size), le.Uint32(raw[0x64:]))
		off, ok := s.f.fs.InodeOffset(ino)
		if !ok || off%int64(len(b)) != int64(i*size) {
			continue
		}
		solved[i] = ino
		found++
	}
	// A chance hit stands alone: of a table, blocks mostly hold several, and those of
	// the log are copies of something.
	for i, ino := range solved {
		if ino == 0 || found == 1 && one.tx != strayUncovered && !s.f.knows(ino, le.Uint32(b[i*size+0x64:])) {
			continue
		}
		one.kind, one.at, one.ino = strayInode, uint16(i*size/128), ino
		s.keep(w, one)
	}
}

// knows reports whether an incarnation is known. It only reads, and so is safe while
// nothing adds to them.
func (f *finder) knows(ino Ino, gen uint32) bool { return f.lives.of(lifeKey{ino, gen}) != nil }
