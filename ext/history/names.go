package history

import (
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// A Name is a name that a directory held at some time. Its bytes hold until the
// visit ends.
type Name struct {
	Dir    Ino
	DirGen uint32 // of the directory's inode
	Bytes  []byte
	Ino    Ino
	Type   uint8 // layout.FT*, as the entry says
	Tx     int   // index of the transaction that tells; a fast commit counts to the one before it
	Fast   int   // 0, or which fast commit behind it
}

// EachName calls visit with the live names in every copy of a directory's blocks, and
// in fast commits, by transaction, oldest first. Names are as stored: encrypted ones
// are ciphertext.
func (l *Log) EachName(ctx context.Context, visit func(n *Name)) error {
	each, err := l.ownedNames(ctx, nil)
	if err != nil {
		return err
	}
	parts, err := l.nameParts(ctx, each)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := part(ctx, l, visit); err != nil {
			return err
		}
	}
	return nil
}

// A namePart visits names that lie together in the order of EachName. Parts may be
// run at the same time, each with a fork of the log.
type namePart func(ctx context.Context, l *Log, visit func(n *Name)) error

// partCopies is how many copies of blocks make a part.
const partCopies = 512

// A copyVisitor visits the names in one copy of a block in transaction i.
type copyVisitor func(l *Log, c jbd2.Copy, i int, visit func(n *Name))

// ownedNames finds out who had which block, and gives what visits the names in those of
// directories; in, unless it is nil, says of which.
func (l *Log) ownedNames(ctx context.Context, in func(dir Ino) bool) (copyVisitor, error) {
	err := l.learn(ctx, l.tree != nil && l.FS.Super.MetadataCsum())
	return func(l *Log, c jbd2.Copy, i int, visit func(n *Name)) { l.copyNames(c, i, in, visit) }, err
}

// nameParts gives all of EachName, where each visits the names in copies of blocks.
func (l *Log) nameParts(ctx context.Context, each copyVisitor) (parts []namePart, err error) {
	inline, err := l.inlineDirs(ctx)
	if err != nil {
		return nil, err
	}
	fast, parents := l.fastByTransaction()
	lines, err := l.timelines(ctx, parents)
	if err != nil {
		return nil, err
	}
	for i := range l.Archive.Transactions {
		if l.effect[i] {
			for copies := range slices.Chunk(l.Archive.Transactions[i].Blocks, partCopies) {
				parts = append(parts, func(ctx context.Context, l *Log, visit func(n *Name)) error {
					for _, c := range copies {
						if err := ctx.Err(); err != nil {
							return err
						}
						each(l, c, i, visit)
					}
					return nil
				})
			}
		}
		if inline[i] == nil && fast[i] == nil {
			continue
		}
		parts = append(parts, func(ctx context.Context, l *Log, visit func(n *Name)) error {
			if l.effect[i] {
				for _, dir := range inline[i] {
					l.inlineNames(dir, i, visit)
				}
			}
			for nth, fc := range fast[i] {
				l.fastNames(fc, i, nth+1, lines, visit)
			}
			return ctx.Err()
		})
	}
	return parts, nil
}

// fork gives a Log for the parts of another goroutine.
func (l *Log) fork() *Log {
	f := *l
	f.buf, f.held = make([]byte, len(l.buf)), false
	return &f
}

// copyNames visits the names in one copy, if it is a block of a directory.
func (l *Log) copyNames(c jbd2.Copy, i int, in func(dir Ino) bool, visit func(n *Name)) {
	if c.Checksum == jbd2.Bad || l.staticAt(c.FS) != nil {
		return
	}
	u := l.use(c, i)
	if u.Kind != links.BlockDir && u.Kind != BlockDirIndex {
		return
	}
	b, err := l.readCopy(c)
	if err != nil {
		return
	}
	if u.Owner == 0 && l.claims.dirs {
		return // of what is no directory's nothing is known
	}
	if u.Owner != 0 && in != nil && !in(u.Owner) {
		return
	}
	n := Name{Dir: u.Owner, DirGen: u.Gen, Tx: i}
	dir := &ext.Inode{Ino: u.Owner}
	dir.Flags = u.flags
	if u.Owner == 0 {
		n.Dir = dotOf(b)
	}
	l.FS.BlockEntries(ext.DirBlockView{Dir: dir, Logical: u.Logical, Bytes: b}, false, func(e ext.Entry, err error) bool {
		if err == nil && !e.IsDot() {
			n.Bytes, n.Ino, n.Type = e.Name, e.Ino, e.Type
			visit(&n)
		}
		return err == nil
	})
}

// dotOf gives the directory that its first block names ".", or 0.
func dotOf(b []byte) Ino {
	w := layout.NewDirBlock(b, 0, layout.DirFormat{FileType: true})
	var e layout.Dirent
	if w.Next(&e) && string(e.Name) == "." {
		return e.Ino
	}
	return 0
}

const (
	maxInlineDirs  = 1 << 18 // states of inline directories that are kept
	maxInlineBytes = 128 << 20
)

// inlineDirs gives the states of directories that are kept in their inodes, by
// transaction.
func (l *Log) inlineDirs(ctx context.Context) (map[int][]*ext.Inode, error) {
	if l.FS.Super.Incompat&layout.IncompatInlineData == 0 {
		return nil, nil
	}
	out, room := map[int][]*ext.Inode{}, min(maxInlineDirs, maxInlineBytes/l.FS.InodeSize())
	err := l.EachInode(ctx, &InodeFilter{Mode: isDir}, func(tx, _ int, in, _ *ext.Inode) {
		if in.HasInline() && in.Links > 0 && room > 0 {
			raw := append([]byte(nil), in.Raw...)
			out[tx] = append(out[tx], l.FS.DecodeInode(raw, in.Ino, in.Offset))
			room--
		}
	})
	return out, err
}

func (l *Log) inlineNames(dir *ext.Inode, i int, visit func(n *Name)) {
	n := Name{Dir: dir.Ino, DirGen: dir.Generation, Tx: i}
	for e, err := range l.FS.Entries(dir, false) {
		if err == nil && !e.IsDot() {
			n.Bytes, n.Ino, n.Type = e.Name, e.Ino, e.Type
			visit(&n)
		}
	}
}

// fastByTransaction gives the fast commits that come behind each transaction, and the
// directories that they change names in.
func (l *Log) fastByTransaction() (map[int][]*jbd2.FastCommit, map[Ino]bool) {
	out, parents := map[int][]*jbd2.FastCommit{}, map[Ino]bool{}
	for k := range l.fast {
		i, _ := l.beforeFast(l.fast[k].TID)
		i = max(i, 0)
		out[i] = append(out[i], &l.fast[k])
		for _, r := range l.fast[k].Records {
			if r.Parent != 0 {
				parents[r.Parent] = true
			}
		}
	}
	return out, parents
}

func (l *Log) fastNames(fc *jbd2.FastCommit, i, nth int, lines timelines, visit func(n *Name)) {
	for k := range fc.Records {
		switch r := &fc.Records[k]; r.Tag {
		case jbd2.FCCreat, jbd2.FCLink, jbd2.FCUnlink:
			n := Name{Dir: r.Parent, Bytes: r.Name, Ino: r.Ino, Tx: i, Fast: nth}
			n.DirGen, _ = lines.gen(r.Parent, i)
			visit(&n)
		}
	}
}

// A nameKey is a name in a directory.
type nameKey struct {
	dir  Ino
	name string
}

// A lastName is the newest that is known of one.
type lastName struct {
	ino Ino
	tx  int
}

// maxNewest bounds the names that are kept at once.
const maxNewest = 1 << 20

// lastNames gives what names that are wanted named last; each is as for nameParts. Both
// functions are called from several goroutines.
func (l *Log) lastNames(ctx context.Context, each copyVisitor, want func(n *Name) bool) (map[nameKey]lastName, error) {
	parts, err := l.nameParts(ctx, each)
	if err != nil {
		return nil, err
	}
	out := map[nameKey]lastName{}
	for round := range slices.Chunk(parts, 4*ext.Workers()) { // more would hold too much at once
		found := make([]map[nameKey]lastName, len(round))
		err := ext.Parallel(ctx, len(round), func(int) func(i int) {
			l := l.fork()
			return func(i int) {
				found[i] = map[nameKey]lastName{}
				_ = round[i](ctx, l, func(n *Name) { // ctx's error is Parallel's
					if want(n) {
						found[i][nameKey{n.Dir, string(n.Bytes)}] = lastName{n.Ino, n.Tx}
					}
				})
			}
		})
		if err != nil {
			return nil, err
		}
		for _, part := range found {
			for k, n := range part {
				if _, known := out[k]; known || len(out) < maxNewest {
					out[k] = n
				}
			}
		}
	}
	return out, nil
}
