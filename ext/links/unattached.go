package links

import (
	"context"
	"slices"
)

// An Unattached is an inode with a link count that no name reaches from the
// root, the top of what hangs together.
type Unattached struct {
	Ino   Ino
	Below uint64 // inodes under it, when it is a directory
}

// Unattached lists the tops of all trees that the root does not reach, by
// number: files and directories that nothing names, and of directories that
// name each other in a circle the lowest.
func (t *Tree) Unattached(ctx context.Context) ([]Unattached, error) {
	below := map[Ino]uint64{}
	var tops []Ino
	var lost []Ino // files whose first name lies in a directory not reached
	aside := func(ino Ino) bool {
		return !t.InUse(ino) || t.Reached(ino) || t.FS.Reserved(ino) || t.EAInode(ino)
	}
	for _, ino := range t.special {
		if t.Parent(ino) == 0 && !aside(ino) {
			tops = append(tops, ino)
		}
	}
	if !t.hidden {
		return collect(tops, below), nil
	}
	for ino := range t.Limit() {
		if parent := t.Parent(ino); parent != 0 && !t.Reached(parent) && !t.isDir(ino) && !aside(ino) {
			lost = append(lost, ino)
		}
	}
	top := t.tops()
	for _, ino := range t.special {
		if !t.isDir(ino) || t.Reached(ino) {
			continue
		}
		if top[ino] == ino {
			if t.Parent(ino) != 0 {
				tops = append(tops, ino) // the lowest of a circle
			}
		} else {
			below[top[ino]]++
		}
	}
	// A file counts below only when none of its names is reached.
	reached, err := t.reachedFiles(ctx, lost)
	if err != nil {
		return nil, err
	}
	for _, ino := range lost {
		if !reached.Has(ino) {
			below[top[t.Parent(ino)]]++
		}
	}
	return collect(tops, below), nil
}

func collect(tops []Ino, below map[Ino]uint64) []Unattached {
	slices.Sort(tops)
	out := make([]Unattached, len(tops))
	for i, ino := range slices.Compact(tops) {
		out[i] = Unattached{ino, below[ino]}
	}
	return out
}

// tops finds for each directory that the root does not reach the top of its
// tree.
func (t *Tree) tops() map[Ino]Ino {
	top := map[Ino]Ino{}
	for _, ino := range t.special {
		if !t.isDir(ino) || t.Reached(ino) || top[ino] != 0 {
			continue
		}
		var chain []Ino
		on := map[Ino]bool{}
		at := ino
		for top[at] == 0 && !on[at] {
			on[at] = true
			chain = append(chain, at)
			parent := t.Parent(at)
			if parent == 0 || !t.InUse(parent) || !t.isDir(parent) {
				break
			}
			at = parent
		}
		result := top[at]
		if result == 0 {
			result = chain[len(chain)-1]
			if t.Parent(result) != 0 && on[t.Parent(result)] {
				from := slices.Index(chain, t.Parent(result))
				result = slices.Min(chain[from:])
			}
		}
		for _, c := range chain {
			top[c] = result
		}
	}
	return top
}

// reachedFiles tells which of the given files have a name in a directory that
// the root reaches.
func (t *Tree) reachedFiles(ctx context.Context, files []Ino) (Set, error) {
	want, reached := t.NewSet(), t.NewSet()
	several := false
	for _, ino := range files {
		if t.Counted(ino) > 1 {
			want.Add(ino)
			several = true
		}
	}
	if !several {
		return reached, nil
	}
	names, err := t.Names(ctx, want)
	if err != nil {
		return nil, err
	}
	for _, ino := range files {
		for _, n := range names.Of(ino) {
			if t.Reached(n.Dir) {
				reached.Add(ino)
			}
		}
	}
	return reached, nil
}
