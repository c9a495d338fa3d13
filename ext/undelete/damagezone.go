package undelete

import (
	"context"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// damagedZones works out how far damage to metadata reaches into what lies beside it.
// Where it left zeros, as far as these go; where it left something else nothing tells,
// up to the next metadata whose checksum holds.
func (f *finder) damagedZones(ctx context.Context) error {
	if f.o.Former.Other {
		return nil // what is there now says what it uses
	}
	w := &f.former
	count := Block(f.scanned())
	w.wiped, w.doubt = make(bitset, len(w.zero)), make(bitset, len(w.zero))
	lost := make(bitset, len(w.zero))
	bs := int64(f.fs.BlockSize())
	buf := make([]byte, bs)
	var list []Block
	mark := func(b Block) {
		if b < count && !lost.has(b) {
			lost.set(b)
			list = append(list, b)
		}
	}
	for m := range f.fs.Metadata() {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range Block(m.Len) {
			b := m.Start + i
			if b >= count {
				break
			}
			switch {
			case f.o.Former.Lost != nil && f.o.Former.Lost(int64(b)*bs, bs):
				mark(b)
			case m.Kind == ext.MetaDesc && m.Group == 0 && f.lostDescs(i):
				mark(b)
			case m.Kind == ext.MetaBlockBitmap && !f.fates.trusted(m.Group):
				mark(b)
			case m.Kind == ext.MetaBlockBitmap:
				w.sound.set(b)
			case m.Kind == ext.MetaInodeTable && f.lostTable(b, m, buf):
				mark(b)
			}
		}
	}
	for _, b := range list {
		if !w.wiped.has(b) {
			f.spread(b, count, lost)
		}
	}
	w.torn = f.logTorn()
	return nil
}

// logTorn reports whether damage reaches into the log, beyond its superblock: the newest
// that is left of anything need not be the newest that there was.
func (f *finder) logTorn() bool {
	if f.log == nil {
		return false
	}
	log := f.log.Journal.Log()
	for _, r := range log.Runs() {
		from := Block(r.Start / int64(f.fs.BlockSize()))
		to := from + Block(r.Len)
		if r.First == log.Super() {
			from++
		}
		for _, damaged := range []bitset{f.former.wiped, f.former.doubt} {
			if damaged.next(from, to, true) < to {
				return true
			}
		}
	}
	return false
}

// staleDoubt gives the words that keep a candidate from being intact where it may be an
// older state than the last, "" for none. What was in use is as it was, by an inode that is
// in its own place.
func (f *finder) staleDoubt(c *Candidate) string {
	o := f.o.Former
	if o == nil || o.Other {
		return ""
	}
	off, placed := f.fs.InodeOffset(c.Ino)
	if group, _ := f.fs.GroupOfInode(c.Ino); placed && o.Guessed != nil && o.Guessed(group) {
		return "its inode lies among blocks of a log: it may be an older copy"
	}
	own := placed && (o.Lost == nil || !o.Lost(off, int64(f.fs.InodeSize())))
	if !f.former.torn || own && c.inUse && c.from.where == atHome {
		return ""
	}
	return "part of the log is gone: a later state of the file, or what took its blocks, may have been there"
}

// lostDescs reports whether block i of the primary group descriptors is damaged.
func (f *finder) lostDescs(i Block) bool {
	per := f.fs.BlockSize() / f.fs.Super.DescBytes()
	g := f.fs.Group(uint32(int(i) * per))
	return g == nil || g.State != ext.GroupGood
}

// lostTable reports whether a block of an inode table is zeros and names lead to inodes in
// it, or holds inodes whose checksums do not hold.
func (f *finder) lostTable(b Block, m ext.MetaRun, buf []byte) bool {
	size := f.fs.InodeSize()
	per := uint64(len(buf) / size)
	first, n := f.fs.TableInodes(m.Group, uint64(b-m.Start))
	for i := range min(uint64(n), per) {
		ino := first + Ino(i)
		if f.today.used(ino) {
			return false
		}
	}
	for i := range min(uint64(n), per) {
		for l := f.lives.first(first + Ino(i)); l != nil; l = f.lives.next(l) {
			if !l.live && !l.home && f.allocated(l.ino) {
				return true
			}
		}
	}
	return first == 1 && n > 0 && !f.today.used(layout.RootIno)
}

// spread marks what lies about a lost block.
func (f *finder) spread(b, count Block, lost bitset) {
	w := &f.former
	gone := func(b Block) bool { return lost.has(b) || w.zero.has(b) }
	from, to := b, b+1
	for from > 0 && gone(from-1) {
		from--
	}
	for to < count && gone(to) {
		to++
	}
	blank := false
	for i := from; i < to; i++ {
		w.wiped.set(i)
		blank = blank || w.zero.has(i)
	}
	if blank || f.blankAtHome(b) {
		return
	}
	// Not zeros: whatever overwrote it may go on.
	for i := from; i > 0 && !w.sound.has(i-1) && !w.doubt.has(i-1); i-- {
		w.doubt.set(i - 1)
	}
	for i := to; i < count && !w.sound.has(i) && !w.doubt.has(i); i++ {
		w.doubt.set(i)
	}
}

// blankAtHome reports whether a block that is read from elsewhere is zeros in its place.
func (f *finder) blankAtHome(b Block) bool {
	bs := int64(f.fs.BlockSize())
	return f.o.Former.Blank != nil && f.o.Former.Blank(int64(b)*bs, bs)
}
