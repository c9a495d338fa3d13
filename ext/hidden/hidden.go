// Package hidden lists the places of a file system that can hold bytes which no file
// shows: padding of the fixed structures, reserved blocks and inodes, slack, blocks that
// nobody owns. What the bytes mean, and what does not agree, it leaves to others.
package hidden

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A Kind says what a place is.
type Kind string

// The kinds, in the order in which places are listed.
const (
	BootArea      Kind = "boot-area"             // before the first superblock
	SuperPadding  Kind = "superblock-padding"    // reserved fields, and the block behind a superblock
	DescPadding   Kind = "descriptor-padding"    // reserved fields, and the block behind the last descriptor
	ReservedGDT   Kind = "reserved-gdt"          // blocks kept for growing, but for what the resize inode keeps there
	BitmapPadding Kind = "bitmap-padding"        // of bitmap blocks, behind the last bit; not zero means neither 0 nor 0xff
	ReservedInode Kind = "reserved-inode"        // an inode below the first for files, which has no use of its own
	BadBlocks     Kind = "bad-block-inode"       // blocks set aside as bad
	InodeTail     Kind = "inode-tail"            // of an inode behind i_extra_isize, but for attributes
	PastEOF       Kind = "past-eof"              // blocks of a file behind its size
	Slack         Kind = "slack"                 // the last block of a file behind its size
	Unowned       Kind = "unowned-blocks"        // allocated, and nobody's
	AfterEnd      Kind = "after-the-file-system" // behind its last block
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{BootArea, SuperPadding, DescPadding, ReservedGDT, BitmapPadding, ReservedInode, BadBlocks, InodeTail, PastEOF, Slack, Unowned, AfterEnd}
}

// A Place is a stretch of bytes that no file shows.
type Place struct {
	Kind    Kind
	Ino     ext.Ino // whose it is; 0 for nobody's
	Offset  int64   // in bytes from the start of the file system
	Len     int64   // in bytes
	NotZero int64   // how many of them are not zero
}

// Options says what is looked for; the zero value is all that is not zero.
type Options struct {
	Zeros    bool // also places that hold only zeros
	Progress func(done, total int)
}

// A Result is what was found.
type Result struct {
	Places     []Place // by kind, then by place
	Unreadable []error // at most errorLimit
	More       uint64  // of those
	// Checked and Bytes count all places that were looked at, zeros or not, by kind.
	Checked, Bytes, NotZero map[Kind]uint64
}

const (
	errorLimit = 1000
	placeLimit = 1 << 22 // kept; all are counted
)

// A finder gathers places from several goroutines.
type finder struct {
	fs *ext.FS
	o  Options

	mu     sync.Mutex
	result *Result
	used   []uint64       // a bit a cluster that something owns
	slack  []ext.DirBlock // last blocks to be read; Logical is where the slack in them begins
}

// Find lists the places of a file system. The error is ctx's.
func Find(ctx context.Context, f *ext.FS, o Options) (*Result, error) {
	s := &finder{fs: f, o: o, result: &Result{Checked: map[Kind]uint64{}, Bytes: map[Kind]uint64{}, NotZero: map[Kind]uint64{}}}
	for _, step := range []func(context.Context) error{s.fixed, s.bitmaps, s.inodes, s.lastBlocks, s.unowned, s.afterEnd} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	kinds := Kinds()
	slices.SortFunc(s.result.Places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Ino, b.Ino))
	})
	return s.result, nil
}

// found notes a place whose bytes are known.
func (s *finder) found(p Place) {
	if p.Len <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.result
	r.Checked[p.Kind]++
	r.Bytes[p.Kind] += uint64(p.Len)
	r.NotZero[p.Kind] += uint64(p.NotZero)
	if (p.NotZero > 0 || s.o.Zeros) && len(r.Places) < placeLimit {
		r.Places = append(r.Places, p)
	}
}

func (s *finder) fail(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.result.Unreadable) < errorLimit {
		s.result.Unreadable = append(s.result.Unreadable, err)
	} else {
		s.result.More++
	}
}

// read notes a place that has to be read first; what lies behind the end of the image
// is left out.
func (s *finder) read(ctx context.Context, p Place) error {
	p.Len = min(p.Len, s.fs.Size()-p.Offset)
	if p.Len <= 0 {
		return nil
	}
	buf := make([]byte, min(p.Len, 1<<20))
	for at := int64(0); at < p.Len; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), p.Len-at)]
		if n, err := s.fs.ReadAt(b, p.Offset+at); err != nil {
			s.fail(err)
			b = b[:n]
			p.NotZero += notZero(b)
			break
		}
		p.NotZero += notZero(b)
		at += int64(len(b))
	}
	s.found(p)
	return nil
}

// notZero counts bytes that are not zero.
func notZero(b []byte) int64 { return int64(len(b) - bytes.Count(b, []byte{0})) }

// fixed looks at the padding of superblocks and descriptors.
func (s *finder) fixed(ctx context.Context) error {
	f := s.fs
	bs := int64(f.BlockSize())
	if err := s.read(ctx, Place{Kind: BootArea, Len: layout.SuperblockOffset}); err != nil {
		return err
	}
	for m := range f.Metadata() {
		var err error
		at := f.BlockOffset(m.Start)
		switch m.Kind {
		case ext.MetaSuper:
			if m.Start == 0 && bs == layout.SuperblockOffset {
				continue // the boot block of a bigalloc file system
			}
			if m.Start == 0 {
				at += layout.SuperblockOffset
			}
			err = s.super(ctx, at, f.BlockOffset(m.Start)+bs)
		case ext.MetaDesc:
			err = s.descriptors(ctx, m)
		case ext.MetaReservedGDT:
			err = s.reservedGDT(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// superReserved is where s_reserved of the superblock lies.
const superReserved, superReservedEnd = 0x288, 0x3fc

// super looks at one superblock, and at what lies behind it in its block.
func (s *finder) super(ctx context.Context, at, end int64) error {
	if err := s.read(ctx, Place{Kind: SuperPadding, Offset: at + superReserved, Len: superReservedEnd - superReserved}); err != nil {
		return err
	}
	return s.read(ctx, Place{Kind: SuperPadding, Offset: at + layout.SuperblockSize, Len: end - at - layout.SuperblockSize})
}

// clusters gives the clusters that n blocks from b on lie in.
func (s *finder) clusters(b ext.Block, n uint64) (first, last uint64) {
	c := uint64(s.fs.ClusterBlocks())
	return uint64(b) / c, (uint64(b) + n - 1) / c
}

// own notes that blocks are somebody's.
func (s *finder) own(b ext.Block, n uint64) {
	if n == 0 || !s.fs.InRange(b, n) {
		return
	}
	first, last := s.clusters(b, n)
	for c := first; c <= last && c/64 < uint64(len(s.used)); c++ {
		if word := &s.used[c/64]; atomic.LoadUint64(word)>>(c%64)&1 == 0 {
			atomic.OrUint64(word, 1<<(c%64))
		}
	}
}

// newUsed makes the bitmap of clusters: as long as the image can hold them, whatever
// is claimed.
func (s *finder) newUsed() {
	blocks := min(s.fs.Super.BlocksCount, uint64(s.fs.Size())/uint64(s.fs.BlockSize())+1, math.MaxInt32*64)
	s.used = make([]uint64, blocks/uint64(s.fs.ClusterBlocks())/64+1)
}
