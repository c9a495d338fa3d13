package links

import (
	"context"
	"iter"
)

// A HardLink is an inode with more than one name, or with a link count that
// does not agree with its names.
type HardLink struct {
	Ino      Ino
	Type     uint16 // of the mode
	Stored   uint32 // i_links_count
	Counted  uint32 // directory entries that name it, "." and ".." included
	Paths    [][]byte
	Mismatch bool
}

// HardLinks yields every inode that has more than one name, in order, with all
// its paths. A directory counts by the names other directories give it.
func (t *Tree) HardLinks(ctx context.Context) (iter.Seq[HardLink], error) {
	want := t.NewSet()
	for ino := range t.Limit() {
		if t.InUse(ino) && (t.isDir(ino) && t.SeveralNames(ino) || !t.isDir(ino) && t.Counted(ino) > 1) {
			want.Add(ino)
		}
	}
	names, err := t.Names(ctx, want)
	if err != nil {
		return nil, err
	}
	return func(yield func(HardLink) bool) {
		for ino := range t.Limit() {
			if !want.Has(ino) {
				continue
			}
			l := HardLink{
				Ino: ino, Type: t.Type(ino), Stored: t.Stored(ino), Counted: t.Counted(ino),
				Paths: names.Paths(ino), Mismatch: !t.LinksRight(ino),
			}
			if !yield(l) {
				return
			}
		}
	}, nil
}
