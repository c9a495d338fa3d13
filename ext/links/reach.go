package links

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Limit is the first inode number that the survey did not cover: it lies behind
// the last one in use.
func (t *Tree) Limit() Ino { return Ino(len(t.inodes.words)) }

// Known reports whether ino is a number that the survey covers.
func (t *Tree) Known(ino Ino) bool { return ino > 0 && ino < t.Limit() }

// Type is the file type part of an inode's mode, 0 where it was never used.
func (t *Tree) Type(ino Ino) uint16 {
	if !t.Known(ino) {
		return 0
	}
	return t.inodes.kind(ino)
}

// InUse reports whether an inode has a link count.
func (t *Tree) InUse(ino Ino) bool { return t.Known(ino) && t.inodes.linked(ino) }

// look gives Type and InUse at once.
func (t *Tree) look(ino Ino) (kind uint16, used bool) {
	if !t.Known(ino) {
		return 0, false
	}
	word := atomic.LoadUint32(&t.inodes.words[ino])
	return wordKind(word), t.inodes.linkedBy(word)
}

// Used gives n inodes, 64 at most, from first on as bits: those in use, and the directories
// among them.
func (t *Tree) Used(first Ino, n uint64) (used, dirs uint64) {
	if first >= t.Limit() {
		return 0, 0
	}
	n = min(n, uint64(t.Limit()-first))
	return t.inodes.used(t.inodes.words[first:][:n])
}

// Stored is i_links_count.
func (t *Tree) Stored(ino Ino) uint32 {
	if !t.Known(ino) {
		return 0
	}
	return t.inodes.links(ino)
}

// Counted is how many directory entries name an inode, "." and ".." included.
func (t *Tree) Counted(ino Ino) uint32 {
	if !t.Known(ino) {
		return 0
	}
	return t.inodes.names(ino)
}

// Parent is the lowest-numbered directory with a name for an inode, 0 if none
// has one.
func (t *Tree) Parent(ino Ino) Ino {
	if !t.Known(ino) {
		return 0
	}
	return t.inodes.parent(ino)
}

// Special lists, in order, the inodes in use among which all is that is to be told of
// links: directories, values of xattrs, and what has another number of names than its link
// count says, or none. It is not to be changed.
func (t *Tree) Special() []Ino { return t.special }

// findSpecial sorts out the inodes that are not plain.
func (t *Tree) findSpecial(ctx context.Context) error {
	const step = 1 << 16
	parts := make([][]Ino, (uint64(t.Limit())+step-1)/step)
	err := ext.Parallel(ctx, len(parts), func(int) func(int) {
		return func(i int) {
			from := Ino(i) * step
			for j := range min(step, t.Limit()-from) {
				if ino := from + j; ino > 0 && !t.inodes.plain(ino) {
					parts[i] = append(parts[i], ino)
				}
			}
		}
	})
	t.special = slices.Concat(parts...)
	return err
}

// EAInode reports whether an inode holds the value of an xattr.
func (t *Tree) EAInode(ino Ino) bool { return t.Known(ino) && t.inodes.state(ino)&stateEA != 0 }

// maxLinks is EXT4_LINK_MAX: where a directory has more, the kernel says 1.
const maxLinks = 65000

// LinksRight reports whether the stored link count is right: equal to the names
// counted, or 1 in a directory that has, or once had, too many of them. Only an
// indexed one can get that far.
func (t *Tree) LinksRight(ino Ino) bool {
	s, c := t.Stored(ino), t.Counted(ino)
	switch {
	case !t.isDir(ino):
		return s == c
	case c > maxLinks:
		return s == 1
	}
	return s == c || s == 1 && c > 1 && t.inodes.state(ino)&stateIndex != 0
}

// TooManyLinks reports whether a directory has more names than a link count
// holds, which takes the feature dir_nlink.
func (t *Tree) TooManyLinks(ino Ino) bool { return t.isDir(ino) && t.Counted(ino) > maxLinks }

func (t *Tree) isDir(ino Ino) bool { return t.inodes.kind(ino) == layout.ModeDir }

// Reached reports whether the root reaches a directory.
func (t *Tree) Reached(dir Ino) bool { return t.Known(dir) && t.inodes.state(dir)&stateReach != 0 }

// reach marks the directories that a chain of parents ties to the root. Where a
// directory has several names, any chain will do.
func (t *Tree) reach() {
	if !t.Known(layout.RootIno) || !t.isDir(layout.RootIno) {
		t.hidden = true
		return
	}
	t.inodes.mark(layout.RootIno, stateReach)
	for _, e := range t.multi {
		t.inodes.mark(e.dir, stateMulti)
	}
	t.climbAll()
	// Another name may reach a directory that its first does not. What takes
	// more rounds than this was made to, and stays unreached.
	changed := true
	for round := 0; changed && round < 64; round++ {
		changed = false
		for _, e := range t.multi {
			if !t.Reached(e.dir) && t.Reached(e.parent) {
				t.inodes.moveTo(e.dir, e.parent)
				t.inodes.mark(e.dir, stateReach)
				changed = true
			}
		}
		if changed {
			t.climbAll()
		}
	}
}

// climbAll marks every directory whose chain of parents comes to a marked one.
func (t *Tree) climbAll() {
	if t.hidden { // by the round before
		for i := range t.inodes.dirs {
			t.inodes.dirs[i].state &^= stateLost
		}
	}
	t.hidden, t.circles = false, nil
	var chain []Ino
	for i := range t.inodes.dirs {
		d := &t.inodes.dirs[i]
		if d.stored == 0 || d.state&stateReach != 0 {
			continue
		}
		chain = chain[:0]
		at := d.ino
		for t.Known(at) && t.inodes.state(at)&(stateReach|stateSeen|stateLost) == 0 && t.isDir(at) {
			t.inodes.mark(at, stateSeen)
			chain = append(chain, at)
			at = t.inodes.parent(at)
		}
		if t.Known(at) && t.inodes.state(at)&stateSeen != 0 {
			t.circle(at)
		}
		reached := t.Reached(at)
		for _, c := range chain {
			t.inodes.unmark(c, stateSeen)
			if reached {
				t.inodes.mark(c, stateReach)
			} else {
				t.inodes.mark(c, stateLost)
			}
		}
		t.hidden = t.hidden || !reached
	}
}

// circle notes the circle of parents that a directory is in.
func (t *Tree) circle(dir Ino) {
	lowest := dir
	for at := t.Parent(dir); at != dir; at = t.Parent(at) {
		lowest = min(lowest, at)
	}
	if t.circles == nil {
		t.circles = map[Ino]bool{}
	}
	t.circles[lowest] = true
}

// SeveralNames reports whether a directory has more than one name.
func (t *Tree) SeveralNames(dir Ino) bool { return t.Known(dir) && t.inodes.state(dir)&stateMulti != 0 }

// NamedIn reports whether one of the names of a directory lies in another.
func (t *Tree) NamedIn(dir, parent Ino) bool {
	if t.Parent(dir) == parent {
		return true
	}
	_, found := slices.BinarySearchFunc(t.multi, edge{dir, parent}, compareEdges)
	return found
}

func compareEdges(a, b edge) int {
	return cmp.Or(cmp.Compare(a.dir, b.dir), cmp.Compare(a.parent, b.parent))
}

// DirectoryLinks yields, by number, the directories with more than one name,
// and which directories hold the further ones.
func (t *Tree) DirectoryLinks() iter.Seq2[Ino, []Ino] {
	return func(yield func(Ino, []Ino) bool) {
		for i := 0; i < len(t.multi); {
			dir := t.multi[i].dir
			var in []Ino
			for ; i < len(t.multi) && t.multi[i].dir == dir; i++ {
				in = append(in, t.multi[i].parent)
			}
			if !yield(dir, in) {
				return
			}
		}
	}
}
