package history

import (
	"bytes"
	"context"
	"slices"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// Lost implements links.Past: for names that are missing from directories of today,
// what they named last, and what became of that.
func (l *Log) Lost(ctx context.Context, want func(dir Ino, name []byte) bool) ([]links.LostName, error) {
	gens := map[Ino]uint32{} // of today's directories
	newest, err := l.newest(ctx, func(n *Name) bool {
		if !want(n.Dir, n.Bytes) {
			return false
		}
		gen, ok := gens[n.Dir]
		if !ok {
			if in, err := l.FS.Inode(n.Dir); err == nil {
				gen = in.Generation
			}
			gens[n.Dir] = gen
		}
		// Without checksums a block may have no owner that is sure.
		return n.DirGen == gen || n.DirGen == 0
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

// maxBeside bounds the other names that are kept of one inode.
const maxBeside = 256

// beside notes which other names the inodes that live on had, by then.
func (l *Log) beside(ctx context.Context, lost []links.LostName, when func(*links.LostName) int) error {
	by := map[Ino][]*links.LostName{}
	for i := range lost {
		n := &lost[i]
		if n.Gone {
			continue
		}
		// Of a file with one name it is plain which one came instead.
		if in, err := l.FS.Inode(n.Ino); err == nil && (in.Links > 1 || in.IsDir()) {
			by[n.Ino] = append(by[n.Ino], n)
		}
	}
	if len(by) == 0 {
		return nil
	}
	return l.EachName(ctx, func(n *Name) {
		for _, one := range by[n.Ino] {
			same := func(b links.Name) bool { return b.Dir == n.Dir && bytes.Equal(b.Name, n.Bytes) }
			if n.Tx <= when(one) && len(one.Beside) < maxBeside && !slices.ContainsFunc(one.Beside, same) {
				one.Beside = append(one.Beside, links.Name{Dir: n.Dir, Name: bytes.Clone(n.Bytes)})
			}
		}
	})
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
	for _, s := range states[at+1:] {
		if s.gen == lost.Generation && s.links > 0 {
			continue
		}
		switch {
		case int(s.tx) < len(l.Archive.Transactions):
			t := &l.Archive.Transactions[max(s.tx, 0)]
			lost.Sequence, lost.Deleted = t.Sequence, t.CommitTime
		case s.gen == lost.Generation && s.dtime != 0:
			lost.Deleted = (&layout.Inode{Dtime: s.dtime}).DtimeTime()
		}
		return
	}
}
