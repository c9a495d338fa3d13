package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/extscope/extscope/ext"
)

// Coverage counts, in blocks, how far the contents of a file of the past can be
// trusted: the log has no contents, unless data was journaled, and the blocks may have
// been written to since.
type Coverage struct {
	Logged  uint64 // from a copy in the log of that time
	Kept    uint64 // the file still has them, and has not changed since
	Free    uint64 // free now, and in every later bitmap in the log
	Changed uint64 // the file still has them, and was written to since
	Reused  uint64 // in use by something else, or were since
	Unknown uint64 // no bitmap tells
}

// Sure reports whether all of the contents are as they were.
func (c *Coverage) Sure() bool { return c.Changed == 0 && c.Reused == 0 && c.Unknown == 0 }

// String says it in words.
func (c *Coverage) String() string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		text string
	}{
		{c.Logged, "from the log"}, {c.Kept, "unchanged since"}, {c.Free, "free, not used since"},
		{c.Changed, "of a file that was written to since"}, {c.Reused, "used by something else since"}, {c.Unknown, "of which nothing tells"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.text))
		}
	}
	if parts == nil {
		return "no blocks"
	}
	return "blocks: " + strings.Join(parts, ", ")
}

// maxCoverage bounds the blocks that are looked at one by one.
const maxCoverage = 1 << 22

// Coverage looks at the blocks of an inode as it was at the end of transaction i.
func (l *Log) Coverage(i int, in *ext.Inode) (Coverage, error) {
	var c Coverage
	p, err := l.At(i)
	if err != nil {
		return c, err
	}
	var ours []ext.Run // what the same file maps now
	unchanged := false
	if now, err := l.FS.Inode(in.Ino); err == nil && now.Links > 0 && now.Generation == in.Generation {
		unchanged = now.Mtime.Equal(in.Mtime) && now.Size() == in.Size()
		for r, err := range l.FS.Map(now) {
			if err == nil && r.Kind == ext.Data && len(ours) < 1<<20 {
				ours = append(ours, r)
			}
		}
		slices.SortFunc(ours, func(a, b ext.Run) int { return cmp.Compare(a.Physical, b.Physical) })
	}
	bits := l.newBitmapHistory(i)
	left := uint64(maxCoverage)
	for r, err := range p.FS.Map(in) {
		if err != nil || r.Kind != ext.Data {
			continue
		}
		for n := range min(r.Len, left) {
			b := r.Physical + Block(n)
			switch _, later, logged := p.moment.Find(b); {
			case logged && !later:
				c.Logged++
			case mapped(ours, b, r.Logical+n) && unchanged:
				c.Kept++
			case mapped(ours, b, r.Logical+n):
				c.Changed++
			default:
				c.count(bits.fate(b))
			}
		}
		looked := min(r.Len, left)
		left -= looked
		c.Unknown += r.Len - looked
	}
	return c, nil
}

// mapped reports whether runs, by place, have block b as block n of the file.
func mapped(runs []ext.Run, b Block, n uint64) bool {
	i, found := slices.BinarySearchFunc(runs, b, func(r ext.Run, b Block) int { return cmp.Compare(r.Physical, b) })
	if !found {
		i--
	}
	return i >= 0 && uint64(b-runs[i].Physical) < runs[i].Len && runs[i].Logical+uint64(b-runs[i].Physical) == n
}

func (c *Coverage) count(f blockFate) {
	switch f {
	case fateFree:
		c.Free++
	case fateReused:
		c.Reused++
	default:
		c.Unknown++
	}
}
