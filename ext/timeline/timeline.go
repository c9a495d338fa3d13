// Package timeline puts what inodes say of time into one order: of live files, orphans,
// deleted files and, where asked, of every state that the journal still holds; and marks
// what about a time is odd. Finding deleted files and reading the journal is left to
// packages undelete and history, and writing it down to others.
package timeline

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/undelete"
)

// Ino is layout's inode number.
type Ino = layout.Ino

// Marks say which times an event is of, as bits.
type Marks uint8

// The marks: contents modified, accessed, inode changed, born, deleted.
const (
	Modified Marks = 1 << iota
	Accessed
	Changed
	Born
	Deleted
)

// String writes marks in their order, with a dot for each that is not there: "m.c..".
func (m Marks) String() string {
	b := []byte("macbd")
	for i := range b {
		if m>>i&1 == 0 {
			b[i] = '.'
		}
	}
	return string(b)
}

// A State says whose time it is.
type State uint8

// The states.
const (
	Live    State = iota // a file that has a name
	Orphan               // in use, or not deleted yet, without a name
	Gone                 // a deleted file
	Version              // an earlier state of an inode, out of the journal
)

func (s State) String() string { return [...]string{"live", "orphan", "deleted", "journal"}[s] }

// A stamp is a time as ext4 keeps it, 34 bits of seconds from 1901 on and 30 of nanoseconds,
// plus one; 0 is none. Stamps compare as times do.
type stamp uint64

const (
	firstSecond = -1 << 31 // 1901-12-13
	lastSecond  = 1<<34 + firstSecond - 1
)

func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}
	sec := min(max(t.Unix(), firstSecond), lastSecond-1)
	return stamp(uint64(sec-firstSecond)<<30|uint64(t.Nanosecond())) + 1
}

func (s stamp) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s.sec(), int64(s.nsec())).UTC()
}

func (s stamp) sec() int64   { return int64((s-1)>>30) + firstSecond }
func (s stamp) nsec() uint32 { return uint32((s - 1) & (1<<30 - 1)) }

// A subject is one state of one inode.
type subject struct {
	ino, gen uint32
	uid, gid uint32
	size     uint64
	times    [5]stamp // by the bit of their mark
	from     int32    // of a candidate its place, of a Version its transaction
	mode     uint16
	state    State
	fast     uint8 // which fast commit behind the transaction, 255 for all beyond
	odd      oddBits
}

// An event is one time of a subject: all marks of it that have that time.
type event struct {
	at      stamp
	subject uint32
	marks   Marks
}

// A Timeline is all events of a file system.
type Timeline struct {
	fs       *ext.FS
	names    *links.Names
	tree     *links.Tree
	deleted  *undelete.Result
	log      *history.Log
	subjects []subject
	events   []event
	live     []uint32 // by inode: place of its subject plus one
	formerly map[identity]int32
}

// An identity is one file that an inode number was.
type identity struct{ ino, gen uint32 }

// A Row is an event of one name of a file, or for a body file a file with all its times.
// Slices are not to be changed.
type Row struct {
	Time   time.Time
	Marks  Marks
	Times  [5]time.Time // all of the inode's, by the bit of their mark
	Size   uint64
	Mode   uint16
	UID    uint32
	GID    uint32
	Ino    Ino
	Gen    uint32
	State  State
	Path   []byte // "@N" where none is known
	Target []byte // of a symlink that is live
	Source string // where the times were read
	Commit time.Time
	Grade  undelete.Grade
	Odd    []Odd // what is odd about one of the marks
}

// Options say what a timeline is made of.
type Options struct {
	Tree     *links.Tree      // a survey of the same file system; nil makes one
	Deleted  *undelete.Result // nil leaves deleted files out
	Log      *history.Log     // nil leaves the journal's versions out
	Since    time.Time        // events before that are left out, unless zero
	Until    time.Time        // and after that
	Progress func(done, total int)
}

// Build gathers the events. The error is ctx's.
func Build(ctx context.Context, f *ext.FS, o Options) (*Timeline, error) {
	t := &Timeline{fs: f, deleted: o.Deleted, log: o.Log, formerly: map[identity]int32{}}
	parts := make([][]subject, ext.Workers())
	rules := newRules(f)
	visit := func(w int, in *ext.Inode) {
		if in.Links > 0 && in.Mode&layout.ModeMask != 0 && !f.Reserved(in.Ino) || in.Ino == layout.RootIno {
			s := subjectOf(in)
			s.odd = rules.live(in)
			parts[w] = append(parts[w], s)
		}
	}
	tree, err := o.Tree, error(nil)
	if tree == nil {
		tree, err = links.Survey(ctx, f, links.Hooks{Inode: visit, Progress: o.Progress})
	} else {
		// What is lost is told in the survey's damage.
		err = f.ScanInodes(ctx, visit, func(Ino, uint32, error) {})
	}
	if err != nil {
		return nil, err
	}
	t.tree = tree
	t.subjects = slices.Concat(parts...)
	parts = nil
	slices.SortFunc(t.subjects, func(a, b subject) int { return cmp.Compare(a.ino, b.ino) })
	want := tree.NewSet()
	t.live = make([]uint32, tree.Limit())
	for i := range t.subjects {
		s := &t.subjects[i]
		want.Add(Ino(s.ino))
		if int(s.ino) < len(t.live) {
			t.live[s.ino] = uint32(i) + 1
		}
	}
	if t.names, err = tree.Names(ctx, want); err != nil {
		return nil, err
	}
	t.addDeleted(rules)
	if err := t.addVersions(ctx, rules); err != nil {
		return nil, err
	}
	t.order(o)
	return t, ctx.Err()
}

func subjectOf(in *ext.Inode) subject {
	return subject{ino: uint32(in.Ino), gen: in.Generation, uid: in.UID, gid: in.GID, size: in.Size(), mode: in.Mode,
		times: [5]stamp{stampOf(in.Mtime), stampOf(in.Atime), stampOf(in.Ctime), stampOf(in.Crtime)}}
}

// addDeleted adds deleted files and orphans.
func (t *Timeline) addDeleted(rules *rules) {
	if t.deleted == nil {
		return
	}
	i := int32(-1)
	for c := range t.deleted.All() {
		if i++; c.Live {
			continue // its inode is told of as it is
		}
		s := subject{ino: uint32(c.Ino), gen: c.Gen, size: c.Size, mode: c.Type}
		if c.In != nil {
			s = subjectOf(c.In)
			s.ino, s.size = uint32(c.Ino), c.Size
			s.odd = rules.deleted(c.In)
		}
		s.state, s.from = Gone, i
		if c.Technique == undelete.Orphan {
			s.state = Orphan
		}
		if at := c.DeletedAt; !at.IsZero() {
			s.times[4] = stampOf(at)
		}
		if c.Ino != 0 {
			t.formerly[identity{s.ino, s.gen}] = i
		}
		t.subjects = append(t.subjects, s)
	}
}

// addVersions adds the states of inodes that the journal holds, with the times that
// neither the state before nor the file of today has.
func (t *Timeline) addVersions(ctx context.Context, rules *rules) error {
	if t.log == nil {
		return nil
	}
	return t.log.EachInode(ctx, nil, func(tx, fast int, in, before *ext.Inode) {
		if in.Mode == 0 || t.fs.Reserved(in.Ino) && in.Ino != layout.RootIno || len(t.subjects) >= maxSubjects {
			return
		}
		s := subjectOf(in)
		s.state, s.from, s.fast = Version, int32(tx), uint8(min(fast, 255))
		s.odd = rules.version(in, before, t.log.Transactions()[tx].CommitTime)
		if now := t.now(in); now != nil {
			now.odd |= rules.since(in, now)
		}
		any := s.odd != 0
		for i := range s.times {
			if before != nil && before.Generation == in.Generation && s.times[i] == subjectOf(before).times[i] {
				s.times[i] = 0
			} else if now := t.now(in); now != nil && now.times[i] == s.times[i] {
				s.times[i] = 0
			}
			any = any || s.times[i] != 0
		}
		if any {
			t.subjects = append(t.subjects, s)
		}
	})
}

// maxSubjects bounds what a hostile journal can make of itself.
const maxSubjects = 1 << 26

// now is the subject of a file that is still there.
func (t *Timeline) now(in *ext.Inode) *subject {
	if int(in.Ino) >= len(t.live) || t.live[in.Ino] == 0 {
		return nil
	}
	if s := &t.subjects[t.live[in.Ino]-1]; s.gen == in.Generation {
		return s
	}
	return nil
}

// order makes events of the subjects, and sorts them.
func (t *Timeline) order(o Options) {
	since, until := stampOf(o.Since), stampOf(o.Until)
	for i := range t.subjects {
		s := &t.subjects[i]
		var done Marks
		for k := range s.times {
			at := s.times[k]
			if at == 0 || done>>k&1 != 0 || since != 0 && at < since || until != 0 && at > until {
				continue
			}
			e := event{at: at, subject: uint32(i)}
			for m := k; m < len(s.times); m++ {
				if s.times[m] == at {
					e.marks |= 1 << m
				}
			}
			done |= e.marks
			t.events = append(t.events, e)
		}
	}
	slices.SortFunc(t.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(t.subjects[a.subject].ino, t.subjects[b.subject].ino), cmp.Compare(a.subject, b.subject))
	})
}

// Len is how many events there are; one of a file with several names is one.
func (t *Timeline) Len() int { return len(t.events) }

// Damage lists what could not be read.
func (t *Timeline) Damage() (list []links.Damage, more uint64) { return t.tree.Damage() }

// Moments yields all events, the oldest first, as nothing but their times: one of a file
// with several names is one.
func (t *Timeline) Moments() iter.Seq2[time.Time, Marks] {
	return func(yield func(time.Time, Marks) bool) {
		for i := range t.events {
			if !yield(t.events[i].at.time(), t.events[i].marks) {
				return
			}
		}
	}
}

// Events yields all events, the oldest first, a row for each name of the file. The row
// is valid until the next one.
func (t *Timeline) Events() iter.Seq[*Row] { return t.rows(false) }

// OddEvents yields those events about which something is odd.
func (t *Timeline) OddEvents() iter.Seq[*Row] { return t.rows(true) }

func (t *Timeline) rows(odd bool) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		var row Row
		for i := range t.events {
			e := &t.events[i]
			s := &t.subjects[e.subject]
			about := s.odd.of(e.marks)
			if odd && len(about) == 0 {
				continue
			}
			t.fill(&row, s)
			row.Time, row.Marks, row.Odd = e.at.time(), e.marks, about
			if !t.each(&row, s, yield) {
				return
			}
		}
	}
}

// Files yields each file and version with all its times, live ones first and by inode: the
// order of a body file.
func (t *Timeline) Files() iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		var row Row
		for i := range t.subjects {
			s := &t.subjects[i]
			t.fill(&row, s)
			for k := range s.times {
				row.Times[k] = s.times[k].time()
			}
			if !t.each(&row, s, yield) {
				return
			}
		}
	}
}

func (t *Timeline) fill(row *Row, s *subject) {
	*row = Row{Size: s.size, Mode: s.mode, UID: s.uid, GID: s.gid, Ino: Ino(s.ino), Gen: s.gen, State: s.state, Source: "inode"}
	switch s.state {
	case Version:
		tx := &t.log.Transactions()[s.from]
		row.Source, row.Commit = fmt.Sprintf("transaction %d", tx.Sequence), tx.CommitTime
		if s.fast > 0 {
			row.Source += ", fast commit"
		}
	case Gone, Orphan:
		c := t.deleted.Outline(int(s.from))
		row.Source, row.Grade = string(c.Technique), c.Grade
	}
}

// each yields a row for each name of a subject.
func (t *Timeline) each(row *Row, s *subject, yield func(*Row) bool) bool {
	if s.state == Live || s.state == Version && int(s.ino) < len(t.live) && t.live[s.ino] > 0 && t.subjects[t.live[s.ino]-1].gen == s.gen {
		if row.Mode&layout.ModeMask == layout.ModeSymlink {
			if in, err := t.fs.Inode(row.Ino); err == nil && in.Generation == s.gen {
				row.Target, _ = t.fs.Readlink(in)
			}
		}
		if row.Mode&layout.ModeMask == layout.ModeDir || row.Ino == layout.RootIno {
			if dir := t.names.Dir(row.Ino); dir[0] == '/' {
				row.Path = dir
				return yield(row)
			}
		}
		names := t.names.Of(row.Ino)
		for _, n := range names {
			row.Path = t.names.Path(n)
			if !yield(row) {
				return false
			}
		}
		if len(names) > 0 {
			return true
		}
		if row.State == Live {
			row.State = Orphan
		}
		row.Path = at(row.Ino)
		return yield(row)
	}
	row.Path = at(row.Ino)
	place, known := s.from, s.state != Version
	if !known {
		place, known = t.formerly[identity{s.ino, s.gen}]
	}
	if known {
		c := t.deleted.Outline(int(place))
		row.Target = c.Target
		switch {
		case c.Path != nil:
			row.Path = c.Path
		case c.Name != nil:
			row.Path = append(append(at(row.Ino), '/'), c.Name...)
		}
	}
	return yield(row)
}

func at(ino Ino) []byte { return fmt.Appendf(nil, "@%d", ino) }
