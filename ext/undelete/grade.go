package undelete

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// Coverage counts the blocks of a file's contents by what became of them.
type Coverage struct {
	Own    uint64 // still the file's own: an orphan's, or in the log
	Free   uint64 // free, and never taken since
	Loose  uint64 // free, and no bitmap tells of the time between; or given to something else that wrote nothing there yet
	Reused uint64 // in use by something else, or were since
	Lost   uint64 // not mapped by anything that is left
}

// Total is all blocks.
func (c *Coverage) Total() uint64 { return c.Own + c.Free + c.Loose + c.Reused + c.Lost }

// Kept are the blocks whose contents may still be there.
func (c *Coverage) Kept() uint64 { return c.Own + c.Free + c.Loose }

// String says it in words.
func (c *Coverage) String() string {
	var room [128]byte
	b := room[:0]
	for _, p := range [...]struct {
		n    uint64
		text string
	}{{c.Own, " still its own"}, {c.Free, " free and not used since"}, {c.Loose, " free"}, {c.Reused, " used by something else since"}, {c.Lost, " not mapped any more"}} {
		if p.n > 0 {
			between := ", "
			if len(b) == 0 {
				between = "blocks: "
			}
			b = append(strconv.AppendUint(append(b, between...), p.n, 10), p.text...)
		}
	}
	if len(b) == 0 {
		return "no blocks"
	}
	return string(b)
}

// cover works out what became of a candidate's blocks.
func (f *finder) cover(c *Candidate) {
	bs := uint64(f.fs.BlockSize())
	end := (c.Size + bs - 1) / bs
	wiped, given := 0, 0
	defer func() {
		if wiped > 0 {
			c.damage = append(c.damage, fmt.Sprintf("%d of its blocks lie where the volume was wiped", wiped))
		}
		if given > 0 {
			c.damage = append(c.damage, fmt.Sprintf("%d of its blocks were given to something else, which wrote nothing there yet", given))
		}
	}()
	for _, r := range c.Runs {
		if r.Kind != ext.Data || r.Logical >= end && c.SizeKnown {
			continue
		}
		n := r.Len
		if c.SizeKnown {
			n = min(n, end-r.Logical)
		}
		inLog, some := f.nextLogged(r.Physical)
		for i := range n {
			b := r.Physical + Block(i)
			if some && inLog < b {
				inLog, some = f.nextLogged(b)
			}
			switch {
			case c.orphan:
				c.Coverage.Own++
			case some && inLog == b && f.logged(c, b):
				c.Coverage.Own++
				c.doubled = c.doubled || f.doubled(c, b)
				f.dataLogged = f.dataLogged || c.Type == layout.ModeRegular
			default:
				switch fate := f.fate(c, b); {
				case fate == fateFree && !c.loose:
					c.Coverage.Free++
					if i == 0 && c.gone > 0 && !c.unseen {
						c.unseen = f.fates.hidden(b, c.gone.tx(), f.hides)
					}
				case fate == fateReused:
					c.Coverage.Reused++
				case fate == fateOwn:
					c.Coverage.Own++
				case fate == fateLost:
					c.Coverage.Lost++
					wiped++
				case fate == fateGiven:
					c.Coverage.Loose++
					given++
				default:
					c.Coverage.Loose++
				}
			}
		}
	}
}

// hides reports whether files may have come and gone in a transaction without a trace.
// With fast commits what is synced ends none: files are written, removed and their inodes
// used again within one, and the records of that are written over.
func (f *finder) hides(tx int) bool {
	return f.hidden[tx] || f.fs.Super.Compat&layout.CompatFastCommit != 0
}

// nextLogged gives the first block from b on of which the log holds copies.
func (f *finder) nextLogged(b Block) (next Block, ok bool) {
	if f.log == nil {
		return 0, false
	}
	return f.log.Archive.Next(b)
}

// logged reports whether the log holds a block of the contents.
func (f *finder) logged(c *Candidate, b Block) bool {
	if f.log == nil {
		return false
	}
	_, ok := f.log.Archive.CopyAt(b, f.until(c))
	return ok
}

// Doubts in words.
const (
	changed   = "it may have been changed between this state and its end"
	unsettled = "written to shortly before: that may never have reached the disk"
)

// grade judges a candidate, by what its map and its blocks prove.
func (f *finder) grade(c *Candidate) {
	say := func(format string, args ...any) {
		if len(args) > 0 {
			format = fmt.Sprintf(format, args...)
		}
		c.Evidence = append(c.Evidence, format)
	}
	switch {
	case c.Type != layout.ModeRegular && c.Type != layout.ModeDir && c.Type != layout.ModeSymlink:
		c.Grade = Listed
		return
	case c.In == nil && c.Technique == NameOnly:
		c.Grade = Listed
		return
	case c.Type == layout.ModeSymlink:
		if c.Target == nil {
			c.Grade = Listed
			return
		}
	}
	authentic := c.In != nil && c.In.ChecksumOK
	f.journalsData = f.journalsData || c.In != nil && c.In.Flags&layout.FlagJournalData != 0
	if c.In != nil && f.csum {
		if authentic {
			say("the inode's checksum holds")
		} else {
			say("the inode's checksum does not hold")
		}
	}
	stale := f.staleDoubt(c)
	if c.Inline != nil || c.Type == layout.ModeSymlink && len(c.Runs) == 0 {
		c.Grade = Intact
		switch {
		case stale != "":
			c.Grade = Unproven
			say(stale)
		case f.csum && !authentic || f.o.Former != nil && f.o.Former.Other && !f.csum:
			c.Grade = Unproven
		case c.changed:
			c.Grade = Unproven
			say(changed)
		case c.unsettled:
			c.Grade = Unproven
			say(unsettled)
		}
		return
	}
	f.cover(c)
	doubt := f.formerDoubt(c)
	say(c.Coverage.String())
	for _, d := range c.damage {
		say(d)
	}
	cov := &c.Coverage
	switch {
	case c.Size == 0 && c.SizeKnown && stale == "" && c.inUse && authentic && c.complete && f.csum && c.Type == layout.ModeRegular:
		c.Grade = Intact
	case c.Size == 0 && c.SizeKnown:
		c.Grade = Unproven
		say("empty when last recorded")
	case cov.Total() > 0 && cov.Kept() == 0:
		c.Grade = Overwritten
	case cov.Reused > 0 || cov.Lost > 0 || !c.complete || !c.SizeKnown:
		c.Grade = Partial
		if !c.SizeKnown {
			say("the size is not known: as far as blocks are mapped, without the zeros at the end")
		}
	case cov.Loose > 0 || c.loose || c.residue || c.fast || f.csum && !authentic:
		c.Grade = Unproven
		if c.fast {
			say("as of a fast commit: what was written after it is not in it")
		}
	case stale != "":
		c.Grade = Unproven
		say(stale)
	case doubt != "":
		c.Grade = Unproven
		say(doubt)
	case f.nodesUsed(c):
		c.Grade = Unproven
		say("a block of its map was used by something else since")
	case c.unseen:
		c.Grade = Unproven
		say("files came and went in one transaction since, which could have used its blocks and left no trace")
	case f.running && cov.Free > 0:
		c.Grade = Unproven
		say("the image is of a file system in use: what it wrote to free blocks since its last commit leaves no trace")
	case c.changed:
		c.Grade = Unproven
		say(changed)
	case c.unsettled:
		c.Grade = Unproven
		say(unsettled)
	case c.doubled:
		c.Grade = Unproven
		say("one transaction has two copies of a block of it that differ")
	case !f.blocksAgree(c):
		c.Grade = Unproven
		say("i_blocks is not what the map takes")
	default:
		c.Grade = Intact
	}
	if cov.Kept() == 0 {
		return
	}
	switch n := f.discarded(c); {
	case n > 0 && n == cov.Total():
		c.Grade = Overwritten
		say("all of its blocks hold nothing but zeros, as after a discard")
	case n > 0:
		if c.Grade == Intact {
			c.Grade = Unproven
		}
		say("%d of its blocks hold nothing but zeros, as after a discard", n)
	}
}

// nodesUsed reports whether what the map was read from may be another file's by now.
func (f *finder) nodesUsed(c *Candidate) bool {
	return !c.orphan && slices.ContainsFunc(c.unsure, func(b Block) bool { return f.fates.of(b, c.tx.tx()) != fateFree })
}

// homeless takes the proof from files on a file system that writes data to the journal
// first: where they were deleted before it went home, it never did, and their blocks
// hold what was there before.
func (f *finder) homeless() {
	if !f.dataLogged && !f.journalsData {
		return
	}
	for i := range f.result.Len() {
		if f.result.list[i] == unkept {
			continue
		}
		c := f.result.At(i)
		if c.Grade == Intact && c.Type == layout.ModeRegular && c.Coverage.Free > 0 && (f.dataLogged || c.In.Flags&layout.FlagJournalData != 0) {
			c.Grade = Unproven
			c.Evidence = append(c.Evidence, "the file system journals data: what was deleted before it was written home never was")
			f.result.keep(i, c)
		}
	}
}

// blocksAgree reports whether i_blocks is what the map, its nodes and an xattr block
// take.
func (f *finder) blocksAgree(c *Candidate) bool {
	if c.In == nil {
		return false
	}
	blocks := uint64(len(c.nodes))
	if c.In.FileACL != 0 {
		blocks++
	}
	per := uint64(f.fs.BlockSize() / 512)
	stored := f.fs.Blocks512(c.In)
	if cluster := uint64(f.fs.ClusterBlocks()); cluster > 1 {
		// Whole clusters are counted, each once, and nodes have clusters of their own.
		clusters := map[uint64]bool{}
		for _, r := range c.Runs {
			for b := uint64(r.Physical) / cluster; b <= (uint64(r.Physical)+r.Len-1)/cluster; b++ {
				clusters[b] = true
			}
		}
		for _, n := range c.nodes {
			clusters[uint64(n)/cluster] = true
		}
		if c.In.FileACL != 0 {
			clusters[uint64(c.In.FileACL)/cluster] = true
		}
		return stored == uint64(len(clusters))*cluster*per
	}
	for _, r := range c.Runs {
		blocks += r.Len
	}
	return stored == blocks*per
}
