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
}

func (t *Tree) newResolver(mountedAt string, l *lookups) *resolver {
	r := &resolver{t: t, lookups: l, targets: map[Ino][]byte{}}
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

// maxTarget bounds a path while targets are put in place of links, in bytes.
const maxTarget = 4096 * ext.MaxLinks

// follow leads a symlink's target, met in directory dir, to its end. links is
// how many were followed before, the one with this target included.
func (r *resolver) follow(dir Ino, target []byte, links int) Outcome {
	at := dir
	rest := target
	if len(target) == 0 {
		return Outcome{State: StateRotten, Dir: dir, Name: []byte{}}
	}
	if target[0] == '/' {
		var external bool
		if rest, external = r.absolute(target); external {
			return Outcome{State: StateExternal}
		}
		at = layout.RootIno
	}
	out := Outcome{State: StateOK, Ino: at, Dir: at}
	for {
		rest = bytes.TrimLeft(rest, "/")
		if len(rest) == 0 {
			out.Ino = at
			return out
		}
		var name []byte
		name, after, slash := bytes.Cut(rest, []byte("/"))
		if r.t.Type(at) != layout.ModeDir {
			return Outcome{State: StateRotten, Dir: at, Name: name, NotDir: true}
		}
		switch string(name) {
		case ".":
			out.Dir, out.Name, rest = at, nil, after
			continue
		case "..":
			at = r.up(at)
			out.Dir, out.Name, rest = at, nil, after
			continue
		}
		ino, known := r.lookups.find(at, name)
		switch {
		case !known:
			r.queries = append(r.queries, query{key: r.lookups.key(at, name), dir: at})
			return Outcome{State: statePending}
		case ino == 0 && r.t.broken.Has(at):
			return Outcome{State: StateUnreadable, Dir: at, Name: name, Err: errHidden}
		case ino == 0 && r.mount == nil && r.mountPoint(at):
			return Outcome{State: StateExternal}
		case ino == 0 || !r.t.InUse(ino):
			return Outcome{State: StateRotten, Dir: at, Name: name}
		}
		if r.t.Type(ino) == layout.ModeSymlink {
			if links++; links > ext.MaxLinks {
				return Outcome{State: StateLoop, Dir: at, Name: name}
			}
			next, err := r.target(ino)
			switch {
			case err != nil:
				return Outcome{State: StateUnreadable, Dir: at, Name: name, Err: err}
			case len(next) == 0:
				return Outcome{State: StateRotten, Dir: at, Name: name}
			}
			if next[0] == '/' {
				inside, external := r.absolute(next)
				if external {
					return Outcome{State: StateExternal}
				}
				at, next = layout.RootIno, inside
			}
			if slash {
				joined := make([]byte, 0, len(next)+1+len(after))
				rest = append(append(append(joined, next...), '/'), after...)
			} else {
				rest = next
			}
			if len(rest) > maxTarget {
				return Outcome{State: StateLoop, Dir: at, Name: name}
			}
			out.Dir, out.Name = at, nil
			continue
		}
		out.Dir, out.Name = at, name
		if slash && r.t.Type(ino) != layout.ModeDir {
			return Outcome{State: StateRotten, Dir: at, Name: name, NotDir: true}
		}
		at, rest = ino, after
	}
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
