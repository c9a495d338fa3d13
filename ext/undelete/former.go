package undelete

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

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
	// Guessed reports whether what is taken for the inode table of a group can be copies of
	// it in a log.
	Guessed func(group uint32) bool
}

// InUse is the technique of a file that was in use.
const InUse Technique = "in-use"

// A formerWork is what is worked out about a former file system.
type formerWork struct {
	active   bool // there is one
	mu       sync.Mutex
	suspects map[Ino]*ext.Inode // that are not credible
	inodes   []Ino              // in use, until each is known
	there    heldNames          // names in directories that were there
	budget   uint64             // blocks that files may still map, all together
	claims   bitset             // blocks of files that were in use
	twice    bitset             // those that two of them have
	zero     bitset             // blocks that are zeros
	wiped    bitset             // zeros about something that was lost
	doubt    bitset             // beside something that was overwritten, up to the next that is sound
	sound    bitset             // metadata whose checksum holds
	torn     bool               // the log has lost more than its superblock
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
	f.former.mu.Lock()
	defer f.former.mu.Unlock()
	if len(f.former.inodes) < maxLives {
		f.former.inodes = append(f.former.inodes, in.Ino)
	} else {
		f.limitLives()
	}
}

// inUse makes incarnations of the files that were in use, and notes the blocks that they
// have. Their candidates are made when all is known.
func (f *finder) inUse(ctx context.Context) error {
	if f.o.Former == nil {
		return nil
	}
	w := &f.former
	count := f.scanned()
	w.budget = 4 * count // as files may share blocks
	w.claims, w.twice = make(bitset, (count+63)/64), make(bitset, (count+63)/64)
	w.zero, w.sound = make(bitset, (count+63)/64), make(bitset, (count+63)/64)
	slices.Sort(w.inodes)
	for _, ino := range w.inodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := f.inode(ino, &state{where: atHome})
		if in.ChecksumOK && f.csum {
			w.sound.set(Block(in.Offset / int64(f.fs.BlockSize())))
		}
		l, c := f.usedInode(in)
		if l == nil || l.slot == 0 {
			continue
		}
		if n := mapped(c); n > w.budget {
			l.over = true
			continue
		}
		w.budget -= mapped(c)
		for _, r := range c.Runs {
			if r.Kind == ext.Data {
				w.claim(r.Physical, r.Len)
			}
		}
		for _, b := range c.nodes {
			w.claim(b, 1)
		}
	}
	w.inodes = nil
	return f.settle(ctx)
}

// usedInode makes the incarnation of an inode that was in use, and promises its candidate a
// place, but for that of the root. The candidate that it gives has what the inode itself
// tells.
func (f *finder) usedInode(in *ext.Inode) (*life, *Candidate) {
	l := f.life(in)
	if l == nil {
		return nil, nil
	}
	l.live, l.home, l.mode = true, true, in.Type()
	l.best = newState(in, latest, false)
	l.best.where = atHome
	if in.Ino == layout.RootIno {
		return l, nil
	}
	if l.slot == 0 {
		l.slot = f.result.promise() + 1
	}
	c := &Candidate{}
	f.fill(c, &l.best, in, 0)
	return l, c
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
	f.former.mu.Lock()
	defer f.former.mu.Unlock()
	f.hold(&nameRef{dir: dir, dirGen: gen, ino: ino, tx: latest, typ: typ, name: name, source: fromDir})
}

// hold keeps a name, of a directory that was there or is lost, until its file is known.
func (f *finder) hold(n *nameRef) {
	if !f.former.there.add(n) {
		f.limitNames()
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
	there := w.there
	w.there = heldNames{}
	there.each(func(n *nameRef) {
		if f.lives.first(n.ino) != nil {
			f.addName(*n)
			return
		}
		if !last {
			f.hold(n)
			return
		}
		if in := w.suspects[n.ino]; in != nil && (n.typ == layout.FTUnknown || n.typ == layout.FTOfMode(in.Mode)) {
			if l, _ := f.usedInode(in); l != nil {
				f.addName(*n)
			}
			return
		}
		if uint32(n.ino) > f.fs.InodesCount() || f.fs.Reserved(n.ino) || n.ino == layout.RootIno {
			return
		}
		if f.newLife(lifeKey{n.ino, 0}, modeOfFT(n.typ)) != nil {
			f.addName(*n)
		}
	})
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
	if l.slot == 0 {
		return
	}
	c := Candidate{Ino: l.ino, Gen: l.gen, inUse: true}
	f.fill(&c, &l.best, f.inode(l.ino, &l.best), 0)
	c.Technique, c.Type = InUse, c.In.Type()
	c.Evidence = append(make([]string, 0, 4), "in use when the file system was last whole")
	if l.over {
		c.Runs, c.nodes, c.complete = nil, nil, false
		c.damage = append(c.damage, "files map more blocks than the volume has")
	}
	f.nameIt(&c, l)
	f.grade(&c)
	f.result.keep(int(l.slot-1), &c)
}

// below gives the path of a file from the first directory above it whose own place is
// not known, as "@12/a/b".
func (f *finder) below(l *life) []byte {
	var parts [][]byte
	for seen := map[lifeKey]bool{}; !seen[l.lifeKey] && len(parts) < maxDepth; {
		seen[l.lifeKey] = true
		n, named := f.newest(l)
		if !named {
			break
		}
		parts = append(parts, n.name)
		up := f.lives.of(lifeKey{n.dir, n.dirGen})
		if up == nil {
			up = &life{lifeKey: lifeKey{n.dir, n.dirGen}}
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
		fate := f.fates.of(b, c.tx.tx())
		if fate == fateReused && f.unreplayed(c, b) {
			return fateGiven
		}
		return fate
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
