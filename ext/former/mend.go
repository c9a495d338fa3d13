package former

import (
	"context"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

// maxMended bounds the bytes of blocks that are taken from the log.
const maxMended = 64 << 20

// mend takes from the log what the volume has lost: blocks that are zeros now, and those
// of inode tables whose inodes have wrong checksums. After a clean end a block is what
// its newest copy is. The error is ctx's.
func (v *Volume) mend(ctx context.Context) error {
	view, err := replay.Open(v.r, v.Size, replay.Options{})
	if err != nil || view.Journal == nil {
		return ctx.Err()
	}
	a := view.Journal.Scan()
	fs := v.FS
	bs := fs.BlockSize()
	var tables Spans
	for m := range fs.Metadata() {
		if m.Kind == ext.MetaInodeTable {
			from := fs.BlockOffset(m.Start)
			tables = append(tables, Span{from, from + int64(m.Len)*int64(bs)})
		}
	}
	tables = merge(tables)
	home, copied := make([]byte, bs), make([]byte, bs)
	var list []patch
	blank, inodes := 0, 0
	super := Block(layout.SuperblockOffset / bs)
	for _, b := range a.Blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b == super || !fs.InRange(b, 1) || len(list)*bs >= maxMended || fs.ReadBlock(home, b) != nil {
			continue
		}
		off := fs.BlockOffset(b)
		table := tables.Meets(off, int64(bs))
		if empty := isZero(home); !empty && !(table && v.bad(home, off) > 0) {
			continue
		}
		c, ok := a.CopyAt(b, len(a.Transactions)-1)
		if !ok || view.Journal.ReadCopy(copied, c) != nil || isZero(copied) || table && v.bad(copied, off) > 0 {
			continue
		}
		if table {
			inodes++
		} else {
			blank++
		}
		list = append(list, patch{off, append([]byte(nil), copied...), false})
	}
	if len(list) == 0 {
		return nil
	}
	v.r.put(list...)
	v.say("lost blocks: %d of inode tables and %d others are read as the newest copies in the journal have them", inodes, blank)
	v.reopen()
	return nil
}

func isZero(b []byte) bool {
	for len(b) > page {
		if [page]byte(b[:page]) != zeros {
			return false
		}
		b = b[page:]
	}
	return string(b) == string(zeros[:len(b)])
}

// bad counts the inodes in a block of an inode table whose checksums do not hold.
func (v *Volume) bad(b []byte, off int64) (n int) {
	fs := v.FS
	if !fs.Super.MetadataCsum() {
		return 0
	}
	size := fs.InodeSize()
	first, ok := v.firstIn(off)
	if !ok {
		return 0
	}
	for i := 0; (i+1)*size <= len(b); i++ {
		raw := b[i*size:][:size]
		if le.Uint16(raw) != 0 && !fs.DecodeInode(raw, first+Ino(i), off+int64(i*size)).ChecksumOK {
			n++
		}
	}
	return n
}

// firstIn gives the first inode of a block of an inode table.
func (v *Volume) firstIn(off int64) (Ino, bool) {
	fs := v.FS
	for g, x := range fs.Groups() {
		from := fs.BlockOffset(x.InodeTable)
		if off >= from && off < from+int64(fs.TableBlocks())*int64(fs.BlockSize()) {
			return fs.FirstInode(g) + Ino((off-from)/int64(fs.InodeSize())), true
		}
	}
	return 0, false
}
