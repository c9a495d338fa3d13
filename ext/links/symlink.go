package links

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

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
}

// batch is how many symlinks a worker judges before it hands them on.
const batch = 256

// Symlinks judges every name of every symlink, by inode number and path. The
// error is ctx's.
func (t *Tree) Symlinks(ctx context.Context, o SymlinkOptions) (iter.Seq[Symlink], error) {
	want := t.NewSet()
	for _, ino := range t.symlinks {
		want.Add(ino)
	}
	names, err := t.Names(ctx, want)
	if err != nil {
		return nil, err
	}
	return t.Judge(ctx, o, names)
}

// AllSymlinks lists the symlinks in use, by number.
func (t *Tree) AllSymlinks() []Ino { return t.symlinks }

// Judge is Symlinks with the names of all symlinks at hand.
func (t *Tree) Judge(ctx context.Context, o SymlinkOptions, names *Names) (iter.Seq[Symlink], error) {
	results := make([][]Symlink, (len(t.symlinks)+batch-1)/batch)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(ext.Workers(), len(results)) {
		wg.Go(func() {
			r := t.newResolver(o.MountedAt)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(results) {
					return
				}
				for _, ino := range t.symlinks[i*batch : min((i+1)*batch, len(t.symlinks))] {
					results[i] = r.judge(results[i], ino, names)
				}
				if o.Keep != nil {
					results[i] = slices.DeleteFunc(results[i], func(s Symlink) bool { return !o.Keep(&s) })
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := t.causes(ctx, results, names); err != nil {
		return nil, err
	}
	return func(yield func(Symlink) bool) {
		for _, r := range results {
			for _, s := range r {
				if !yield(s) {
					return
				}
			}
		}
	}, nil
}

// judge appends a Symlink for each name of ino.
func (r *resolver) judge(out []Symlink, ino Ino, names *Names) []Symlink {
	in, err := r.t.FS.Inode(ino)
	if err != nil {
		return append(out, Symlink{Path: names.First(ino), Ino: ino, State: StateUnreadable, Err: err})
	}
	s := Symlink{Ino: ino, Length: in.Size(), Storage: r.t.FS.TargetStorage(in)}
	s.Target, s.Err = r.t.FS.Readlink(in)
	from := len(out)
	for _, n := range names.of(ino) {
		one := s
		one.Path = names.Path(Name{n.dir, names.bytes(&n)})
		switch {
		case s.Err != nil:
			one.State = StateUnreadable
		case s.Storage == ext.TargetEncrypted:
			one.State = StateUnreadable
			one.Err = errEncrypted
		default:
			r.outcome(&one, r.follow(n.dir, s.Target, 1), names)
		}
		out = append(out, one)
	}
	if len(out) == from { // no name: only an absolute target leads anywhere
		if s.State = StateUnreadable; s.Err == nil && s.Storage != ext.TargetEncrypted {
			r.outcome(&s, r.follow(layout.RootIno, s.Target, 1), names)
		}
		out = append(out, s)
	}
	slices.SortFunc(out[from:], func(a, b Symlink) int { return bytes.Compare(a.Path, b.Path) })
	return out
}

var errEncrypted = &ext.UnsupportedError{What: "following an encrypted target without its key"}

func (r *resolver) outcome(s *Symlink, o Outcome, names *Names) {
	s.State, s.To, s.Err, s.NotDir = o.State, 0, o.Err, o.NotDir
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
