package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An eaRef is an attribute whose value is said to lie in an inode of its own.
type eaRef struct {
	ino    ext.Ino   // the inode that has the attribute, the first if several
	block  ext.Block // the block it lies in, 0 for the inode itself
	value  ext.Ino
	size   uint32
	name   uint32 // the hash of the name, and that for signed characters
	signed uint32
	hash   uint32
	offset int64 // of the entry, in bytes
}

const (
	attrEntry   = 16      // struct ext4_xattr_entry without its name
	maxAttrSize = 1 << 16 // XATTR_SIZE_MAX
)

// An attrArea is a place that holds extended attributes: entries from the front,
// values behind them, no two of them on one byte.
type attrArea struct {
	a     *auditor
	ino   ext.Ino
	block ext.Block // 0 for the body of an inode
	b     []byte
	off   int64 // where b lies, in bytes
	base  int   // where value offsets count from
	taken []uint64
	refs  *[]eaRef

	inline bool // the inode has inline data: e2fsck, other than the kernel, asks then where empty values lie
}

// take marks n bytes from at on, and reports whether they are there and free.
func (t *attrArea) take(at, n int) bool {
	if at < 0 || n <= 0 || at+n > len(t.b) {
		return false
	}
	for n > 0 {
		m, k := mask(uint64(at), uint64(n))
		if t.taken[at/64]&m != 0 {
			return false
		}
		t.taken[at/64] |= m
		at, n = at+int(k), n-int(k)
	}
	return true
}

func (t *attrArea) bad(at int, format string, args ...any) {
	f := Finding{Kind: BadXattr, Ino: t.ino, Offset: t.off + int64(at), Detail: "inode xattrs: " + sprintf(format, args...)}
	if t.block != 0 {
		f.HasBlock, f.Block = true, t.block
		f.Detail = sprintf("xattr block %d: ", t.block) + sprintf(format, args...)
	}
	t.a.add(f)
}

// check goes through the entries, from byte first on, until one that cannot be
// right.
func (t *attrArea) check(first int) {
	n := (len(t.b) + 63) / 64
	if cap(t.taken) < n {
		t.taken = make([]uint64, n)
	}
	t.taken = t.taken[:n]
	clear(t.taken)
	t.take(0, first)
	at := first
	for at+4 <= len(t.b) && le.Uint32(t.b[at:]) != 0 {
		length := attrEntry + (int(t.b[at])+3)&^3
		if !t.take(at, length) {
			t.bad(at, "the entry at byte %d of %d bytes runs into something else", at, length)
			return
		}
		if !t.entry(at) {
			return
		}
		at += length
	}
	if !t.take(at, 4) {
		t.bad(at, "the list of entries does not end, or ends on a value")
	}
}

// entry judges one entry, and reports whether the ones behind it can be.
func (t *attrArea) entry(at int) bool {
	e := t.b[at:]
	name := e[attrEntry:][:e[0]]
	index, offset, value := e[1], int(le.Uint16(e[2:])), ext.Ino(le.Uint32(e[4:]))
	size, hash := le.Uint32(e[8:]), le.Uint32(e[12:])
	if index == 0 && (t.block != 0 || len(name) == 0) {
		t.bad(at+1, "a name without a prefix")
		return false
	}
	if value != 0 {
		*t.refs = append(*t.refs, eaRef{t.ino, t.block, value, size, layout.XattrEntryHash(name, nil),
			layout.XattrEntryHashSigned(name, nil), hash, t.off + int64(at)})
		return true
	}
	padded := (int(min(size, maxAttrSize)) + 3) &^ 3
	from := t.base + offset
	switch {
	case size > maxAttrSize || from+int(size) > len(t.b) && (size > 0 || t.block != 0 || index == layout.XattrSystem || t.inline):
		t.bad(at+8, "the value of an attribute is said to be %d bytes long, from byte %d on", size, from)
		return false
	case size > 0 && !t.take(from, padded):
		t.bad(at+2, "the value at byte %d of %d bytes runs into something else", from, size)
		return false
	case size == 0:
		padded, from = 0, 0
	}
	if hash == 0 && t.block == 0 {
		return true // inodes keep none, but for some
	}
	v := t.b[from:][:padded]
	if want := layout.XattrEntryHash(name, v); hash != want && hash != layout.XattrEntryHashSigned(name, v) {
		t.bad(at+12, "the hash of an attribute is %#x, its name and value give %#x", hash, want)
		return t.block != 0
	}
	return true
}

// body judges the extended attributes in the inode itself, and inline data.
func (w *worker) body(in *ext.Inode) {
	f := w.a.fs
	if len(in.Raw) > layout.GoodOldInodeSize && in.ExtraIsize != 0 && in.ExtraIsize < 4 {
		w.badInode(BadInode, in, 0x80, "i_extra_isize is %d", in.ExtraIsize)
		return
	}
	b, at, err := f.XattrBody(in)
	if err != nil {
		w.a.addError(in.Ino, err)
		return
	}
	if len(b) > 4 && le.Uint32(b) == layout.XattrMagic {
		w.area = attrArea{a: w.a, ino: in.Ino, b: b, off: in.Offset + int64(at), base: 4, taken: w.area.taken, refs: &w.values, inline: in.HasInline()}
		w.area.check(4)
	}
	if in.HasInline() && f.Super.Incompat&layout.IncompatInlineData != 0 {
		w.inline(in)
	}
	if in.Flags&layout.FlagEncrypt != 0 && !f.HasPolicy(in) {
		w.badInode(BadXattr, in, 0x20, "encrypted, and without an encryption policy")
	}
}

// inline holds the size of inline data against the room for it.
func (w *worker) inline(in *ext.Inode) {
	size := in.Size()
	switch room, ok := w.a.fs.InlineSize(in); {
	case !ok:
		w.badInode(BadInode, in, 0x20, "inline data, and no attribute system.data")
	case in.IsDir() && size != room, size > room && !in.IsSymlink() && !in.IsRegular():
		w.a.add(Finding{Kind: BadSize, Ino: in.Ino, Offset: in.Offset + 4, Counts: true, Stored: size, Counted: room,
			Detail: sprintf("size is %d bytes, and there is inline data of %d", size, room)})
	default:
		// What a file has beyond reads as zeros, and mke2fs makes such of sparse ones.
		if err := w.a.fs.CheckSize(in); err != nil {
			w.a.addError(in.Ino, err)
		}
	}
}
