package audit

import (
	"math"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// glanceExtents is how many extents i_block has room for.
const glanceExtents = 4

// A glance knows an inode of which there is nothing to tell by a look at its bytes: a
// regular file with up to four extents in i_block and nothing out of the ordinary. Most
// inodes are such, and the long way through all that can be wrong with one takes several
// times as long. What it does not know goes that way, be it right or not.
type glance struct {
	a         *auditor
	times     bool   // are looked at
	lastWrite int64  // no time is later, in Unix seconds
	sectors   uint64 // of 512 bytes that a block has
	runs      []glanceRun
}

// A glanceRun is what one worker has met of files that lie one behind the other, and not
// claimed yet.
type glanceRun struct {
	start ext.Block
	len   uint64
	_     [48]byte // of one worker each line of the cache
}

// newGlance gives nil where a file system has features that take the long way.
func newGlance(a *auditor) *glance {
	f, s := a.fs, a.fs.Super
	if s.Incompat&layout.IncompatExtents == 0 || f.ClusterBlocks() != 1 || s.CreatorOS == osHurd {
		return nil
	}
	g := &glance{a: a, lastWrite: math.MaxInt64, sectors: uint64(f.BlockSize() / 512), runs: make([]glanceRun, len(a.workers))}
	if g.times = a.oddTimes && !neverMounted(s); g.times && writesNoted(s) {
		g.lastWrite = s.WriteTime.Unix()
	}
	return g
}

// plain reports whether an inode, whose checksum holds, is such a file, and then claims
// its blocks, once flush is called at the latest.
func (g *glance) plain(w int, ino ext.Ino, raw []byte) bool {
	const fields = 0x98 // the end of i_crtime_extra
	if len(raw) < fields+4 || ino < g.a.firstFile {
		return false
	}
	extra := int(le.Uint16(raw[0x80:])) // i_extra_isize
	end := layout.GoodOldInodeSize + extra
	switch {
	case le.Uint16(raw[0x00:])&layout.ModeMask != layout.ModeRegular, // i_mode
		le.Uint16(raw[0x1a:]) == 0,                                     // i_links_count
		layout.InodeFlags(le.Uint32(raw[0x20:])) != layout.FlagExtents, // i_flags
		le.Uint32(raw[0x14:]) != 0,                                     // i_dtime
		le.Uint32(raw[0x04:]) >= 1<<31,                                 // i_size_lo
		le.Uint64(raw[0x68:]) != 0,                                     // i_file_acl_lo, i_size_high
		le.Uint64(raw[0x70:]) != 0,                                     // i_faddr, l_i_blocks_high, l_i_file_acl_high
		le.Uint64(raw[0x28:])&^(7<<16) != 0xf30a|glanceExtents<<32,     // eh_magic, _entries, _max, _depth
		extra%4 != 0, end < fields, end+4 > len(raw),
		le.Uint32(raw[end:]) == layout.XattrMagic:
		return false
	}
	if g.times && !g.timely(raw) || !g.extents(w, raw) {
		return false
	}
	if g.a.quotas != nil {
		g.a.workers[w].use.charge(g.a.quotas, raw, usage{uint64(le.Uint32(raw[0x1c:])) * 512, 1})
	}
	return true
}

// timely reports whether the times of an inode are as they should be.
func (g *glance) timely(raw []byte) bool {
	ctime, cnano := inodeSeconds(raw[0x0c:], raw[0x84:])
	mtime, mnano := inodeSeconds(raw[0x10:], raw[0x88:])
	atime, anano := inodeSeconds(raw[0x08:], raw[0x8c:])
	crtime, crnano := inodeSeconds(raw[0x90:], raw[0x94:])
	return max(cnano, mnano, anano, crnano) < 1e9 && max(ctime, mtime, atime, crtime) <= g.lastWrite &&
		(ctime > crtime || ctime == crtime && cnano >= crnano)
}

// inodeSeconds decodes a time of an inode and what extends it.
func inodeSeconds(low, extra []byte) (seconds int64, nanos uint32) {
	x := le.Uint32(extra)
	return int64(int32(le.Uint32(low))) + int64(x&3)<<32, x >> 2
}

// extents claims what the extents in i_block map, unless something is wrong with them.
func (g *glance) extents(w int, raw []byte) bool {
	var runs [glanceExtents]layout.Extent
	n := int(le.Uint16(raw[0x2a:])) // eh_entries
	if n > glanceExtents {
		return false
	}
	next, blocks, written := uint64(0), uint64(0), uint64(0)
	for i := range n {
		e := layout.DecodeExtent(raw[0x34+12*i:])
		from := uint64(e.FileBlock)
		if e.Len == 0 || e.Start == 0 || from < next || !g.a.fs.InRange(e.Start, uint64(e.Len)) {
			return false
		}
		next = from + uint64(e.Len)
		blocks += uint64(e.Len)
		if !e.Unwritten {
			written = next - 1
		}
		runs[i] = e
	}
	if uint64(le.Uint32(raw[0x1c:])) != blocks*g.sectors || uint64(le.Uint32(raw[0x04:])) < written<<g.a.blockBits { // i_blocks_lo, i_size_lo
		return false
	}
	for i := range n {
		r := &g.runs[w]
		if r.start+ext.Block(r.len) != runs[i].Start {
			if r.len > 0 {
				g.a.claims.claim(r.start, r.len, 0)
			}
			r.start, r.len = runs[i].Start, 0
		}
		r.len += uint64(runs[i].Len)
	}
	return true
}

// flush claims what is not claimed yet.
func (g *glance) flush() {
	for i := range g.runs {
		if r := &g.runs[i]; r.len > 0 {
			g.a.claims.claim(r.start, r.len, 0)
			r.len = 0
		}
	}
}
