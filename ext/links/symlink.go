package links

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A Symlink is one name of a symlink, and where it leads.
type Symlink struct {
	Path     []byte
	Ino      Ino
	Target   []byte
	Length   uint64 // i_size: of an encrypted target, the ciphertext's
	Storage  string // one of ext's Target constants
	State    string
	Resolved []byte // the canonical path it leads to, nil unless OK
	To       Ino    // the inode it leads to, 0 unless OK
	Missing  []byte // the first component that fails, nil unless rotten
	In       []byte // the path of the directory where it was looked for
	NotDir   bool   // that is no directory
	Cause    string // CauseDeleted, CauseRenamed, CauseUnknown, or "" unless rotten
	MovedTo  []byte // the path that the missing name's inode has now
	Err      error  // why it is unreadable

	MissingIno Ino       // what the missing name named, 0 where that is not known
	Deleted    time.Time // when that was deleted, by a commit; zero where that is not known
	Sequence   uint32    // of that commit, or 0

	inDir Ino // the directory of In
}

// SymlinkOptions says how to judge symlinks; the zero value is right for a root
// file system.
type SymlinkOptions struct {
	// MountedAt is the directory that the file system was mounted at: absolute
	// targets below it resolve inside, and others are external. Empty for the
	// root, where only /proc, /sys, /dev and /run are external.
	MountedAt string
	// Keep leaves out the symlinks for which it gives false; nil keeps all. It
	// is called from several goroutines.
	Keep func(*Symlink) bool
	// Past tells what became of names that are gone, beside what is left of them in
	// directories; nil where there is no journal.
	Past Past
}

// batch is how many symlinks a worker judges before it hands them on.
const batch = 256

// Symlinks judges every name of every symlink, by inode number and path. The
// error is ctx's.
func (t *Tree) Symlinks(ctx context.Context, o SymlinkOptions) (iter.Seq[Symlink], error) {
	want := t.NewSet()
	t.AddSymlinks(want)
	names, err := t.Names(ctx, want)
	if err != nil {
		return nil, err
	}
	return t.Judge(ctx, o, names)
}

// AddSymlinks puts the symlinks in use into a set.
func (t *Tree) AddSymlinks(set Set) {
	for _, ref := range t.symlinks {
		set.Add(ref.ino)
	}
}

// Judge is Symlinks with the names of all symlinks at hand.
//
// Names on the way are looked up among those of directories and symlinks, which
// the survey keeps. Of the rest a list is made, and all of it is looked up in
// one more pass over the directories. The sequence ends early when ctx does.
func (t *Tree) Judge(ctx context.Context, o SymlinkOptions, names *Names) (iter.Seq[Symlink], error) {
	l := t.newLookups()
	defer l.ahead.Wait()
	if o.Past != nil && t.aims != nil { // else names that are there are asked for as well
		l.prepare = func() { o.Past.Prepare(ctx, t) }
	}
	settled := make(Set, len(t.symlinks)/64+1) // by index: those that are left out whatever else is learned
	err := t.eachBatch(ctx, t.symlinks, func(w int) func(i int, refs []symlinkRef) {
		r := t.newResolver(o.MountedAt, l)
		return func(i int, refs []symlinkRef) {
			for j := range refs {
				ref := &refs[j]
				s := &r.at
				*s = r.read(*ref)
				if ref.length == 0 && s.Storage == ext.TargetBlock && s.State == "" {
					ref.block = true
					t.keepTarget(w, ref, s.Target, s.Length)
				}
				if r.settle(s, names, o.Keep) {
					settled.Add(Ino(i*batch + j)) // a batch has words of its own
				}
			}
			l.ask(&r.queries)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := l.answer(ctx); err != nil {
		return nil, err
	}
	if err := l.remember(ctx, o.Past); err != nil {
		return nil, err
	}
	now, err := l.whereabouts(ctx)
	if err != nil {
		return nil, err
	}
	judge := func(ctx context.Context, from, to int) ([][]Symlink, error) {
		results := make([][]Symlink, (to-from+batch-1)/batch)
		return results, t.eachBatch(ctx, t.symlinks[from:to], func(int) func(i int, refs []symlinkRef) {
			r := t.newResolver(o.MountedAt, l)
			return func(i int, refs []symlinkRef) {
				open := 0
				for j := range refs {
					if !settled.Has(Ino(from + i*batch + j)) {
						open++
					}
				}
				results[i] = make([]Symlink, 0, open)
				for j, ref := range refs {
					if !settled.Has(Ino(from + i*batch + j)) {
						r.at = r.read(ref)
						r.judge(&results[i], &r.at, names, o.Keep)
					}
				}
				l.causes(results[i], now)
			}
		})
	}
	return func(yield func(Symlink) bool) {
		// A window of batches at a time, so that output can stream; the next one is
		// judged while one is handed on.
		ctx, cancel := context.WithCancel(ctx)
		windows := make(chan [][]Symlink)
		go func() {
			defer close(windows)
			size := batch * ext.Workers() * 4
			for from := 0; from < len(t.symlinks); from += size {
				w, err := judge(ctx, from, min(from+size, len(t.symlinks)))
				if err != nil {
					return
				}
				select {
				case windows <- w:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range windows { // until it is gone
			}
		}()
		for w := range windows {
			for i := range w {
				for _, s := range w[i] {
					if !yield(s) {
						return
					}
				}
			}
		}
	}, nil
}

// eachBatch hands symlinks out to workers, a batch at a time.
func (t *Tree) eachBatch(ctx context.Context, refs []symlinkRef, start func(worker int) func(i int, refs []symlinkRef)) error {
	batches := (len(refs) + batch - 1) / batch
	return ext.Parallel(ctx, batches, func(w int) func(int) {
		work := start(w)
		return func(i int) { work(i, refs[i*batch:min((i+1)*batch, len(refs))]) }
	})
}

// settle follows a symlink from each of its names, so that what is not known yet is
// asked for, and reports whether keep leaves all of them out.
func (r *resolver) settle(s *Symlink, names *Names, keep func(*Symlink) bool) bool {
	settled := keep != nil
	one := func(dir Ino) {
		if s.State != "" {
			settled = settled && !keep(s)
			return
		}
		o := r.follow(dir, s.Target)
		if settled {
			s.State, s.NotDir, s.Err = o.State, o.NotDir, o.Err
			settled = o.State != statePending && !keep(s)
			s.State, s.NotDir, s.Err = "", false, nil // for the next name
		}
	}
	records, _ := names.of(s.Ino)
	for i := range records {
		one(records[i].dir)
	}
	if len(records) == 0 {
		one(layout.RootIno)
	}
	return settled
}

// judge appends s for each name of its inode, but those that keep does not
// want.
func (r *resolver) judge(out *[]Symlink, s *Symlink, names *Names, keep func(*Symlink) bool) {
	from := len(*out)
	// In its place at once: there are many, and they are large.
	emit := func(dir Ino, path func() []byte) {
		*out = append(*out, *s)
		one := &(*out)[len(*out)-1]
		if one.State == "" {
			r.outcome(one, r.follow(dir, one.Target), names, keep)
		}
		if keep == nil || keep(one) {
			one.Path = path()
		} else {
			*out = (*out)[:len(*out)-1]
		}
	}
	records, of := names.of(s.Ino)
	for i := range records {
		n := &records[i]
		emit(n.dir, func() []byte { return names.Path(Name{n.dir, of.bytes(n)}) })
	}
	if len(records) == 0 { // only an absolute target leads anywhere
		emit(layout.RootIno, func() []byte { return nil })
	}
	slices.SortFunc((*out)[from:], func(a, b Symlink) int { return bytes.Compare(a.Path, b.Path) })
}

// read gives what the inode itself tells; State is set where the target cannot
// be followed.
func (r *resolver) read(ref symlinkRef) Symlink {
	if ref.length > 0 {
		s := Symlink{Ino: ref.ino, Length: uint64(ref.length), Storage: ext.TargetInline}
		s.Target = r.t.keptTarget(&ref)
		if ref.block {
			s.Storage = ext.TargetBlock
		}
		return s
	}
	in, err := r.t.FS.Inode(ref.ino)
	if err != nil {
		return Symlink{Ino: ref.ino, State: StateUnreadable, Err: err}
	}
	s := Symlink{Ino: ref.ino, Length: in.Size(), Storage: r.t.FS.TargetStorage(in)}
	s.Target, s.Err = r.t.FS.Readlink(in)
	if s.Err == nil && s.Storage == ext.TargetEncrypted {
		s.Err = errEncrypted
	}
	if s.Err != nil {
		s.State = StateUnreadable
	}
	return s
}

var errEncrypted = &ext.UnsupportedError{What: "following an encrypted target without its key"}

func (r *resolver) outcome(s *Symlink, o Outcome, names *Names, keep func(*Symlink) bool) {
	s.State, s.To, s.Err, s.NotDir = o.State, 0, o.Err, o.NotDir
	if keep != nil && !keep(s) {
		return // no need to build its paths
	}
	switch o.State {
	case StateOK:
		s.To = o.Ino
		if o.Name == nil || r.t.Type(o.Ino) == layout.ModeDir {
			s.Resolved = names.Dir(o.Ino)
		} else {
			s.Resolved = names.Path(Name{o.Dir, o.Name})
		}
	case StateRotten:
		s.Missing = o.Name
		s.missingIn(o.Dir, names)
	}
}

// missingIn notes where the missing component was looked for. Dir may be a
// file, when the path leads through one.
func (s *Symlink) missingIn(dir Ino, names *Names) {
	s.inDir = dir
	if names.t.Type(dir) == layout.ModeDir {
		s.In = names.Dir(dir)
	}
}
