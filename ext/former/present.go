package former

import (
	"context"
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A present is the file system that was made over the former one, and what it wrote.
type present struct {
	fs      *ext.FS
	used    Spans // all that it uses, and what mke2fs wipes; not of inode tables what nothing was written to
	hide    Spans // of it what it wrote for certain: not inode tables, but for its inodes
	mounted bool
}

// inspect works out what a file system uses. The error is ctx's.
func inspect(ctx context.Context, fs *ext.FS) (*present, error) {
	s := fs.Super
	p := &present{fs: fs, mounted: s.MountCount != 0 || !s.MountTime.IsZero()}
	bs := int64(fs.BlockSize())
	var tables, journal Spans
	for m := range fs.Metadata() {
		from := fs.BlockOffset(m.Start)
		span := Span{from, from + int64(m.Len)*bs}
		p.used = append(p.used, span)
		// mke2fs writes the primary of what is reserved for descriptors, not the backups.
		if m.Kind == ext.MetaInodeTable || m.Kind == ext.MetaReservedGDT && m.Group != 0 {
			tables = append(tables, span)
		} else {
			p.hide = append(p.hide, span)
		}
	}
	tables = merge(tables)
	if !p.mounted {
		journal = journalSpans(fs)
	}
	for g := range fs.GroupCount() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		bitmap, _, err := fs.BlockBitmap(g)
		start, n := fs.BlockOffset(fs.GroupStart(g)), int64(fs.GroupBlocks(g))
		if start >= fs.Size() {
			break
		}
		if err != nil {
			p.used = append(p.used, Span{start, start + n*bs}) // nothing tells that it is free
			continue
		}
		per := int64(fs.ClusterBlocks())
		for bit := int64(0); bit*per < n && int(bit/8) < len(bitmap); bit++ {
			if bitmap[bit/8]>>(bit%8)&1 == 0 {
				continue
			}
			from := start + bit*per*bs
			to := min(from+per*bs, start+n*bs)
			p.used = extend(p.used, Span{from, to})
			if !tables.Meets(from, to-from) && !journal.Meets(from, to-from) {
				p.hide = extend(p.hide, Span{from, to})
			}
		}
	}
	wiped := Spans{{0, 8 << 10}, tail(fs)}
	p.used, p.hide = append(p.used, wiped...), append(p.hide, wiped...)
	var mu sync.Mutex
	err := fs.ScanInodes(ctx, func(_ int, in *ext.Inode) {
		if in.Mode == 0 && in.Ino >= fs.FirstIno() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		p.hide = append(p.hide, Span{in.Offset, in.Offset + int64(fs.InodeSize())})
	}, func(Ino, uint32, error) {})
	var blank Spans
	for r := range fs.UnwrittenTables() {
		blank = append(blank, Span{fs.BlockOffset(r.Start), fs.BlockOffset(r.Start + Block(r.Len))})
	}
	p.used, p.hide = merge(p.used).without(merge(blank)), merge(p.hide)
	return p, err
}

// extend adds a range, to the last one where it touches it.
func extend(s Spans, x Span) Spans {
	if n := len(s); n > 0 && s[n-1].To == x.From {
		s[n-1].To = x.To
		return s
	}
	return append(s, x)
}

// tail is what mke2fs overwrites at the end, where superblocks of RAID lie: from 64 KiB
// before the last boundary of 64 KiB on.
func tail(fs *ext.FS) Span {
	end := fs.BlockOffset(Block(fs.Super.BlocksCount))
	const rsv = 64 << 10
	return Span{max(end&^(rsv-1)-rsv, 0), end}
}

// journalSpans is where the log of a file system lies that was never mounted, but for
// its superblock: mke2fs leaves it as it was, if lazy_journal_init is asked for.
func journalSpans(fs *ext.FS) Spans {
	in, err := fs.Inode(layout.JournalIno)
	if err != nil || !in.IsRegular() {
		return nil
	}
	var s Spans
	bs := int64(fs.BlockSize())
	for r, err := range fs.Runs(in) {
		if err != nil {
			return nil
		}
		if r.Kind == ext.Hole {
			continue
		}
		from := fs.BlockOffset(r.Physical)
		to := from + int64(r.Len)*bs
		if r.Logical == 0 {
			from += bs
		}
		s = append(s, Span{from, to})
	}
	return merge(s)
}
