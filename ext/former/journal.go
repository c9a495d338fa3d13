package former

import (
	"encoding/binary"
	"io"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

var be = binary.BigEndian

// minLog is JBD2_MIN_JOURNAL_BLOCKS.
const minLog = 1024

// journal makes a superblock for a log whose own is gone, from what the blocks of the
// log are: nothing of what it says then is to be replayed.
func (v *Volume) journal(journals []int64) {
	fs := v.FS
	if fs.Super.Compat&layout.CompatHasJournal == 0 {
		return
	}
	runs := v.logRuns()
	if runs == nil {
		v.journalByPlace(journals)
		return
	}
	bs := fs.BlockSize()
	first := make([]byte, bs)
	if fs.ReadBlock(first, Block(runs[0].Start/int64(bs))) != nil || isJournal(first) {
		return
	}
	length := uint32(0)
	for _, r := range runs {
		length = max(length, r.First+r.Len)
	}
	if length < minLog {
		return
	}
	best, most := []byte(nil), 0
	next := v.nextSequence(runs, length)
	try := func(incompat jbd2.Incompat, id layout.UUID) {
		for _, wide := range []jbd2.Incompat{jbd2.Incompat64Bit, 0} {
			b := logSuper(bs, length, next, jbd2.IncompatRevoke|incompat|wide, id)
			if n := transactions(v.r, bs, runs, b, fs.Super.BlocksCount); n > most {
				best, most = b, n
			}
		}
	}
	for _, id := range []layout.UUID{fs.Super.UUID, {}, layout.UUIDOf(fs.Seed())} {
		try(jbd2.IncompatCsumV3, id)
		try(jbd2.IncompatCsumV2, id)
	}
	if best == nil { // with a checksum that holds there is no doubt
		try(0, fs.Super.UUID)
	}
	if best == nil {
		v.say("journal: its superblock is gone, and nothing in it is a transaction")
		return
	}
	v.say("journal: its superblock is gone, another was made by what the log holds: %s", count(most, "transaction", "transactions"))
	v.r.put(patch{runs[0].Start, best, false})
	v.reopen()
}

// reopen reads what patches changed.
func (v *Volume) reopen() {
	if fs, err := ext.Open(v.r, v.Size, ext.Options{}); err == nil {
		v.FS = fs
	}
}

// logRuns gives where the log lies by the journal's inode, nil where that is not there.
func (v *Volume) logRuns() []jbd2.Run {
	in, err := v.FS.Inode(v.FS.Super.JournalInum)
	if err != nil || !in.IsRegular() || in.Links == 0 || !in.ChecksumOK {
		if in = replay.BackupInode(v.FS); in == nil {
			return nil
		}
	}
	var runs []jbd2.Run
	for r, err := range v.FS.Runs(in) {
		if err != nil || len(runs) > 1<<16 || r.Logical+r.Len > 1<<31 {
			return nil
		}
		if r.Kind != ext.Hole {
			runs = append(runs, jbd2.Run{First: uint32(r.Logical), Start: v.FS.BlockOffset(r.Physical), Len: uint32(r.Len)})
		}
	}
	if len(runs) == 0 || runs[0].First != 0 {
		return nil
	}
	return runs
}

// journalByPlace takes a journal whose inode is gone by its superblock: mke2fs puts a log
// in one piece.
func (v *Volume) journalByPlace(journals []int64) {
	bs := int64(v.FS.BlockSize())
	b := make([]byte, jbd2.SuperblockSize)
	for _, off := range journals {
		if off%bs != 0 || v.r.hide.Meets(off, bs) {
			continue
		}
		if n, _ := v.r.ReadAt(b, off); n < len(b) {
			continue
		}
		s, err := jbd2.DecodeSuperblock(b, off)
		if err != nil || int64(s.BlockSize) != bs || s.MaxLen < minLog || s.NumUsers > 1 || !v.FS.InRange(Block(off/bs), uint64(s.MaxLen)) {
			continue
		}
		raw := v.superPatch()
		if raw == nil {
			return
		}
		clear(raw[0x10c:0x150])
		at := raw[0x10c:] // s_jnl_blocks
		if !v.indirectMap(at, off/bs, s.MaxLen) {
			extentMap(at, uint64(off/bs), s.MaxLen)
		}
		size := uint64(s.MaxLen) * uint64(bs)
		le.PutUint32(at[60:], uint32(size>>32))
		le.PutUint32(at[64:], uint32(size))
		raw[0xfd] = 1 // s_jnl_backup_type
		seal(raw)
		v.r.put(patch{layout.SuperblockOffset, raw, false})
		v.say("journal: its inode is gone; a superblock of one lies in block %d, and the %d blocks from there on are taken for it", off/bs, s.MaxLen)
		v.reopen()
		return
	}
}

// extentMap fills i_block with an extent tree of up to four extents.
func extentMap(at []byte, first uint64, length uint32) {
	le.PutUint16(at[0:], 0xf30a)
	le.PutUint16(at[4:], 4)
	n := 0
	for done := uint32(0); done < length && n < 4; n++ {
		one := min(length-done, 1<<15)
		start := first + uint64(done)
		le.PutUint32(at[12+12*n:], done)
		le.PutUint16(at[16+12*n:], uint16(one))
		le.PutUint16(at[18+12*n:], uint16(start>>32))
		le.PutUint32(at[20+12*n:], uint32(start))
		done += one
	}
	le.PutUint16(at[2:], uint16(n))
}

// indirectMap fills i_block with a map of ext3, where the indirect blocks lie among the
// others, each before the first that it leads to.
func (v *Volume) indirectMap(at []byte, first int64, length uint32) bool {
	bs := int64(v.FS.BlockSize())
	per := bs / 4
	for i := range int64(12) {
		le.PutUint32(at[4*i:], uint32(first+i))
	}
	next, left := first+12, int64(length)-12
	b := make([]byte, bs)
	for level := range int64(3) {
		if left <= 0 {
			return true
		}
		if v.FS.ReadBlock(b, Block(next)) != nil || int64(le.Uint32(b)) != next+1 {
			return level > 0 // what follows is not known
		}
		le.PutUint32(at[4*(12+level):], uint32(next))
		span := [3]int64{1 + per, 1 + per*(1+per), 0}[level]
		next, left = next+span, left-[3]int64{per, per * per, left}[level]
	}
	return true
}

// superPatch gives the superblock that is put in place of the one there, to change.
func (v *Volume) superPatch() []byte {
	raw := make([]byte, layout.SuperblockSize)
	if n, _ := v.r.ReadAt(raw, layout.SuperblockOffset); n < len(raw) {
		return nil
	}
	return raw
}

// nextSequence gives the sequence number behind all that commit blocks of a log have.
func (v *Volume) nextSequence(runs []jbd2.Run, length uint32) uint32 {
	log := jbd2.NewLog(v.r, v.FS.BlockSize(), runs)
	b := make([]byte, v.FS.BlockSize())
	last, any := uint32(0), false
	for n := uint32(1); n < length; n++ {
		if log.ReadBlock(b, n) != nil {
			continue
		}
		if h, ok := jbd2.DecodeHeader(b); ok && h.Type == jbd2.TypeCommit && (!any || int32(h.Sequence-last) > 0) {
			last, any = h.Sequence, true
		}
	}
	return last + 1
}

// logSuper makes a superblock of a log of which nothing is to be replayed.
func logSuper(blockSize int, length, next uint32, incompat jbd2.Incompat, id layout.UUID) []byte {
	b := make([]byte, jbd2.SuperblockSize)
	be.PutUint32(b[0x0:], jbd2.Magic)
	be.PutUint32(b[0x4:], 4) // version 2
	be.PutUint32(b[0xc:], uint32(blockSize))
	be.PutUint32(b[0x10:], length)
	be.PutUint32(b[0x14:], 1) // s_first
	be.PutUint32(b[0x18:], next)
	be.PutUint32(b[0x28:], uint32(incompat))
	copy(b[0x30:], id[:])
	be.PutUint32(b[0x40:], 1) // s_nr_users
	if incompat&(jbd2.IncompatCsumV2|jbd2.IncompatCsumV3) != 0 {
		b[0x50] = 4 // crc32c
		be.PutUint32(b[0xfc:], layout.CRC32C(^uint32(0), b))
	}
	return b
}

// transactions counts what a log with that superblock holds: the transactions that are
// whole, and with a checksum each that holds where there are checksums.
func transactions(r io.ReaderAt, blockSize int, runs []jbd2.Run, super []byte, blocks uint64) (n int) {
	over := &reader{r: r}
	over.put(patch{runs[0].Start, super, false})
	j, err := jbd2.Open(jbd2.NewLog(over, blockSize, runs))
	if err != nil {
		return 0
	}
	a := j.Scan()
	for i := range a.Transactions {
		t := &a.Transactions[i]
		if !a.TookEffect(i) {
			continue
		}
		good := len(t.Blocks) > 0
		for _, c := range t.Blocks {
			good = good && c.Checksum != jbd2.Bad && uint64(c.FS) < blocks
		}
		if good {
			n++
		}
	}
	return n
}
