package ext

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/extscope/extscope/ext/layout"
)

// MaxWalkDepth bounds how deep a walk goes below its start.
const MaxWalkDepth = 4096

// WalkOptions says what a walk gives.
type WalkOptions struct {
	Removed  bool // also names that were taken away; none of them is gone into
	Dots     bool // also "." and ".."
	DirsOnly bool // only directories
	Inodes   bool // inodes are read ahead, as most will be asked for
	MaxDepth int  // how many levels to go down, the start's own names being the first; 0 is MaxWalkDepth
	// Doubt is asked of each directory gone into, and what it gives is yielded as an
	// error at its place; nil where there is none.
	Doubt func(dir Ino) error
}

// A WalkEntry is one name met by a walk. It and its slices are valid until the
// next one.
type WalkEntry struct {
	Path    []byte
	Name    []byte // as Namer spells it
	Ino     Ino
	Type    uint8 // layout.FT*: what the directory says, or the inode where that says nothing
	Depth   int   // 1 for a name in the directory that the walk started at
	Removed bool
	Last    bool  // of its directory
	Offset  int64 // where its record lies, in bytes

	fs   *FS
	read *Inode // read ahead, or nil
	own  *Inode // room for one that is read now
}

// Inode reads the inode of the entry. It is valid as long as the entry, and is
// not to be changed. Its checksum is not looked at.
func (e *WalkEntry) Inode() (*Inode, error) {
	if e.read == nil {
		if err := e.fs.inodeUnchecked(e.own, e.Ino); err != nil {
			return nil, fmt.Errorf("%s: %w", shown(e.Path), err)
		}
		e.read = e.own
	}
	return e.read, nil
}

// IsDot reports whether the entry is "." or "..".
func (e *WalkEntry) IsDot() bool { return isDotName(e.Name) }

// A WalkDir is one directory with its names, valid until the next one.
type WalkDir struct {
	Path  []byte
	Ino   Ino
	Depth int // 0 for the directory that the walk started at

	walk *walk
	node *walkNode
}

// Len is how many entries there are.
func (d *WalkDir) Len() int { return len(d.node.list.items) }

// Entries yields the entries by name. It can be ranged over repeatedly.
func (d *WalkDir) Entries() iter.Seq[*WalkEntry] {
	return func(yield func(*WalkEntry) bool) {
		e := d.walk.newEntry()
		p := append(make([]byte, 0, len(d.Path)+256), d.Path...)
		for i := range d.node.list.items {
			p = d.walk.fill(e, p, len(d.Path), d.node, i)
			if !yield(e) {
				return
			}
		}
	}
}

// Walk goes through all names below a directory, each directory's by name in
// byte order, and what is in a directory right behind its name. path is what
// paths start with; the start itself is not among them.
//
// Memory is bounded by the largest directory, not by their number: the next
// directories are read ahead, a few at a time, on all cores. Damage is yielded
// as an error at its place. A directory that was met before is named so and not
// gone into again, thus a walk ends on any image. Without Inodes a name's type
// is what its directory says.
func (f *FS) Walk(ctx context.Context, start *Inode, path []byte, o WalkOptions) iter.Seq2[*WalkEntry, error] {
	return func(yield func(*WalkEntry, error) bool) {
		w := f.newWalk(ctx, o)
		defer w.close()
		root := w.start(start)
		e := w.newEntry()
		p := append(make([]byte, 0, 4096), path...)
		fail := func(err error) bool { return yield(nil, err) }
		stack := []walkFrame{{node: root, path: len(p)}}
		if !w.tell(root, p, fail) {
			return
		}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			list := top.node.list
			if top.item == len(list.items) {
				w.leave(top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			i := top.item
			top.item++
			p = w.fill(e, p, top.path, top.node, i)
			if !yield(e, nil) {
				return
			}
			if top.sub == len(list.subs) || int(list.subs[top.sub]) != i {
				continue
			}
			k := top.sub
			top.sub++
			// The caller may have kept e.Path; ours is p.
			node, ok := w.enter(top.node, k, p, fail)
			if !ok {
				return
			}
			if node != nil {
				stack = append(stack, walkFrame{node: node, path: len(p)})
			}
		}
	}
}

// WalkDirs is Walk a directory at a time, the start first: each with all its
// names, then the directories in it, as ls -R lists them.
func (f *FS) WalkDirs(ctx context.Context, start *Inode, path []byte, o WalkOptions) iter.Seq2[*WalkDir, error] {
	return func(yield func(*WalkDir, error) bool) {
		w := f.newWalk(ctx, o)
		defer w.close()
		d := &WalkDir{walk: w}
		p := append(make([]byte, 0, 4096), path...)
		fail := func(err error) bool { return yield(nil, err) }
		give := func(n *walkNode) bool {
			d.Path, d.Ino, d.Depth, d.node = p, n.ino, n.depth, n
			return yield(d, nil)
		}
		root := w.start(start)
		if !w.tell(root, p, fail) || !give(root) {
			return
		}
		stack := []walkFrame{{node: root, path: len(p)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			list := top.node.list
			if top.sub == len(list.subs) {
				w.leave(top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			k := top.sub
			top.sub++
			p = appendPath(p[:top.path], list.name(int(list.subs[k])))
			node, ok := w.enter(top.node, k, p, fail)
			if !ok {
				return
			}
			if node == nil {
				continue
			}
			if !give(node) {
				return
			}
			stack = append(stack, walkFrame{node: node, path: len(p)})
		}
	}
}

// A walkFrame is a directory that the walk is in.
type walkFrame struct {
	node *walkNode
	item int // the next entry
	sub  int // the next directory among them
	path int // how long its path is
}

func (w *walk) newEntry() *WalkEntry { return &WalkEntry{fs: w.fs, own: new(Inode)} }

// fill sets e to entry i of a directory, whose path is p[:dir].
func (w *walk) fill(e *WalkEntry, p []byte, dir int, n *walkNode, i int) []byte {
	list := n.list
	it := &list.items[i]
	p = appendPath(p[:dir], list.name(i))
	e.Path, e.Name = p, p[len(p)-int(it.length):]
	e.Ino, e.Type, e.Removed, e.Offset = it.ino, it.typ, it.removed, it.where
	e.Depth, e.Last, e.read = n.depth+1, i == len(list.items)-1, nil
	if len(list.inodes) > 0 && list.inodes[i].Ino != 0 {
		e.read = &list.inodes[i]
	}
	return p
}

func appendPath(p, name []byte) []byte {
	if len(p) == 0 || p[len(p)-1] != '/' {
		p = append(p, '/')
	}
	return append(p, name...)
}

// enter goes into directory k of n, whose path is p. The node is nil where there
// is none to go into; ok is false when the walk is over.
func (w *walk) enter(n *walkNode, k int, p []byte, fail func(error) bool) (_ *walkNode, ok bool) {
	if err := w.ctx.Err(); err != nil {
		fail(err)
		return nil, false
	}
	ino := n.list.items[n.list.subs[k]].ino
	var why string
	switch {
	case n.depth+1 > MaxWalkDepth:
		why = fmt.Sprintf("more than %d directories deep", MaxWalkDepth)
	case w.met.has(ino):
		why = "a directory that was met before"
	case w.blocks > w.limit:
		why = "the directories before it have more blocks than the file system"
	}
	if why != "" {
		w.skip(n, k)
		return nil, fail(fmt.Errorf("%s (inode %d): %s, not gone into", shown(p), ino, why))
	}
	w.met.add(ino)
	node := w.take(n, k)
	w.blocks += node.list.blocks
	return node, w.tell(node, p, fail)
}

// tell yields what was wrong with a directory.
func (w *walk) tell(n *walkNode, p []byte, fail func(error) bool) bool {
	if w.o.Doubt != nil {
		if err := w.o.Doubt(n.ino); err != nil && !fail(fmt.Errorf("%s: %w", shown(p), err)) {
			return false
		}
	}
	for _, err := range n.list.errs.errs {
		if !fail(fmt.Errorf("%s (inode %d): %w", shown(p), n.ino, err)) {
			return false
		}
	}
	if more := n.list.errs.more; more > 0 {
		return fail(fmt.Errorf("%s (inode %d): %d more places are damaged", shown(p), n.ino, more))
	}
	return true
}

// shown is a path as errors give it: there may be as many of them as names, and
// paths of a MiB.
func shown(p []byte) []byte {
	const most = 4096 // PATH_MAX
	if len(p) <= most {
		return p
	}
	return append([]byte("…"), p[len(p)-most/4:]...)
}

// WalkStart is the entry that a walk starts at: depth 0, and the last part of
// path for its name.
func (f *FS) WalkStart(start *Inode, path []byte) *WalkEntry {
	name := path
	if i := bytes.LastIndexByte(bytes.TrimRight(path, "/"), '/'); i >= 0 {
		name = bytes.TrimRight(path[i+1:], "/")
	}
	return &WalkEntry{Path: path, Name: name, Ino: start.Ino, Type: layout.FTOfMode(start.Mode),
		Last: true, Offset: start.Offset, fs: f, read: start}
}
