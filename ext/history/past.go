package history

import (
	"fmt"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
)

// A Past is the file system as it was at the end of a transaction, as far as the log
// tells. Blocks that the log never held are those of today: the contents of files are
// among them, unless data was journaled.
type Past struct {
	FS       *ext.FS
	Sequence uint32
	Time     time.Time // of the commit; zero where it has none

	moment *jbd2.Moment
	sealed time.Time // what changed before that was in the log by then

	nodes *ext.NodeBudget // for maps of directories
	left  int             // logged blocks of directories that may still be looked at
}

const (
	maxListed  = 1 << 24 // logged blocks of directories that are looked at, where hostile ones share theirs
	maxUnknown = 1 << 18 // of one directory that are listed as not known
)

// maxPasts bounds the moments that are kept open.
const maxPasts = 8

// At opens the file system as it was at the end of transaction i.
func (l *Log) At(i int) (*Past, error) {
	if p := l.pasts[i]; p != nil {
		return p, nil
	}
	if i < 0 || i >= len(l.Archive.Transactions) {
		return nil, errNoMoment
	}
	m := l.Archive.At(i)
	home := l.View.Home
	fs, err := ext.Open(l.Journal.OverlayAt(home, m), home.Size(), ext.Options{})
	if err != nil {
		return nil, fmt.Errorf("at transaction %d: %w", m.Sequence, err)
	}
	p := l.past(i, m, fs)
	if len(l.pasts) >= maxPasts {
		clear(l.pasts)
	}
	l.pasts[i] = p
	return p, nil
}

var errNoMoment = &MomentError{"the log holds no transaction"}

func (l *Log) past(i int, m *jbd2.Moment, fs *ext.FS) *Past {
	return &Past{FS: fs, Sequence: m.Sequence, Time: m.CommitTime, moment: m, sealed: l.sealed(i), nodes: fs.NewNodeBudget(), left: maxListed}
}

// glance is At for what is looked at once: superblock and group descriptors are those
// of today.
func (l *Log) glance(i int) (*Past, error) {
	if i < 0 || i >= len(l.Archive.Transactions) {
		return nil, errNoMoment
	}
	m := l.Archive.At(i)
	return l.past(i, m, l.FS.Over(l.Journal.OverlayAt(l.View.Home, m))), nil
}

// clockSlack is what the coarse clock of inode times may be behind that of commits.
const clockSlack = 20 * time.Millisecond

// sealed gives a time before which no change can be of a transaction later than i: a
// transaction takes changes only after the one before it was closed, which is after
// the commit of the one before that. It is zero where that is not known.
func (l *Log) sealed(i int) time.Time {
	if i == 0 || l.newest[i-1] < 0 {
		return time.Time{}
	}
	t := &l.Archive.Transactions[l.newest[i-1]]
	if t.CommitTime.IsZero() || t.Sequence != l.Archive.Transactions[i].Sequence-1 {
		return time.Time{}
	}
	return t.CommitTime.Add(-clockSlack)
}

// Known reports whether it is known what a block held.
func (p *Past) Known(b Block) bool {
	_, later, _ := p.moment.Find(b)
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
	if !dir.IsDir() || dir.HasInline() || dir.Mtime.Before(p.sealed) && p.InodeKnown(dir) {
		return nil
	}
	var out []Block
	for r, err := range p.FS.MapWithin(dir, p.nodes) {
		if err != nil || r.Kind == ext.Unwritten {
			continue
		}
		for b, later := range p.moment.Logged(r.Physical, r.Len) {
			if later {
				out = append(out, b)
			}
			if p.left--; p.left < 0 || len(out) >= maxUnknown {
				return out
			}
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
