package replay

import (
	"context"
	"iter"

	"github.com/extscope/extscope/ext"
)

// A ChangeKind says how an object differs between the two views.
type ChangeKind uint8

// The kinds of change.
const (
	Created     ChangeKind = iota // an inode that is in use after replay only
	Deleted                       // an inode that is in use before replay only
	Replaced                      // an inode number that another file has after replay: by its generation
	Changed                       // an inode of which Fields differ
	NameAdded                     // a name that is there after replay only
	NameRemoved                   // a name that is there before replay only
	NameMoved                     // a name that became another, of the same inode
)

var kindNames = [...]string{"created", "deleted", "replaced", "changed", "name added", "name removed", "name moved"}

func (k ChangeKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// A Change is one object that differs between the home blocks and the view after
// replay.
type Change struct {
	Kind     ChangeKind
	Ino      ext.Ino
	Type     uint16     // of the inode, one of layout.Mode*; after replay, or before where it is deleted
	Fields   ext.Fields // Changed and Replaced
	Dir      ext.Ino    // of a name: the directory it is in; for NameMoved after replay
	Home     []byte     // path before replay; nil where it has none or none is known
	Replayed []byte     // path after replay, likewise
}

// Diff lists the objects that differ between the two views of v: the inodes by
// number, then the names by directory. Only what replay writes is read, and the
// directories above it. A change of an inode has the paths of the names that change
// with it, and those of a directory; others are not looked for.
func Diff(ctx context.Context, v *View) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if !v.Applied {
			return
		}
		d := newDiffer(v)
		if err := d.collect(ctx); err != nil {
			yield(Change{}, err)
			return
		}
		d.emit(ctx, yield)
	}
}
