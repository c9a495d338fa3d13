package undelete

import (
	"sync"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// A state is one state of an inode: what it takes to read it again, and to tell which of
// several counts.
type state struct {
	tx    moment
	kept  int32 // where it is inKept, its place there
	mode  uint16
	where whereabouts
	marks stateMarks
}

// Whereabouts are where the bytes of a state lie.
type whereabouts uint8

const (
	nowhere whereabouts = iota // there is no state
	atHome                     // in the inode table
	inCopy                     // in the copy that transaction tx has of its block
	inKept                     // in a keep
)

type stateMarks uint8

const (
	markFast     stateMarks = 1 << iota // of a record of a fast commit
	markStray                           // of a copy that no descriptor covers: the time is not known
	markEmpty                           // of a regular file of no size
	markPointers                        // of a regular file with indirect blocks
)

func (s *state) known() bool           { return s.where != nowhere }
func (s *state) has(m stateMarks) bool { return s.marks&m != 0 }
func (s *state) typ() uint16           { return s.mode & layout.ModeMask }
func (s *state) mark(m stateMarks, on bool) {
	if on {
		s.marks |= m
	}
}

// newState makes the state of an inode, without its whereabouts.
func newState(in *ext.Inode, tx moment, fast bool) state {
	s := state{tx: tx, mode: in.Mode}
	s.mark(markFast, fast)
	s.mark(markStray, tx == strayUncovered)
	s.mark(markEmpty, in.Size() == 0 && in.IsRegular())
	s.mark(markPointers, in.IsRegular() && in.Flags&(layout.FlagExtents|layout.FlagInlineData) == 0)
	return s
}

// newer reports whether a state is as new as another, or that is none.
func (s *state) newer(old *state) bool {
	return !old.known() || s.tx > old.tx || s.tx == old.tx && (s.has(markFast) || !old.has(markFast))
}

// place notes where the bytes of a state lie, and keeps those that could not be found again.
// It gives false where there is no room for them.
func (f *finder) place(s *state, in *ext.Inode) bool {
	if !s.has(markFast | markStray) {
		if c, at, ok := f.copyOf(in.Ino, s.tx); ok && f.log.Journal.Log().Offset(c.Log)+at == in.Offset {
			s.where = inCopy
			return true
		}
	}
	at, ok := f.keep.put(in)
	if !ok {
		f.limit("states of inodes take more than %d bytes: those beyond are left out", int64(maxKept))
		return false
	}
	s.where, s.kept = inKept, at
	return true
}

// copyOf gives the copy that a transaction has of the block of an inode, and the byte in
// it where that lies.
func (f *finder) copyOf(ino Ino, tx moment) (c jbd2.Copy, at int64, ok bool) {
	off, ok := f.fs.InodeOffset(ino)
	if !ok || f.log == nil {
		return c, 0, false
	}
	bs := int64(f.fs.BlockSize())
	c, ok = f.log.Archive.Before(Block(off/bs), tx.tx()+1)
	return c, off % bs, ok
}

// load reads the inode of a state. Several goroutines may call it.
func (f *finder) load(ino Ino, s *state) (*ext.Inode, error) {
	raw := make([]byte, f.fs.InodeSize())
	switch s.where {
	case inCopy:
		c, at, _ := f.copyOf(ino, s.tx)
		if err := f.copies.read(f.log, raw, c, at); err != nil {
			return nil, err
		}
		return f.fs.DecodeInode(raw, ino, f.log.Journal.Log().Offset(c.Log)+at), nil
	case inKept:
		k := f.keep.list[s.kept]
		copy(raw, f.keep.bytes.from(k.at))
		in := f.fs.DecodeInode(raw, ino, k.off)
		in.ChecksumOK = in.ChecksumOK || s.has(markFast) // that of the record does not say
		return in, nil
	}
	return f.fs.Inode(ino)
}

// inode is load where what cannot be read any more is zeros, and told.
func (f *finder) inode(ino Ino, s *state) *ext.Inode {
	in, err := f.load(ino, s)
	if err != nil {
		f.fail(err)
		in = f.fs.DecodeInode(make([]byte, f.fs.InodeSize()), ino, 0)
	}
	return in
}

// today is the state of the inode in the inode table.
func (l *life) today() *state { return &state{tx: latest, where: atHome, mode: l.mode} }

// homeOf gives the inode today of an incarnation, nil where it is not its own any more.
func (f *finder) homeOf(l *life) *ext.Inode {
	if !l.home {
		return nil
	}
	return f.inode(l.ino, l.today())
}

// maxKept bounds the bytes of inodes that are kept.
const maxKept = 1 << 30

// A keep has bytes of inodes.
type keep struct {
	bytes store
	list  []keptInode
}

type keptInode struct {
	at  uint32 // where they are kept
	off int64  // where they were read, in bytes
}

func (k *keep) put(in *ext.Inode) (n int32, ok bool) {
	if len(k.list)*len(in.Raw) >= maxKept {
		return 0, false
	}
	at, ok := k.bytes.put(in.Raw)
	k.list = append(k.list, keptInode{at, in.Offset})
	return int32(len(k.list) - 1), ok
}

// A copyReader reads inodes from copies of their blocks, of which mostly several are asked
// for one behind the other.
type copyReader struct {
	mu    sync.Mutex
	slots [32]struct {
		log uint32 // block of the log plus one
		b   []byte
	}
}

func (r *copyReader) read(l *history.Log, p []byte, c jbd2.Copy, at int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.slots[c.Log%uint32(len(r.slots))]
	if s.log != c.Log+1 {
		if s.log = 0; s.b == nil {
			s.b = make([]byte, l.FS.BlockSize())
		}
		if err := l.Journal.ReadCopy(s.b, c); err != nil {
			return err
		}
		s.log = c.Log + 1
	}
	copy(p, s.b[at:])
	return nil
}
