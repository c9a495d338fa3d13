package undelete

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/links"
)

// build makes the candidates of all incarnations that are gone.
func (f *finder) build(ctx context.Context) error {
	listed := map[Ino]bool{}
	list, errs := links.ListedOrphans(f.fs)
	for _, err := range errs {
		f.fail(err)
	}
	for _, o := range list {
		listed[o.Ino] = true
	}
	for l := range f.lives.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.live {
			f.inUseCandidate(l)
			f.goneNames(l)
			if f.o.Versions {
				f.versions(l)
			}
			continue
		}
		if c, ok := f.candidate(l, listed[l.ino], true); ok {
			f.result.add(&c)
		}
	}
	f.homeless()
	return nil
}

// candidate makes the candidate of one incarnation; not named while names are still gathered.
func (f *finder) candidate(l *life, listed, named bool) (Candidate, bool) {
	c := Candidate{Ino: l.ino, Gen: l.gen, Type: l.typ()}
	f.when(&c, l)
	if named {
		f.nameIt(&c, l)
	}
	f.contents(&c, l, listed)
	if c.In == nil && c.Name == nil && len(c.Runs) == 0 {
		return c, false // an inode that was used and emptied, and no more than that
	}
	f.grade(&c)
	f.lengthenByEnd(&c)
	return c, true
}

// when notes when an incarnation was deleted.
func (f *finder) when(c *Candidate, l *life) {
	if l.dtime != 0 {
		c.DeletedAt = time.Unix(int64(l.dtime), 0).UTC()
	}
	t := f.transaction(l.gone)
	if t == nil || l.gone == 0 {
		return
	}
	c.gone = l.gone
	c.Sequence = t.Sequence
	if l.gone != after(l.gone.tx(), 0) {
		c.Evidence = append(c.Evidence, fmt.Sprintf("gone as of a fast commit behind transaction %d", t.Sequence))
		if next := f.transaction(l.gone + after(1, 0)); next != nil && c.DeletedAt.IsZero() {
			c.DeletedAt = next.CommitTime
		}
		return
	}
	if c.DeletedAt.IsZero() {
		c.DeletedAt = t.CommitTime
	}
	c.Evidence = append(c.Evidence, f.asOf("gone", l.gone.tx()))
}

// asOf says that something is as of a transaction: in the same words for many files, as most
// of a folder go in one.
func (f *finder) asOf(what string, tx int) string {
	of := saying{what, tx}
	text := f.said[of]
	if text == "" {
		t := &f.log.Transactions()[tx]
		text = fmt.Sprintf("%s as of transaction %d, committed %s", what, t.Sequence, t.CommitTime.UTC().Format("2006-01-02 15:04:05"))
		f.said[of] = text
	}
	return text
}

type saying struct {
	what string
	tx   int
}

// transaction gives a transaction of the log, nil where there is none.
func (f *finder) transaction(m moment) *jbd2.Transaction {
	if f.log == nil || m < 0 || m.tx() >= len(f.log.Transactions()) {
		return nil
	}
	return &f.log.Transactions()[m.tx()]
}

// contents finds the map of an incarnation's contents.
func (f *finder) contents(c *Candidate, l *life, listed bool) {
	s := &l.best
	if !s.known() {
		if !l.home {
			if !f.strayMap(c, l) {
				c.Technique = NameOnly
			}
			return
		}
		f.residue(c, l)
		return
	}
	cut := false
	if full := f.fullOf(l); s.has(markEmpty) && full.known() {
		s, cut = full, true
	}
	in := f.inode(l.ino, s)
	until := l.gone
	if cut {
		until = 0 // another state came first
	}
	f.fill(c, s, in, until)
	f.doubts(c, l, s, in)
	switch {
	case cut:
		c.Technique = OldVersion
		c.Evidence = append(c.Evidence, "the contents from before it was cut short")
	case s.tx == latest && (listed || f.allocated(l.ino)):
		c.Technique, c.orphan = Orphan, true
		c.unsettled = f.running && justWritten(in.Mtime, f.lastCommit()) && (f.writtenOf(l).unsettled(in) || f.halfway(c))
		c.Evidence = append(c.Evidence, "deleted while open: its blocks are still its own")
	case s.tx == latest:
		c.Technique = InodeHome
	case s.has(markFast):
		c.Technique = InodeFast
	default:
		c.Technique = InodeJournal
	}
	if s.has(markStray) {
		c.loose = true
		c.Evidence = append(c.Evidence, "the inode as it was before all transactions that the log holds: a copy whose descriptor is gone, known by its checksum")
	} else if f.transaction(s.tx) != nil {
		c.Evidence = append(c.Evidence, f.asOf("the inode", s.tx.tx()))
	}
}

func (f *finder) allocated(ino Ino) bool {
	used, err := f.fs.InodeAllocated(ino)
	return err == nil && used
}

// fill fills a candidate from one state of its inode, which was followed by another at the
// moment until; 0 where that is not known. Nodes of its map may have changed in between:
// what is written to blocks that were allocated before changes those alone.
func (f *finder) fill(c *Candidate, s *state, in *ext.Inode, until moment) {
	c.In, c.from, c.tx, c.fast = in, *s, s.tx, s.has(markFast)
	c.Type, c.Size, c.Links, c.SizeKnown, c.complete = in.Type(), in.Size(), in.Links, true, true
	switch {
	case in.IsSymlink() && !f.fs.HasMap(in):
		if target, err := f.fs.Readlink(in); err == nil && len(target) > 0 && target[0] != 0 {
			c.Target = target
		}
		return
	case in.HasInline():
		if b, err := f.fs.InlineContent(in); err == nil && uint64(len(b)) == in.Size() {
			c.Inline = b
		} else {
			c.complete = false
		}
		return
	case !f.fs.HasMap(in):
		return
	}
	m := f.newMapper(in, max(s.tx, until-1))
	m.read()
	f.supplement(m)
	c.Runs, c.nodes, c.unsure, c.damage, c.complete = m.runs, m.nodes, m.unsure, m.damage, m.complete
	f.believe(c)
	if in.IsSymlink() {
		f.slowTarget(c)
	}
}

// believe holds the size against what the map can reach: a size that no block backs is
// no size.
func (f *finder) believe(c *Candidate) {
	if err := f.fs.CheckSize(c.In); err != nil {
		c.damage = append(c.damage, err.Error())
		c.SizeKnown, c.complete = false, false
		c.Size = f.reach(c)
	}
}

// reach is how far the runs of a candidate go, in bytes.
func (f *finder) reach(c *Candidate) uint64 {
	end := uint64(0)
	for _, r := range c.Runs {
		if r.Kind == ext.Data {
			end = max(end, r.Logical+r.Len)
		}
	}
	return end * uint64(f.fs.BlockSize())
}

// residue looks for what deletion left of a map in the inode itself.
func (f *finder) residue(c *Candidate, l *life) {
	home := f.homeOf(l)
	c.Type, c.tx = home.Type(), latest
	m := f.newMapper(home, latest)
	if f.fs.HasMap(home) && m.leftover() {
		c.In, c.from = home, *l.today()
		c.Runs, c.nodes, c.residue, c.complete = m.runs, m.nodes, true, true
		c.Technique = IndexResidue
		c.Size = f.reach(c)
		f.trim(c)
		c.Evidence = append(c.Evidence, "slots of the extent tree still lead to its leaves, whose checksums hold")
		return
	}
	if !f.strayMap(c, l) && (f.o.Former != nil && f.o.Former.Other || !f.freedMap(c, l)) {
		c.Technique = NameOnly
	}
}

// slowTarget reads the target of a symlink from its block.
func (f *finder) slowTarget(c *Candidate) {
	bs := uint64(f.fs.BlockSize())
	if c.Size == 0 || c.Size >= bs || len(c.Runs) == 0 || c.Runs[0].Logical != 0 {
		return
	}
	buf := make([]byte, bs)
	if f.readBlock(buf, c, c.Runs[0].Physical) == nil && buf[0] != 0 {
		c.Target = bytes.Clone(buf[:c.Size])
	}
}
