package history

import (
	"bytes"
	"context"
	"slices"
	"sort"

	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// Prepare implements links.Past.
func (l *Log) Prepare(ctx context.Context, t *links.Tree) {
	l.tree = t
	if !l.FS.Super.MetadataCsum() {
		_ = l.learn(ctx, false) // the error is ctx's, which Lost tells as well
	}
}

// Lost implements links.Past: for names that are missing from directories of today,
// what they named last, and what became of that.
func (l *Log) Lost(ctx context.Context, t *links.Tree, missing links.Missing) ([]links.LostName, error) {
	l.tree = t
	dirs := &dirsNow{f: l.FS, zeros: make([]byte, l.FS.BlockSize()), known: map[Ino]dirNow{}}
	each := func(l *Log, c jbd2.Copy, i int, visit func(n *Name)) { l.missedNames(c, i, missing, dirs, visit) }
	if !l.FS.Super.MetadataCsum() {
		var err error
		if each, err = l.ownedNames(ctx, missing.Any); err != nil {
			return nil, err
		}
	}
	newest, err := l.lastNames(ctx, each, func(n *Name) bool {
		if _, ok := slices.BinarySearch(missing.Dirs(n.Bytes), n.Dir); !ok {
			return false
		}
		// Without checksums a block may have no owner that is sure.
		return n.DirGen == 0 || n.DirGen == dirs.get(n.Dir).gen
	})
	if err != nil {
		return nil, err
	}
	inodes := map[Ino]bool{}
	for _, n := range newest {
		inodes[n.ino] = true
	}
	lines, err := l.timelines(ctx, inodes)
	if err != nil {
		return nil, err
	}
	out := make([]links.LostName, 0, len(newest))
	for k, n := range newest {
		lost := links.LostName{Dir: k.dir, Name: []byte(k.name), Ino: n.ino}
		l.fate(&lost, lines, n.tx)
		out = append(out, lost)
	}
	return out, l.beside(ctx, out, func(n *links.LostName) int { return newest[nameKey{n.Dir, string(n.Name)}].tx })
}

const (
	maxBeside    = 256     // other names that are kept of one inode
	maxAllBeside = 1 << 20 // and of all
)

// beside notes which other names the inodes that live on had, by then.
func (l *Log) beside(ctx context.Context, lost []links.LostName, when func(*links.LostName) int) error {
	// The names of an inode are in the order in which it got them: those it had by
	// some time are the first ones.
	type named struct {
		names []links.Name
		since []int
	}
	type key struct {
		ino, dir Ino
		name     string
	}
	by, seen := map[Ino]*named{}, map[key]bool{}
	for i := range lost {
		n := &lost[i]
		if n.Gone || by[n.Ino] != nil {
			continue
		}
		// Of a file with one name it is plain which one came instead.
		if in, err := l.FS.Inode(n.Ino); err == nil && (in.Links > 1 || in.IsDir()) {
			by[n.Ino] = &named{}
		}
	}
	if len(by) == 0 {
		return nil
	}
	err := l.EachName(ctx, func(n *Name) {
		of := by[n.Ino]
		if of == nil || len(of.names) >= maxBeside || len(seen) >= maxAllBeside || seen[key{n.Ino, n.Dir, string(n.Bytes)}] {
			return
		}
		seen[key{n.Ino, n.Dir, string(n.Bytes)}] = true
		of.names = append(of.names, links.Name{Dir: n.Dir, Name: bytes.Clone(n.Bytes)})
		of.since = append(of.since, n.Tx)
	})
	for i := range lost {
		n := &lost[i]
		if of := by[n.Ino]; of != nil && !n.Gone {
			at := when(n)
			had := sort.Search(len(of.since), func(k int) bool { return of.since[k] > at })
			n.Beside = of.names[:had:had]
		}
	}
	return err
}

// fate finds out what became of an inode that had a name in transaction i.
func (l *Log) fate(lost *links.LostName, lines timelines, i int) {
	states := lines[lost.Ino]
	at := lines.inUse(lost.Ino, i)
	if at < 0 {
		lost.Gone = true
		return
	}
	lost.Generation = states[at].gen
	if now := states[len(states)-1]; now.links > 0 && now.gen == lost.Generation {
		return
	}
	lost.Gone = true
	if end := int(states[at].end); end < len(states) {
		s := states[end]
		switch {
		case int(s.tx) < len(l.Archive.Transactions):
			t := &l.Archive.Transactions[max(s.tx, 0)]
			lost.Sequence, lost.Deleted = t.Sequence, t.CommitTime
		case s.gen == lost.Generation && s.dtime != 0:
			lost.Deleted = (&layout.Inode{Dtime: s.dtime}).DtimeTime()
		}
	}
}
