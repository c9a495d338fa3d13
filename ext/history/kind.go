package history

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// Kinds of a logged block, beside those of ext.MetaKind and links.
const (
	BlockDirIndex = "directory index" // root or node of an htree
	BlockUnknown  = "unknown"         // nothing that is known of claims it, or tells what it is
)

// A Use is what a logged block was.
type Use struct {
	Kind     string
	Group    uint32 // of bitmaps, inode tables, descriptors
	HasGroup bool
	First    Ino // of an inode table: the first inode in it, and how many
	Count    uint32
	Owner    Ino // whose it was, 0 where that is not known
	Gen      uint32
	Logical  uint64 // which block of its owner it was
	flags    layout.InodeFlags
}

// A staticRun is metadata whose place does not change.
type staticRun = ext.MetaRun

// staticRuns lists the file system's own metadata by place.
func staticRuns(f *ext.FS) []staticRun {
	list := slices.Collect(f.Metadata())
	slices.SortFunc(list, func(a, b staticRun) int { return cmp.Compare(a.Start, b.Start) })
	return list
}

// staticAt gives the metadata that lies in a block, or nil.
func (l *Log) staticAt(b Block) *staticRun {
	i, found := slices.BinarySearchFunc(l.static, b, func(r staticRun, b Block) int { return cmp.Compare(r.Start, b) })
	if !found {
		i--
	}
	if i < 0 || uint64(b-l.static[i].Start) >= l.static[i].Len {
		return nil
	}
	return &l.static[i]
}

// Uses tells what each copy of a transaction was, in the order of its Blocks. The
// error is ctx's.
func (l *Log) Uses(ctx context.Context, i int) ([]Use, error) {
	if err := l.learn(ctx, false); err != nil {
		return nil, err
	}
	t := &l.Archive.Transactions[i]
	out := make([]Use, len(t.Blocks))
	for k, c := range t.Blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[k] = l.use(c, i)
	}
	return out, nil
}

// Use tells what one copy was in transaction i.
func (l *Log) Use(ctx context.Context, c jbd2.Copy, i int) (Use, error) {
	if err := l.learn(ctx, false); err != nil {
		return Use{}, err
	}
	return l.use(c, i), nil
}

func (l *Log) use(c jbd2.Copy, i int) Use {
	if r := l.staticAt(c.FS); r != nil {
		u := Use{Kind: string(r.Kind), Group: r.Group, HasGroup: true}
		if r.Kind == ext.MetaInodeTable {
			u.First, u.Count = l.FS.TableInodes(r.Group, uint64(c.FS-r.Start))
		}
		return u
	}
	list := l.claims.of(c.FS, i)
	if len(list) == 1 && list[0].kind != links.BlockDir {
		return list[0].use()
	}
	b, err := l.readCopy(c)
	if err != nil {
		if len(list) > 0 {
			return list[0].use()
		}
		return Use{Kind: BlockUnknown}
	}
	kind := ""
	look := func() string {
		if kind == "" {
			kind = l.looksLike(b)
		}
		return kind
	}
	for _, x := range list {
		if ok, sure := l.proves(&x, b, look); sure && !ok {
			continue
		}
		return x.used(b)
	}
	return Use{Kind: look()}
}

func (x *claim) use() Use {
	return Use{Kind: x.kind, Owner: x.ino, Gen: x.gen, Logical: uint64(x.logical), flags: x.flags}
}

// used is use, by the block's contents.
func (x *claim) used(b []byte) Use {
	u := x.use()
	if u.Kind == links.BlockDir && x.flags&layout.FlagIndex != 0 && (x.logical == 0 || ext.IsDxNode(b)) {
		u.Kind = BlockDirIndex
	}
	return u
}

// proves reports whether a block can be what a claim says; sure where its checksum
// tells. look gives what it looks like.
func (l *Log) proves(x *claim, b []byte, look func() string) (ok, sure bool) {
	if !l.FS.Super.MetadataCsum() {
		// What looks like a structure is one, what doesn't is none.
		structured := x.kind == links.BlockDir || x.kind == links.BlockNode || x.kind == links.BlockXattr
		return look() == x.kind, structured
	}
	seed := layout.InodeSeed(l.FS.Seed(), x.ino, x.gen)
	switch x.kind {
	case links.BlockDir:
		if stored, tail := layout.DirTail(b); tail && layout.DirChecksum(b, seed) == stored {
			return true, true
		}
		for _, at := range []int{0x20, 0x8} { // dx_root, dx_node
			if stored, computed, there := layout.DxChecksum(b, seed, at); there && stored == computed {
				return true, true
			}
		}
		return false, true
	case links.BlockNode:
		stored, computed, there := layout.ExtentChecksum(b, seed)
		return there && stored == computed, true
	case links.BlockXattr:
		return look() == links.BlockXattr, true
	}
	return false, false
}

// looksLike names a block by its contents.
func (l *Log) looksLike(b []byte) string {
	if n, err := layout.DecodeExtentNode(b, 0); err == nil && n.Depth <= 5 {
		return links.BlockNode
	}
	if _, _, err := layout.DecodeXattrBlock(b, 0); err == nil {
		return links.BlockXattr
	}
	if l.looksLikeDir(b) {
		return links.BlockDir
	}
	return BlockUnknown
}

// looksLikeDir reports whether a block is a chain of sound directory entries.
func (l *Log) looksLikeDir(b []byte) bool {
	format := layout.DirFormat{FileType: l.FS.Super.Incompat&layout.IncompatFiletype != 0}
	w := layout.NewDirBlock(b, 0, format)
	var e layout.Dirent
	names := 0
	for w.Next(&e) {
		if uint32(e.Ino) > l.FS.InodesCount() || e.Ino != 0 && len(e.Name) == 0 {
			return false
		}
		if e.Ino != 0 {
			names++
		}
	}
	return w.Err() == nil && names > 0
}

// ChangedInodes lists the inodes of a block of an inode table that differ from the
// copy before the one in transaction i; nil where the log has none.
func (l *Log) ChangedInodes(c jbd2.Copy, i int, u Use) []Ino {
	before, ok := l.Archive.Before(c.FS, i)
	if !ok {
		return nil
	}
	old := make([]byte, l.FS.BlockSize())
	if l.Journal.ReadCopy(old, before) != nil {
		return nil
	}
	b, err := l.readCopy(c)
	if err != nil {
		return nil
	}
	changed, size := []Ino{}, l.FS.InodeSize()
	for k := range int(u.Count) {
		if at := k * size; at+size <= len(b) && !bytes.Equal(b[at:][:size], old[at:][:size]) {
			changed = append(changed, u.First+Ino(k))
		}
	}
	return changed
}
