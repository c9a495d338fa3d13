// Package former finds the file system that a volume held before damage, or before
// another one was made over it, and gives a view of it that packages ext and undelete
// read like any other. It puts together what is left: copies of the superblock and of
// group descriptors, in the places for backups and in the log, and, where those are
// gone, what directories and their inodes tell of each other. It writes nothing, and
// says in words what each number was derived from.
package former

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// Ino and Block are layout's.
type (
	Ino   = layout.Ino
	Block = layout.Block
)

const (
	unit      = 1024    // every block begins at a multiple of it
	page      = 4096    // what is passed over at once where it is zeros
	scanChunk = 1 << 20 // what is read at once
)

// Bounds of what a scan keeps.
const (
	maxSupers = 1 << 12
	maxDescs  = 1 << 16
	maxDirs   = 1 << 20
	maxLogs   = 1 << 20
)

// Traces are what one pass over a volume recognised.
type Traces struct {
	Read int64 // bytes that could be read
	Size int64 // bytes of the volume

	supers   []superCopy
	descs    []int64    // where blocks of group descriptors begin
	journals []int64    // where superblocks of journals are
	logs     []int64    // where blocks of logs are that are no copies
	inodes   []dirInode // by place
	blocks   []dirBlock // by place
	err      error      // the first of what could not be read
}

// A superCopy is a copy of a superblock.
type superCopy struct {
	*layout.Superblock
	raw []byte
	off int64
}

// A dirInode is what looks like the inode of a directory.
type dirInode struct {
	off   int64
	first Block // of its blocks
	seed  uint32
	gen   uint32
	wide  bool // seed is what its checksum began with, if it has 256 bytes
}

// A dirBlock is what looks like the first block of a directory.
type dirBlock struct {
	off         int64
	ino, parent Ino
}

// Scan reads a volume of size bytes once, in order, on all cores. The error is ctx's.
func Scan(ctx context.Context, r io.ReaderAt, size int64, progress func(done, total int64)) (*Traces, error) {
	t := &Traces{Size: size}
	var next, done atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	chunks := (size + scanChunk - 1) / scanChunk
	for range min(int64(ext.Workers()), chunks) {
		wg.Go(func() {
			buf := make([]byte, scanChunk)
			var mine Traces
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= chunks {
					break
				}
				off := i * scanChunk
				want := int(min(scanChunk, size-off))
				n, err := r.ReadAt(buf[:want], off)
				mine.look(buf[:n], off)
				if n < want && mine.err == nil {
					mine.err = &ext.ReadError{Offset: off + int64(n), Len: want - n, Err: err}
				}
				mine.Read += int64(n)
				if d := done.Add(int64(want)); progress != nil {
					progress(d, size)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			t.join(&mine)
		})
	}
	wg.Wait()
	t.sort()
	return t, ctx.Err()
}

func (t *Traces) join(o *Traces) {
	t.Read += o.Read
	if t.err == nil {
		t.err = o.err
	}
	t.supers = append(t.supers, o.supers...)
	t.descs = append(t.descs, o.descs...)
	t.journals = append(t.journals, o.journals...)
	t.logs = append(t.logs, o.logs...)
	t.inodes = append(t.inodes, o.inodes...)
	t.blocks = append(t.blocks, o.blocks...)
}

// sort makes the order that of the volume, whichever worker saw what.
func (t *Traces) sort() {
	slices.SortFunc(t.supers, func(a, b superCopy) int { return cmp.Compare(a.off, b.off) })
	slices.Sort(t.descs)
	slices.Sort(t.journals)
	slices.Sort(t.logs)
	slices.SortFunc(t.inodes, func(a, b dirInode) int { return cmp.Compare(a.off, b.off) })
	slices.SortFunc(t.blocks, func(a, b dirBlock) int { return cmp.Compare(a.off, b.off) })
}

var zeros [page]byte

// look recognises what a piece of the volume holds that begins at byte off.
func (t *Traces) look(b []byte, off int64) {
	for len(b) >= unit {
		n := min(page, len(b)/unit*unit)
		if p := b[:n]; !bytes.Equal(p, zeros[:n]) {
			for at := 0; at < n; at += unit {
				t.unit(p[at:][:unit], off+int64(at))
			}
		}
		b, off = b[n:], off+int64(n)
	}
}

// unit looks at one KiB.
func (t *Traces) unit(b []byte, off int64) {
	if le.Uint16(b[0x38:]) == layout.Magic && len(t.supers) < maxSupers {
		if c, ok := readSuper(b, off); ok {
			t.supers = append(t.supers, c)
			return
		}
	}
	if _, header := jbd2.DecodeHeader(b); header && len(t.logs) < maxLogs {
		t.logs = append(t.logs, off)
	}
	switch {
	case b[4] == 12 && b[5] == 0 && b[6] == 1 && b[8] == '.' && b[18] == 2 && b[20] == '.' && b[21] == '.':
		if d := (dirBlock{off, Ino(le.Uint32(b)), Ino(le.Uint32(b[12:]))}); d.ino != 0 && d.parent != 0 && len(t.blocks) < maxDirs {
			t.blocks = append(t.blocks, d)
		}
		return
	case isJournal(b):
		if len(t.journals) < maxSupers {
			t.journals = append(t.journals, off)
		}
		return
	}
	if len(t.descs) < maxDescs && looksLikeDescs(b) {
		t.descs = append(t.descs, off)
	}
	for at := 0; at+layout.GoodOldInodeSize <= len(b); at += layout.GoodOldInodeSize {
		if b[at+1]&0xf0 == layout.ModeDir>>8 && len(t.inodes) < maxDirs {
			t.inode(b[at:], off+int64(at))
		}
	}
}

// readSuper decodes a copy of a superblock that can be right.
func readSuper(b []byte, off int64) (superCopy, bool) {
	raw := bytes.Clone(b[:layout.SuperblockSize])
	s, err := layout.DecodeSuperblock(raw, off)
	if err != nil || s.Check(off) != nil || s.MetadataCsum() && layout.SuperblockChecksum(raw) != s.Checksum {
		return superCopy{}, false
	}
	ok := s.FirstIno >= layout.GoodOldFirstIno && s.Groups()*uint64(s.InodesPerGroup) == uint64(s.InodesCount)
	return superCopy{s, raw, off}, ok
}

func isJournal(b []byte) bool {
	s, err := jbd2.DecodeSuperblock(b, 0)
	return err == nil && s.BlockSize >= 1024 && s.BlockSize <= 1<<16 && s.BlockSize&(s.BlockSize-1) == 0 && s.MaxLen > s.First && s.First > 0
}

// inode takes what looks like the inode of a directory that is in use.
func (t *Traces) inode(b []byte, off int64) {
	links, size, flags := le.Uint16(b[0x1a:]), le.Uint32(b[0x4:]), layout.InodeFlags(le.Uint32(b[0x20:]))
	switch {
	case links == 0 || le.Uint32(b[0x14:]) != 0, size == 0 || size%unit != 0 || size > 1<<30, flags&(layout.FlagInlineData|layout.FlagEAInode) != 0:
		return
	}
	d := dirInode{off: off}
	if flags&layout.FlagExtents != 0 {
		n, err := layout.DecodeExtentNode(b[0x28:][:60], 0)
		if err != nil || n.Depth != 0 || n.Entries == 0 || n.Max != 4 || n.Extent(0).FileBlock != 0 || n.Extent(0).Len == 0 {
			return
		}
		d.first = n.Extent(0).Start
	} else {
		d.first = Block(le.Uint32(b[0x28:]))
	}
	if d.first == 0 {
		return
	}
	const size256 = 256
	if off%size256 == 0 && len(b) >= size256 {
		if extra := int(le.Uint16(b[0x80:])); extra >= 4 && extra <= size256-layout.GoodOldInodeSize && extra%4 == 0 {
			d.seed, d.wide = seedOf(b[:size256])
			d.gen = le.Uint32(b[0x64:])
		}
	}
	t.inodes = append(t.inodes, d)
}

// seedOf gives what the checksum of a raw inode began with; ok is false where the inode
// has no room for all of the checksum, or none: then it is zero.
func seedOf(raw []byte) (seed uint32, ok bool) {
	plain, wide := layout.InodeChecksum(raw, 0)
	if !wide {
		return 0, false
	}
	stored := uint32(le.Uint16(raw[0x7c:])) | uint32(le.Uint16(raw[0x82:]))<<16
	return layout.SeedOf(stored, plain, len(raw)), stored != 0
}

// looksLikeDescs reports whether a block begins with two group descriptors or more, in
// the order that mke2fs puts bitmaps and tables in.
func looksLikeDescs(b []byte) bool {
	return descsOf(b, 64) || descsOf(b, 32)
}

func descsOf(b []byte, size int) bool {
	x, y := layout.DecodeGroupDesc(b[:size]), layout.DecodeGroupDesc(b[size:][:size])
	return x.BlockBitmap > 0 && x.BlockBitmap < 1<<40 && x.BlockBitmap < x.InodeBitmap && x.InodeBitmap < x.InodeTable && x.InodeTable-x.BlockBitmap < 1<<17 &&
		y.BlockBitmap > x.BlockBitmap && y.BlockBitmap < y.InodeBitmap && y.InodeBitmap < y.InodeTable && y.InodeTable-y.BlockBitmap < 1<<17 &&
		x.Flags < 8 && y.Flags < 8
}
