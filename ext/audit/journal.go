package audit

import (
	"errors"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

func (a *auditor) badJournal(at int64, format string, args ...any) {
	a.add(Finding{Kind: BadJournal, Offset: at, Detail: sprintf(format, args...)})
}

// minJournal is JBD2_MIN_JOURNAL_BLOCKS: no journal has fewer.
const minJournal = 1024

// journal judges what the superblock says of the journal, the journal's inode,
// and the journal's own superblock. One on another device is not looked at.
func (a *auditor) journal() {
	s := a.fs.Super
	has := s.Compat&layout.CompatHasJournal != 0
	switch external := !s.JournalUUID.IsZero(); {
	case external && s.JournalInum == 0 && has, !external && !has && !a.pending && s.JournalInum == 0 && s.JournalDev == 0:
		return
	case external && s.JournalInum == 0:
		a.badJournal(a.fs.SuperOffset+0xd0, "s_journal_uuid names a journal elsewhere, and has_journal is not set")
		return
	case external:
		a.badJournal(a.fs.SuperOffset+0xd0, "s_journal_uuid names a journal elsewhere, and s_journal_inum inode %d", s.JournalInum)
	}
	at := a.fs.SuperOffset + 0xe0
	if !has && s.JournalInum == 0 {
		if a.pending {
			a.badJournal(a.fs.SuperOffset+0x60, "recovery is pending, and there is no journal")
		}
		return
	}
	if s.JournalInum == 0 || uint32(s.JournalInum) > a.fs.InodesCount() {
		a.badJournal(at, "s_journal_inum is %d: there is no such inode", s.JournalInum)
		return
	}
	in, err := a.fs.Inode(s.JournalInum)
	if err != nil {
		a.addError(s.JournalInum, err)
		a.add(Finding{Kind: BadJournal, Ino: s.JournalInum, Offset: at, Detail: sprintf("the inode of the journal, %d, cannot be read", s.JournalInum)})
		return
	}
	bad := func(at int64, format string, args ...any) {
		a.add(Finding{Kind: BadJournal, Ino: in.Ino, Offset: in.Offset + at, Detail: sprintf(format, args...)})
	}
	if !in.ChecksumOK {
		bad(0x7c, "the checksum of the journal's inode, %d, does not match: nobody opens that journal", in.Ino)
	}
	bs := uint64(a.fs.BlockSize())
	switch {
	case in.Links == 0 || !in.IsRegular() || in.Flags&layout.FlagEncrypt != 0:
		bad(0x00, "the journal, inode %d, is no regular file in use", in.Ino)
		return
	case in.Size()/bs < minJournal:
		bad(0x04, "the journal has %d bytes, and %d blocks are the least", in.Size(), minJournal)
		return
	}
	first, end, whole := a.journalRuns(in)
	switch {
	case !whole:
		bad(0x28, "the journal, inode %d: a part of its map leads nowhere", in.Ino)
		return
	case end*bs < in.Size():
		bad(0x04, "the journal has %d bytes, and its blocks end at %d", in.Size(), end*bs)
		return
	}
	a.journalSuper(first, uint32(min(in.Size()/bs, 1<<32-1)))
	if !has {
		a.badJournal(a.fs.SuperOffset+0x5c, "there is a journal, inode %d, and has_journal is not set", in.Ino)
	}
}

// journalRuns gives the first block of the journal, how many are mapped, and
// whether all of the map could be followed.
func (a *auditor) journalRuns(in *ext.Inode) (first ext.Block, end uint64, whole bool) {
	m := mapWalk{a: a, budget: a.nodes, block: func(ext.Block, uint64, int64) {}}
	m.reset(in, true)
	m.walk()
	return m.first, uint64(m.last + 1), !m.damaged
}

// journalSuper judges the superblock of the journal.
func (a *auditor) journalSuper(block ext.Block, blocks uint32) {
	b := make([]byte, a.fs.BlockSize())
	if block == 0 {
		a.badJournal(0, "the first block of the journal is not mapped")
		return
	}
	if err := a.fs.ReadBlock(b, block); err != nil {
		a.addError(a.fs.Super.JournalInum, err)
		return
	}
	off := a.fs.BlockOffset(block)
	s, err := jbd2.DecodeSuperblock(b, off)
	if err != nil {
		a.addError(0, err)
		return
	}
	version1 := s.Version == 1 && !allZero(b[0x24:0x30])
	switch err := s.Check(off, blocks, a.fs.BlockSize()); {
	case errors.As(err, new(*layout.CorruptError)):
		a.addError(0, err)
	case err != nil:
		a.badJournal(off+0x28, "%v", err)
	case s.NumUsers > 1 || version1:
		a.badJournal(off+0x40, "journal superblock: s_nr_users is %d in a journal of one file system, of version %d", s.NumUsers, s.Version)
	}
}
