package links

import (
	"bytes"
	"errors"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// States of a symlink.
const (
	StateOK         = "ok"
	StateRotten     = "rotten"     // a component of the path is not there
	StateLoop       = "loop"       // more than 40 symlinks on the way
	StateExternal   = "external"   // leads to another file system
	StateUnreadable = "unreadable" // the target, or a directory on the way, could not be read

	statePending = "pending" // a name on the way is still to be looked up
)

var errHidden = errors.New("part of a directory on the way could not be read")

// runtimeDirs are the directories at the root that other file systems cover on
// a running machine.
var runtimeDirs = []string{"proc", "sys", "dev", "run"}

// An Outcome is where a path leads.
type Outcome struct {
	State string
	Ino   Ino    // what it leads to, when OK
	Dir   Ino    // the directory of the last component looked up
	Name  []byte // that component; nil when the path ends in "/", "." or ".."
	// For a rotten one: Name in Dir is the first component that fails. NotDir
	// says that Dir is no directory.
	NotDir bool
	Err    error // for an unreadable one
}

// A resolver follows paths inside the file system, never on the host. It is for
// one goroutine.
type resolver struct {
	t       *Tree
	lookups *lookups
	queries []query // asked and not answered yet
	// mount are the components of the directory that the file system was
	// mounted at; nil when it was the root.
	mount [][]byte
	// targets keeps the targets of links met on the way.
	targets map[Ino][]byte
	led     map[ledKey]led
	above   map[Ino]Ino  // of directories that nothing names
	mounts  map[Ino]bool // whether directories are mount points
	at      Symlink      // scratch
}

func (t *Tree) newResolver(mountedAt string, l *lookups) *resolver {
	r := &resolver{t: t, lookups: l, targets: map[Ino][]byte{}, led: map[ledKey]led{}, above: map[Ino]Ino{}, mounts: map[Ino]bool{}}
	for _, c := range bytes.Split([]byte(mountedAt), []byte("/")) {
		if len(c) > 0 {
			r.mount = append(r.mount, c)
		}
	}
	return r
}

// absolute says where an absolute target goes on inside the file system, or
// that it leaves it.
func (r *resolver) absolute(target []byte) (rest []byte, external bool) {
	rest = bytes.TrimLeft(target, "/")
	if r.mount == nil {
		first, _, _ := bytes.Cut(rest, []byte("/"))
		for _, d := range runtimeDirs {
			if string(first) == d {
				return nil, true
			}
		}
		return rest, false
	}
	for _, m := range r.mount {
		first, after, _ := bytes.Cut(rest, []byte("/"))
		if !bytes.Equal(first, m) {
			return nil, true
		}
		rest = bytes.TrimLeft(after, "/")
	}
	return rest, false
}

// follow leads a symlink's target, met in directory dir, to its end. As in the
// kernel, more than MaxLinks symlinks on the way, this one included, are a loop
// whatever comes behind them.
func (r *resolver) follow(dir Ino, target []byte) Outcome {
	out, links := r.lead(dir, target, 0)
	if 1+links > ext.MaxLinks {
		return Outcome{State: StateLoop, Dir: out.Dir, Name: out.Name}
	}
	return out
}

// lead is follow without that bound; links is how many others were followed, no
// more than tell a loop.
func (r *resolver) lead(dir Ino, target []byte, depth int) (out Outcome, links int) {
	at := dir
	rest := target
	if len(target) == 0 {
		return Outcome{State: StateRotten, Dir: dir, Name: []byte{}}, 0
	}
	if target[0] == '/' {
		var external bool
		if rest, external = r.absolute(target); external {
			return Outcome{State: StateExternal}, 0
		}
		at = layout.RootIno
	}
	lastDir, last := at, []byte(nil) // as Dir and Name of the outcome
	isDir := r.t.Type(at) == layout.ModeDir
	for {
		for len(rest) > 0 && rest[0] == '/' {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return Outcome{State: StateOK, Ino: at, Dir: lastDir, Name: last}, links
		}
		name, after, slash := rest, rest[len(rest):], false
		if n := bytes.IndexByte(rest, '/'); n >= 0 {
			name, after, slash = rest[:n], rest[n+1:], true
		}
		if !isDir {
			return Outcome{State: StateRotten, Dir: at, Name: name, NotDir: true}, links
		}
		rest = after
		switch string(name) {
		case ".":
			lastDir, last = at, nil
			continue
		case "..":
			at = r.up(at)
			lastDir, last, isDir = at, nil, r.t.Type(at) == layout.ModeDir
			continue
		}
		ino, known := r.lookups.find(at, name)
		kind, used := r.t.look(ino)
		switch {
		case !known:
			r.queries = append(r.queries, r.lookups.queries(at, name)...)
			return Outcome{State: statePending}, links
		case ino == 0 && r.t.isBroken(at):
			return Outcome{State: StateUnreadable, Dir: at, Name: name, Err: errHidden}, links
		case ino == 0 && r.mount == nil && r.mountPoint(at):
			return Outcome{State: StateExternal}, links
		case ino == 0 || !used:
			return Outcome{State: StateRotten, Dir: at, Name: name}, links
		}
		if kind == layout.ModeSymlink {
			one := r.link(at, ino, name, depth)
			if links += one.links; one.out.State != StateOK || links > ext.MaxLinks {
				return one.out, links
			}
			at, lastDir, last = one.out.Ino, one.out.Dir, one.out.Name
			kind = r.t.Type(at)
		} else {
			at, lastDir, last = ino, at, name
		}
		if isDir = kind == layout.ModeDir; slash && !isDir {
			return Outcome{State: StateRotten, Dir: lastDir, Name: last, NotDir: true}, links
		}
	}
}

// A led is where a symlink leads that was met on the way, and how many links
// that takes, itself included.
type led struct {
	out   Outcome
	links int
	busy  bool // being followed: whoever meets it again is in a circle
}

type ledKey struct{ dir, ino Ino }

const (
	ledLimit  = 1 << 15 // results kept
	leadDepth = 1 << 12 // links followed within each other, to find all results on the way
)

// link follows a symlink on the way, named in directory dir. Results are kept:
// else the work would grow with the length of the way times that of targets.
func (r *resolver) link(dir, ino Ino, name []byte, depth int) led {
	key := ledKey{dir, ino}
	loop := led{out: Outcome{State: StateLoop, Dir: dir, Name: name}, links: ext.MaxLinks + 1}
	if l, ok := r.led[key]; ok && !l.busy {
		return l
	} else if ok || depth > leadDepth {
		return loop
	}
	target, err := r.target(ino)
	switch {
	case err != nil:
		return led{out: Outcome{State: StateUnreadable, Dir: dir, Name: name, Err: err}, links: 1}
	case len(target) == 0:
		return led{out: Outcome{State: StateRotten, Dir: dir, Name: name}, links: 1}
	}
	if len(r.led) >= ledLimit {
		clear(r.led)
	}
	r.led[key] = led{busy: true}
	out, links := r.lead(dir, target, depth+1)
	l := led{out: out, links: min(links, ext.MaxLinks) + 1}
	r.led[key] = l
	return l
}

// mountPoint reports whether a directory is one of runtimeDirs, and empty: a
// relative target that leads into it, as that of /etc/mtab does, means what is
// mounted there.
func (r *resolver) mountPoint(dir Ino) bool {
	if r.t.Parent(dir) != layout.RootIno {
		return false
	}
	named := slices.ContainsFunc(r.t.base.Of(dir), func(n Name) bool {
		return n.Dir == layout.RootIno && slices.Contains(runtimeDirs, string(n.Name))
	})
	if !named {
		return false
	}
	mount, ok := r.mounts[dir]
	if !ok {
		mount = r.empty(dir)
		r.mounts[dir] = mount
	}
	return mount
}

// empty reports whether a directory holds nothing.
func (r *resolver) empty(dir Ino) bool {
	in, err := r.t.FS.Inode(dir)
	if err != nil {
		return false
	}
	for e, err := range r.t.FS.Entries(in, false) {
		if err != nil || !e.IsDot() {
			return false
		}
	}
	return true
}

// up is the directory above: the root is above itself.
func (r *resolver) up(dir Ino) Ino {
	if dir == layout.RootIno {
		return dir
	}
	if p := r.t.Parent(dir); p != 0 {
		return p
	}
	p, ok := r.above[dir]
	if !ok {
		p = r.dotdot(dir)
		r.above[dir] = p
	}
	return p
}

// dotdot is the directory that ".." names, or the directory itself.
func (r *resolver) dotdot(dir Ino) Ino {
	if in, err := r.t.FS.Inode(dir); err == nil {
		if p, err := r.t.FS.Lookup(in, []byte("..")); err == nil && r.t.Type(p) == layout.ModeDir {
			return p
		}
	}
	return dir
}

func (r *resolver) target(ino Ino) ([]byte, error) {
	if t, ok := r.targets[ino]; ok {
		return t, nil
	}
	in, err := r.t.FS.Inode(ino)
	if err != nil {
		return nil, err
	}
	target, err := r.t.FS.Readlink(in)
	if err != nil {
		return nil, err
	}
	if len(r.targets) > 1<<14 {
		clear(r.targets)
	}
	r.targets[ino] = target
	return target, nil
}
