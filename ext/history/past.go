package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
)

// A Past is the file system as it was at the end of a transaction, as far as the log
// tells. Blocks that the log never held are those of today: the contents of files are
// among them, unless data was journaled.
type Past struct {
	FS       *ext.FS
	Sequence uint32
	Time     time.Time // of the commit; zero where it has none

	later  []Block   // what they held is not known: read as in a later transaction
	sealed time.Time // what changed before that was in the log by then
}

// maxPasts bounds the moments that are kept open.
const maxPasts = 8

// At opens the file system as it was at the end of transaction i.
func (l *Log) At(i int) (*Past, error) {
	if p := l.pasts[i]; p != nil {
		return p, nil
	}
	m := l.Archive.At(i)
	home := l.View.Home
	fs, err := ext.Open(l.Journal.Overlay(home, m.Blocks), home.Size(), ext.Options{})
	if err != nil {
		return nil, fmt.Errorf("at transaction %d: %w", m.Sequence, err)
	}
	p := &Past{FS: fs, Sequence: m.Sequence, Time: m.CommitTime, later: m.Later, sealed: l.sealed(i)}
	if len(l.pasts) >= maxPasts {
		clear(l.pasts)
	}
	l.pasts[i] = p
	return p, nil
}

// clockSlack is what the coarse clock of inode times may be behind that of commits.
const clockSlack = 20 * time.Millisecond

// sealed gives a time before which no change can be of a transaction later than i: a
// transaction takes changes only after the one before it was closed, which is after
// the commit of the one before that. It is zero where that is not known.
func (l *Log) sealed(i int) time.Time {
	for k := i - 1; k >= 0; k-- {
		if t := &l.Archive.Transactions[k]; l.effect[k] {
			if t.CommitTime.IsZero() || t.Sequence != l.Archive.Transactions[i].Sequence-1 {
				break
			}
			return t.CommitTime.Add(-clockSlack)
		}
	}
	return time.Time{}
}

// Known reports whether it is known what a block held.
func (p *Past) Known(b Block) bool {
	_, later := slices.BinarySearch(p.later, b)
	return !later
}

// InodeKnown reports whether an inode of the past is known to have been as it reads:
// the log holds its block from then or before, or it has not changed since.
func (p *Past) InodeKnown(in *ext.Inode) bool {
	if p.Known(Block(in.Offset / int64(p.FS.BlockSize()))) {
		return true
	}
	return in.Mode != 0 && in.Ctime.Before(p.sealed)
}

// DirUnknown lists those blocks of a directory of the past of which it is not known
// what names they held. None is where the directory has not changed since.
func (p *Past) DirUnknown(dir *ext.Inode) []Block {
	if len(p.later) == 0 || !dir.IsDir() || dir.HasInline() || dir.Mtime.Before(p.sealed) && p.InodeKnown(dir) {
		return nil
	}
	var out []Block
	for r, err := range p.FS.Map(dir) {
		if err != nil || r.Kind == ext.Unwritten {
			continue
		}
		i, _ := slices.BinarySearch(p.later, r.Physical)
		for ; i < len(p.later) && uint64(p.later[i]-r.Physical) < r.Len; i++ {
			out = append(out, p.later[i])
		}
	}
	return out
}

// An UnknownError says that the log does not tell what names a directory held.
type UnknownError struct {
	Dir      Ino
	Sequence uint32
	Blocks   []Block // of the directory: those that are only known from later
	Inode    bool    // so is its inode
}

func (e *UnknownError) Error() string {
	if e.Inode {
		return fmt.Sprintf("inode %d: not known at transaction %d, shown as in a later one", e.Dir, e.Sequence)
	}
	return fmt.Sprintf("inode %d: what names block %d held at transaction %d is not known (%d such blocks), those of a later one are shown",
		e.Dir, e.Blocks[0], e.Sequence, len(e.Blocks))
}

// Doubt gives an *UnknownError where it is not known what names a directory held: for
// WalkOptions.Doubt.
func (p *Past) Doubt(dir Ino) error {
	in, err := p.FS.Inode(dir)
	if err != nil {
		return err
	}
	if !p.InodeKnown(in) {
		return &UnknownError{Dir: dir, Sequence: p.Sequence, Inode: true}
	}
	if blocks := p.DirUnknown(in); len(blocks) > 0 {
		return &UnknownError{Dir: dir, Sequence: p.Sequence, Blocks: blocks}
	}
	return nil
}
