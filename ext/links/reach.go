package links

import (
	"iter"

	"github.com/extscope/extscope/ext/layout"
)

// Limit is the first inode number that the survey did not cover: it lies behind
// the last one in use.
func (t *Tree) Limit() Ino { return Ino(len(t.inodes)) }

// Known reports whether ino is a number that the survey covers.
func (t *Tree) Known(ino Ino) bool { return ino > 0 && int(ino) < len(t.inodes) }

// Type is the file type part of an inode's mode, 0 where it was never used.
func (t *Tree) Type(ino Ino) uint16 {
	if !t.Known(ino) {
		return 0
	}
	return t.inodes[ino].state & layout.ModeMask
}

// InUse reports whether an inode has a link count.
func (t *Tree) InUse(ino Ino) bool { return t.Known(ino) && t.inodes[ino].stored > 0 }

// Stored is i_links_count.
func (t *Tree) Stored(ino Ino) uint32 {
	if !t.Known(ino) {
		return 0
	}
	return uint32(t.inodes[ino].stored)
}

// Counted is how many directory entries name an inode, "." and ".." included.
func (t *Tree) Counted(ino Ino) uint32 {
	if !t.Known(ino) {
		return 0
	}
	return t.inodes[ino].counted
}

// Parent is the lowest-numbered directory with a name for an inode, 0 if none
// has one.
func (t *Tree) Parent(ino Ino) Ino {
	if !t.Known(ino) {
		return 0
	}
	return Ino(t.inodes[ino].parent)
}

// EAInode reports whether an inode holds the value of an xattr.
func (t *Tree) EAInode(ino Ino) bool { return t.Known(ino) && t.inodes[ino].state&stateEA != 0 }

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
	return s == c || s == 1 && c > 1 && t.inodes[ino].state&stateIndex != 0
}

// TooManyLinks reports whether a directory has more names than a link count
// holds, which takes the feature dir_nlink.
func (t *Tree) TooManyLinks(ino Ino) bool { return t.isDir(ino) && t.Counted(ino) > maxLinks }

func (t *Tree) isDir(ino Ino) bool { return t.inodes[ino].state&layout.ModeMask == layout.ModeDir }

// Reached reports whether the root reaches a directory.
func (t *Tree) Reached(dir Ino) bool { return t.Known(dir) && t.inodes[dir].state&stateReach != 0 }

// reach marks the directories that a chain of parents ties to the root. Where a
// directory has several names, any chain will do.
func (t *Tree) reach() {
	if !t.Known(layout.RootIno) || !t.isDir(layout.RootIno) {
		t.hidden = true
		return
	}
	t.inodes[layout.RootIno].state |= stateReach
	for _, e := range t.multi {
		t.inodes[e.dir].state |= stateMulti
	}
	t.climbAll()
	// Another name may reach a directory that its first does not. What takes
	// more rounds than this was made to, and stays unreached.
	changed := true
	for round := 0; changed && round < 64; round++ {
		changed = false
		for _, e := range t.multi {
			if !t.Reached(e.dir) && t.Reached(e.parent) {
				t.inodes[e.dir].parent = uint32(e.parent)
				t.inodes[e.dir].state |= stateReach
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
		for i := range t.inodes {
			t.inodes[i].state &^= stateLost
		}
	}
	t.hidden, t.circles = false, nil
	var chain []Ino
	for i := range t.inodes {
		ino := Ino(i)
		if i == 0 || !t.isDir(ino) || t.inodes[i].stored == 0 || t.Reached(ino) {
			continue
		}
		chain = chain[:0]
		at := ino
		for t.Known(at) && t.inodes[at].state&(stateReach|stateSeen|stateLost) == 0 && t.isDir(at) {
			t.inodes[at].state |= stateSeen
			chain = append(chain, at)
			at = Ino(t.inodes[at].parent)
		}
		if t.Known(at) && t.inodes[at].state&stateSeen != 0 {
			t.circle(at)
		}
		reached := t.Reached(at)
		for _, c := range chain {
			t.inodes[c].state &^= stateSeen
			if reached {
				t.inodes[c].state |= stateReach
			} else {
				t.inodes[c].state |= stateLost
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
func (t *Tree) SeveralNames(dir Ino) bool { return t.Known(dir) && t.inodes[dir].state&stateMulti != 0 }

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
