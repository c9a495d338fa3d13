package ext

import (
	"context"
	"slices"
	"sync"
)

const (
	walkAhead      = 128     // directories held that the walk has not come to
	walkAheadBytes = 2 << 20 // and about what they may take
	walkFreeBytes  = 3 << 20 // what lists kept for use again may take
)

// A walkNode is one directory of a walk. All but list, once it is done, is
// guarded by the walk's mutex.
type walkNode struct {
	ino   Ino
	depth int
	place []uint32 // which directory of its parent it is, from the start down
	list  *walkList

	kids  []*walkNode // the directories in it; nil where nobody reads them yet
	next  int         // the next of them to read ahead
	ahead bool        // read by a worker: it counts as held until it is taken
	done  bool
	dead  bool // the walk is through with it, or goes round it
	size  int  // bytes of list
}

// A walk reads directories ahead of its caller, who takes them in order. A
// directory that no worker has begun with is read by the caller itself, so that
// nothing ever waits for room.
type walk struct {
	fs     *FS
	ctx    context.Context
	o      WalkOptions
	reader *walkReader // the caller's
	met    inoSet      // directories that the caller was given
	blocks uint64      // directory blocks that it was given
	limit  uint64

	mu      sync.Mutex
	room    sync.Cond // workers wait for something to read, or for room
	ready   sync.Cond // the caller waits for a directory that is being read
	wg      sync.WaitGroup
	todo    []*walkNode // directories with kids to read: the next at the end
	begun   inoSet      // directories that workers began with
	held    int
	bytes   int
	waiting bool
	quit    bool

	free      []*walkList // to use again
	freeBytes int
}

func (f *FS) newWalk(ctx context.Context, o WalkOptions) *walk {
	if o.MaxDepth <= 0 {
		o.MaxDepth = MaxWalkDepth + 1
	}
	w := &walk{fs: f, ctx: ctx, o: o, limit: uint64(f.size)>>f.blockBits + 1}
	w.reader = &walkReader{fs: f, o: o}
	w.room.L, w.ready.L = &w.mu, &w.mu
	return w
}

// start reads the directory that the walk starts at.
func (w *walk) start(dir *Inode) *walkNode {
	n := &walkNode{ino: dir.Ino}
	n.list = new(walkList)
	w.reader.read(n.list, dir, w.o.MaxDepth > 1)
	w.met.add(dir.Ino)
	w.blocks += n.list.blocks
	w.begun.add(dir.Ino)
	if len(n.list.subs) > 0 {
		for range Workers() {
			w.wg.Go(w.work)
		}
	}
	w.mu.Lock()
	w.finish(n)
	w.mu.Unlock()
	return n
}

func (w *walk) close() {
	w.mu.Lock()
	w.quit = true
	w.room.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
}

// work reads directories ahead until the walk is over.
func (w *walk) work() {
	r := &walkReader{fs: w.fs, o: w.o}
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.quit && w.ctx.Err() == nil {
		n := w.pick()
		if n == nil {
			w.room.Wait()
			continue
		}
		list := w.newList()
		w.mu.Unlock()
		w.load(r, list, n)
		w.mu.Lock()
		n.list = list
		if n.dead {
			w.held--
			continue
		}
		n.size = list.bytes()
		w.bytes += n.size
		w.finish(n)
		if w.waiting {
			w.ready.Signal()
		}
	}
	// The caller must not wait for what nobody reads.
	w.ready.Broadcast()
}

// load reads the directory of a node.
func (w *walk) load(r *walkReader, l *walkList, n *walkNode) {
	if err := r.fs.inodeUnchecked(&r.dir, n.ino); err != nil {
		l.errs.add(err)
		return
	}
	if r.dir.Links == 0 && r.dir.IsDir() {
		l.errs.add(errNotInUse)
		return
	}
	r.read(l, &r.dir, n.depth+1 < w.o.MaxDepth)
}

// finish puts a directory that was read among those with kids to read.
func (w *walk) finish(n *walkNode) {
	n.done = true
	if len(n.list.subs) == 0 {
		return
	}
	n.kids = make([]*walkNode, len(n.list.subs))
	i := len(w.todo)
	for i > 0 && before(w.todo[i-1].place, n.place) {
		i--
	}
	w.todo = slices.Insert(w.todo, i, n)
	w.room.Broadcast()
}

// before reports whether the walk comes to the directories in a before those in
// b: a directory's go before those of the ones above it.
func before(a, b []uint32) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return len(a) > len(b)
}

// pick chooses the next directory to read ahead, nil for none.
func (w *walk) pick() *walkNode {
	if w.held >= walkAhead || w.bytes >= walkAheadBytes {
		return nil
	}
	for len(w.todo) > 0 {
		n := w.todo[len(w.todo)-1]
		if n.dead || n.next == len(n.kids) {
			w.todo = w.todo[:len(w.todo)-1]
			continue
		}
		k := n.next
		n.next++
		ino := n.list.items[n.list.subs[k]].ino
		if n.kids[k] != nil || w.begun.has(ino) {
			continue
		}
		w.begun.add(ino)
		kid := w.newNode(n, k)
		kid.ahead = true
		w.held++
		return kid
	}
	return nil
}

func (w *walk) newNode(n *walkNode, k int) *walkNode {
	kid := &walkNode{
		ino:   n.list.items[n.list.subs[k]].ino,
		depth: n.depth + 1,
		place: append(slices.Clip(n.place), uint32(k)),
	}
	n.kids[k] = kid
	return kid
}

// take gives directory k of n, read by now.
func (w *walk) take(n *walkNode, k int) *walkNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.next = max(n.next, k+1)
	kid := n.kids[k]
	if kid == nil {
		kid = w.newNode(n, k)
		w.begun.add(kid.ino)
		list := w.newList()
		w.mu.Unlock()
		w.load(w.reader, list, kid)
		w.mu.Lock()
		kid.list = list
		w.finish(kid)
	}
	for !kid.done {
		w.waiting = true
		w.ready.Wait()
		w.waiting = false
	}
	w.drop(kid)
	n.kids[k] = nil
	return kid
}

// drop takes a directory off what is held ahead.
func (w *walk) drop(n *walkNode) {
	if n.ahead && n.done {
		n.ahead = false
		w.held--
		w.bytes -= n.size
		w.room.Signal()
	}
}

// skip goes round directory k of n.
func (w *walk) skip(n *walkNode, k int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.next = max(n.next, k+1)
	w.abandon(n.kids[k])
	n.kids[k] = nil
}

func (w *walk) abandon(n *walkNode) {
	if n == nil {
		return
	}
	n.dead = true
	w.drop(n)
	for _, kid := range n.kids {
		w.abandon(kid)
	}
}

// leave ends the use of a directory whose kids were all taken.
func (w *walk) leave(n *walkNode) {
	w.mu.Lock()
	n.dead = true
	if size := n.list.bytes(); w.freeBytes+size <= walkFreeBytes {
		w.freeBytes += size
		w.free = append(w.free, n.list)
	}
	n.list = nil
	w.mu.Unlock()
}

func (w *walk) newList() *walkList {
	if i := len(w.free) - 1; i >= 0 {
		l := w.free[i]
		w.free = w.free[:i]
		w.freeBytes -= l.bytes()
		l.reset()
		return l
	}
	return new(walkList)
}
