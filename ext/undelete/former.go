package undelete

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A Former says that the file system is one that is not there any more as it was: it is
// damaged, or another one was made over it. Then the files that were in use are listed
// as well as those that were deleted.
type Former struct {
	Other   bool // another file system is there now
	Mounted bool // which was mounted, and may have written what it freed since
	// Used reports whether the other one uses some of n bytes from byte off on.
	Used func(off, n int64) bool
	// Lost reports whether what is read of these bytes is from elsewhere, as they were
	// lost in their own place.
	Lost func(off, n int64) bool
	// Blank reports whether they are zeros there.
	Blank func(off, n int64) bool
}

// InUse is the technique of a file that was in use.
const InUse Technique = "in-use"

// A formerWork is what is worked out about a former file system.
type formerWork struct {
	active   bool // there is one
	mu       sync.Mutex
	suspects map[Ino]*ext.Inode // that are not credible
	inodes   []*ext.Inode       // in use, until each has a candidate
	whole    map[lifeKey]int32  // into the candidates
	there    []nameRef          // names in directories that were there
	budget   uint64             // blocks that files may still map, all together
	claims   bitset             // blocks of files that were in use
	twice    bitset             // those that two of them have
	zero     bitset             // blocks that are zeros
	wiped    bitset             // zeros about something that was lost
	doubt    bitset             // beside something that was overwritten, up to the next that is sound
	sound    bitset             // metadata whose checksum holds
	bad      int                // blocks of directories whose checksum does not hold
}

func newFormerWork(o *Options) formerWork {
	return formerWork{active: o.Former != nil, suspects: map[Ino]*ext.Inode{}}
}

// maxSuspects bounds the inodes that only count where a name leads to them.
const maxSuspects = 1 << 16

// credible reports whether an inode is one of the file system: its checksum holds, or,
// without checksums, it makes sense. Of the file system's own, damaged, what is not
// credible is kept for names to lead to. Several goroutines call it.
func (f *finder) credible(in *ext.Inode) bool {
	if f.csum && in.ChecksumOK || !f.csum && f.sensible(in) {
		return true
	}
	if in.Mode == 0 || in.Links == 0 || f.o.Former.Other && f.csum {
		return false
	}
	one := f.fs.DecodeInode(bytes.Clone(in.Raw), in.Ino, in.Offset)
	f.former.mu.Lock()
	defer f.former.mu.Unlock()
	if len(f.former.suspects) < maxSuspects {
		f.former.suspects[in.Ino] = one
	}
	return false
}

// sensible reports whether the fields of an inode agree with each other.
func (f *finder) sensible(in *ext.Inode) bool {
	if in.Mode == 0 {
		return true
	}
	raw := in.Raw
	switch {
	case layout.FTOfMode(in.Mode) == layout.FTUnknown, in.Links > 65000, in.Links > 0 && in.Dtime > f.fs.Super.InodesCount,
		len(raw) > layout.GoodOldInodeSize && (int(in.ExtraIsize) > len(raw)-layout.GoodOldInodeSize || in.ExtraIsize%4 != 0):
		return false
	}
	if in.Flags&layout.FlagExtents != 0 && in.Flags&layout.FlagInlineData == 0 && in.Links > 0 {
		_, err := layout.DecodeExtentNode(in.Block[:], 0)
		return err == nil
	}
	return f.fs.Blocks512(in)*512 <= uint64(f.fs.Size())+1<<20
}

// keepInUse takes an inode that was in use. Several goroutines call it.
func (f *finder) keepInUse(in *ext.Inode) {
	if f.o.Former == nil || f.fs.Reserved(in.Ino) && in.Ino != layout.RootIno {
		return
	}
	one := f.fs.DecodeInode(bytes.Clone(in.Raw), in.Ino, in.Offset)
	f.former.mu.Lock()
	defer f.former.mu.Unlock()
	if len(f.former.inodes) < maxLives {
		f.former.inodes = append(f.former.inodes, one)
	}
}

// inUse makes candidates of the files that were in use, but for names and grades, and
// notes the blocks that they have.
func (f *finder) inUse(ctx context.Context) error {
	if f.o.Former == nil {
		return nil
	}
	w := &f.former
	count := f.scanned()
	w.budget = 4 * count // as files may share blocks
	w.claims, w.twice = make(bitset, (count+63)/64), make(bitset, (count+63)/64)
	w.zero, w.sound = make(bitset, (count+63)/64), make(bitset, (count+63)/64)
	w.whole = make(map[lifeKey]int32, len(w.inodes))
	f.result.Candidates = make([]Candidate, 0, len(w.inodes)+len(w.inodes)/64+64)
	slices.SortFunc(w.inodes, func(a, b *ext.Inode) int { return cmp.Compare(a.Ino, b.Ino) })
	for i, in := range w.inodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if in.ChecksumOK && f.csum {
			w.sound.set(Block(in.Offset / int64(f.fs.BlockSize())))
		}
		c := f.usedInode(in)
		if c == nil {
			continue
		}
		if n := mapped(c); n > w.budget {
			c.Runs, c.nodes, c.complete = nil, nil, false
			c.damage = append(c.damage, "files map more blocks than the volume has")
		} else {
			w.budget -= n
		}
		for _, r := range c.Runs {
			if r.Kind == ext.Data {
				w.claim(r.Physical, r.Len)
			}
		}
		for _, b := range c.nodes {
			w.claim(b, 1)
		}
		w.inodes[i] = nil
	}
	w.inodes = nil
	clear(f.byIno)
	return f.settle(ctx)
}

// usedInode makes the incarnation and the candidate of an inode that was in use, nil for
// the root.
func (f *finder) usedInode(in *ext.Inode) *Candidate {
	l := f.life(in)
	if l == nil {
		return nil
	}
	l.live, l.home = true, in
	l.best = &state{in: in, tx: latest}
	if in.Ino == layout.RootIno {
		return nil
	}
	f.former.whole[l.lifeKey] = int32(len(f.result.Candidates))
	f.result.Candidates = append(f.result.Candidates, Candidate{Ino: in.Ino, Gen: in.Generation, Type: in.Type(), inUse: true})
	c := &f.result.Candidates[len(f.result.Candidates)-1]
	f.fill(c, l.best)
	c.Technique = InUse
	c.Evidence = append(make([]string, 0, 4), "in use when the file system was last whole")
	return c
}

func (w *formerWork) claim(b Block, n uint64) {
	for end := b + Block(n); b < end; b++ {
		if w.claims.has(b) {
			w.twice.set(b)
		}
		w.claims.set(b)
	}
}

// thereName takes a name that a directory has. Several goroutines call it.
func (f *finder) thereName(dir Ino, gen uint32, ino Ino, typ uint8, name []byte) {
	if f.o.Former == nil || string(name) == "." || string(name) == ".." {
		return
	}
	n := nameRef{dir: dir, dirGen: gen, ino: ino, tx: latest, typ: typ, name: bytes.Clone(name), source: inDirectory, kept: true}
	f.former.mu.Lock()
	defer f.former.mu.Unlock()
	if len(f.former.there) < maxNames {
		f.former.there = append(f.former.there, n)
	}
}

// lostName takes a name, of a directory that is lost, of a file of which nothing else is
// known.
func (f *finder) lostName(n nameRef) {
	if len(f.former.there) < maxNames {
		n.name, n.kept = bytes.Clone(n.name), true
		f.former.there = append(f.former.there, n)
	}
}

// soundDirBlock reports whether a block of a directory is to be believed: where another
// file system is there now the checksum has to hold. Several goroutines call it.
func (f *finder) soundDirBlock(b []byte, at Block, dir Ino, gen uint32) bool {
	if f.o.Former == nil || !f.csum {
		return true
	}
	ok := dirChecksum(b, layout.InodeSeed(f.fs.Seed(), dir, gen))
	f.former.mu.Lock()
	defer f.former.mu.Unlock()
	if ok {
		f.former.sound.set(at)
	} else {
		f.former.bad++
	}
	return ok
}

// bindNames gives the names that were there to their files, and makes incarnations of
// those of which nothing else is known.
func (f *finder) bindNames(last bool) {
	w := &f.former
	slices.SortFunc(w.there, func(a, b nameRef) int {
		return cmp.Or(cmp.Compare(a.dir, b.dir), bytes.Compare(a.name, b.name), cmp.Compare(a.ino, b.ino))
	})
	rest := w.there[:0]
	for _, n := range w.there {
		if f.byIno[n.ino] != nil {
			f.addName(n)
			continue
		}
		if !last {
			rest = append(rest, n)
			continue
		}
		if in := w.suspects[n.ino]; in != nil && (n.typ == layout.FTUnknown || n.typ == layout.FTOfMode(in.Mode)) {
			f.usedInode(in)
			if l := f.lives[lifeKey{in.Ino, in.Generation}]; l != nil {
				f.byIno[n.ino] = append(f.byIno[n.ino], l)
				f.addName(n)
			}
			continue
		}
		if uint32(n.ino) > f.fs.InodesCount() || f.fs.Reserved(n.ino) || n.ino == layout.RootIno || len(f.lives) >= maxLives {
			continue
		}
		l := &life{lifeKey: lifeKey{n.ino, 0}, first: latest, last: -1, mode: modeOfFT(n.typ)}
		f.lives[l.lifeKey] = l
		f.byIno[n.ino] = append(f.byIno[n.ino], l)
		f.addName(n)
	}
	w.there = slices.Clip(slices.Clone(rest))
}

// modeOfFT gives the type that a directory entry tells, 0 where it tells none.
func modeOfFT(typ uint8) uint16 {
	for _, mode := range []uint16{layout.ModeRegular, layout.ModeDir, layout.ModeSymlink, layout.ModeChar, layout.ModeBlock, layout.ModeFIFO, layout.ModeSocket} {
		if layout.FTOfMode(mode) == typ {
			return mode
		}
	}
	return 0
}

// lostNames is the step behind the scan for strays: what names are left is of files whose
// inodes are lost.
func (f *finder) lostNames(ctx context.Context) error {
	if f.o.Former == nil {
		return nil
	}
	f.bindNames(true)
	if n := f.former.bad; n > 0 {
		f.fail(fmt.Errorf("%d blocks of directories have wrong checksums, the names in them are not believed", n))
	}
	return f.damagedZones(ctx)
}

// scanned is how many blocks a scan can look at.
func (f *finder) scanned() uint64 {
	return min(f.fs.Super.BlocksCount, uint64(f.fs.Size())/uint64(f.fs.BlockSize()), maxScanned)
}

// unclaimedBlocks gives the blocks that neither a file which was in use has, nor what is
// there now.
func (f *finder) unclaimedBlocks(ctx context.Context) (bitset, error) {
	count := f.scanned()
	free := make(bitset, (count+63)/64)
	bs := int64(f.fs.BlockSize())
	for b := Block(0); uint64(b) < count; b++ {
		if b%(1<<16) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !f.former.claims.has(b) && !f.overwritten(int64(b)*bs, bs) {
			free.set(b)
		}
	}
	return free, nil
}

func (f *finder) overwritten(off, n int64) bool {
	return f.o.Former != nil && f.o.Former.Used != nil && f.o.Former.Used(off, n)
}

// inUseCandidate makes the candidate of a file that was in use.
func (f *finder) inUseCandidate(l *life) {
	i, there := f.former.whole[l.lifeKey]
	if !there {
		return
	}
	c := &f.result.Candidates[i]
	if !c.complete && l.best != nil {
		f.fill(c, l.best) // stray nodes are known by now
		c.Technique = InUse
	}
	f.nameIt(c, l)
	f.grade(c)
}

// below gives the path of a file from the first directory above it whose own place is
// not known, as "@12/a/b".
func (f *finder) below(l *life) []byte {
	var parts [][]byte
	for seen := map[lifeKey]bool{}; !seen[l.lifeKey] && len(parts) < maxDepth; {
		seen[l.lifeKey] = true
		var up *life
		for _, i := range f.byAge(l) {
			n := &f.names[i]
			if up = f.lives[lifeKey{n.dir, n.dirGen}]; up != nil {
				parts = append(parts, n.name)
				break
			}
			parts = append(parts, n.name)
			up = &life{lifeKey: lifeKey{n.dir, n.dirGen}}
			break
		}
		if up == nil {
			break
		}
		l = up
	}
	if len(parts) == 0 {
		return nil
	}
	out := strconv.AppendUint([]byte("@"), uint64(l.ino), 10)
	for i := len(parts) - 1; i >= 0; i-- {
		out = append(append(out, '/'), parts[i]...)
	}
	return out
}

// fate tells what became of a block of a candidate.
func (f *finder) fate(c *Candidate, b Block) fate {
	if f.o.Former == nil {
		return f.fates.of(b, c.tx.tx())
	}
	w := &f.former
	bs := int64(f.fs.BlockSize())
	switch {
	case f.overwritten(int64(b)*bs, bs):
		return fateReused
	case w.wiped.has(b):
		return fateLost
	case c.inUse && (w.twice.has(b) || w.doubt.has(b)):
		return fateLoose
	case c.inUse:
		return fateOwn
	case w.claims.has(b):
		return fateReused
	case w.doubt.has(b) || f.o.Former.Other:
		return fateLoose
	}
	fate := f.fates.of(b, c.tx.tx())
	if fate == fateReused && f.lostInode(c) {
		return fateLoose // what the bitmap has in use nothing else has: it is the file's
	}
	return fate
}

// lostInode reports whether a candidate was not deleted: its inode is lost.
func (f *finder) lostInode(c *Candidate) bool {
	return c.DeletedAt.IsZero() && c.Technique != Orphan && f.allocated(c.Ino)
}

// former gives the words that keep a candidate of a former file system from being
// intact, "" for none.
func (f *finder) formerDoubt(c *Candidate) string {
	o := f.o.Former
	if o == nil || !o.Other {
		return ""
	}
	switch {
	case !f.csum:
		return "no checksum tells an inode of the former file system from one of another before it"
	case o.Mounted:
		return "the file system that is there now was mounted: what it wrote and freed again leaves no trace"
	}
	for _, r := range c.Runs {
		if r.Kind == ext.Data && f.former.zero.next(r.Physical, r.Physical+Block(r.Len), true) < r.Physical+Block(r.Len) {
			return "some of its blocks are zeros, as mke2fs leaves what it discards"
		}
	}
	return ""
}

// setZero notes a block of zeros. Several goroutines call it.
func (w *formerWork) setZero(b Block) {
	if uint64(b)/64 < uint64(len(w.zero)) {
		atomic.OrUint64(&w.zero[b/64], 1<<(b%64))
	}
}

// toScan gives the blocks that are read by a scan for strays in the blocks free: of a
// former file system all that nothing overwrote, since zeros tell of damage.
func (f *finder) toScan(free bitset) bitset {
	if f.o.Former == nil {
		return free
	}
	all := make(bitset, len(free))
	bs := int64(f.fs.BlockSize())
	for b := range Block(f.scanned()) {
		if !f.overwritten(int64(b)*bs, bs) {
			all.set(b)
		}
	}
	return all
}
