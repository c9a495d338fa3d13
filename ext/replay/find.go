package replay

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// find opens the journal that the superblock names: s_journal_inum, the backup of
// its map, or a device.
func (v *View) find(r io.ReaderAt, o Options) {
	s := v.Home.Super
	at := func(field int64) int64 { return v.Home.SuperOffset + field }
	if s.Compat&layout.CompatHasJournal == 0 {
		if s.Incompat&layout.IncompatRecover != 0 {
			v.warn(at(0x60), "needs_recovery is set, but there is no journal (has_journal)")
		}
		return
	}
	onDevice := s.JournalDev != 0 || s.JournalInum == 0 && !s.JournalUUID.IsZero()
	switch {
	case s.JournalInum != 0:
		if onDevice {
			v.warn(at(0xe0), "the superblock names both a journal inode (%d) and a journal device, so the kernel refuses it; the inode is used", s.JournalInum)
			v.Failed = true
		}
		v.internal(r)
	case onDevice:
		v.external(o)
	default:
		v.warn(at(0xe0), "has_journal is set, but the superblock names neither a journal inode nor a device")
		v.Failed = true
		v.backup(r)
	}
}

// internal opens the journal in an inode, or by the backup of the inode's map.
func (v *View) internal(r io.ReaderAt) {
	ino := v.Home.Super.JournalInum
	j, err := v.openInode(r, ino)
	if err == nil {
		v.Journal, v.Source = j, fmt.Sprintf("inode %d", ino)
		return
	}
	off := int64(-1)
	if in, readErr := v.Home.Inode(ino); readErr == nil {
		off = in.Offset
	}
	v.warn(off, "journal inode %d: %s", ino, strings.ReplaceAll(err.Error(), "\n", "; "))
	v.Failed = true
	if v.backup(r) || j == nil {
		return
	}
	v.Journal, v.Source = j, fmt.Sprintf("inode %d", ino)
}

// openInode opens the journal in an inode. A journal is given beside an error where
// there is one in spite of it.
func (v *View) openInode(r io.ReaderAt, ino ext.Ino) (*jbd2.Journal, error) {
	in, err := v.Home.Inode(ino)
	if err != nil {
		return nil, err
	}
	var errs []error
	switch { // ext4_get_journal_inode, fs/ext4/super.c
	case !in.IsRegular() || in.Flags&layout.FlagEncrypt != 0:
		errs = append(errs, fmt.Errorf("no journal: mode %#o, flags %#x", in.Mode, uint32(in.Flags)))
	case in.Links == 0:
		errs = append(errs, errors.New("deleted"))
	case !in.ChecksumOK:
		errs = append(errs, errors.New("wrong checksum"))
	}
	j, err := v.openMap(r, in)
	return j, errors.Join(append(errs, err)...)
}

// maxRuns bounds the runs of a journal: that many, each of one block, is a log of
// 1 GiB in blocks of 1 KiB.
const maxRuns = 1 << 20

// openMap opens the journal that an inode maps.
func (v *View) openMap(r io.ReaderAt, in *ext.Inode) (*jbd2.Journal, error) {
	var runs []jbd2.Run
	var damage error
	count := 0
	end := (in.Size() + uint64(v.Home.BlockSize()) - 1) / uint64(v.Home.BlockSize())
	for run, err := range v.Home.Runs(in) {
		if err != nil {
			if count++; damage == nil {
				damage = err
			}
			if count > 100 {
				break
			}
			continue
		}
		if run.Logical >= end || len(runs) == maxRuns {
			break
		}
		if run.Kind == ext.Hole || run.Logical >= 1<<32 {
			continue // unwritten blocks count as any others (ext4_get_journal_blk)
		}
		n := min(run.Len, end-run.Logical, 1<<32-1-run.Logical)
		runs = append(runs, jbd2.Run{First: uint32(run.Logical), Start: v.Home.BlockOffset(run.Physical), Len: uint32(n)})
	}
	j, err := jbd2.Open(jbd2.NewLog(r, v.Home.BlockSize(), runs))
	if err == nil {
		slices.SortFunc(runs, func(a, b jbd2.Run) int { return cmp.Compare(a.Start, b.Start) })
		v.runs = runs
	}
	return j, errors.Join(damage, err)
}

// jnlBackupBlocks is EXT4_JNL_BACKUP_BLOCKS: s_jnl_blocks holds i_block and i_size
// of the journal inode.
const jnlBackupBlocks = 1

// backup opens the journal by the copy of its inode's map in the superblock. e2fsck
// mends the inode by it; the kernel knows no journal but the inode's, so that what
// is found here is shown and searched, not replayed.
func (v *View) backup(r io.ReaderAt) bool {
	s := v.Home.Super
	at := v.Home.SuperOffset + 0x10c // s_jnl_blocks
	in := BackupInode(v.Home)
	if in == nil {
		return false
	}
	j, err := v.openMap(r, in)
	if err != nil {
		v.warn(at, "backup of the journal inode's map: %v", err)
		return false
	}
	ino := s.JournalInum
	if ino == 0 {
		ino = layout.JournalIno
	}
	v.Journal, v.byBackup = j, true
	v.Source = fmt.Sprintf("backup of inode %d in the superblock", ino)
	return true
}

// BackupInode makes an inode of the copy that the superblock has of the journal inode's
// map, nil where it has none.
func BackupInode(fs *ext.FS) *ext.Inode {
	s := fs.Super
	if s.JnlBackupType != jnlBackupBlocks || s.JnlBlocks[0] == 0 {
		return nil
	}
	raw := make([]byte, fs.InodeSize())
	le.PutUint16(raw[0x0:], layout.ModeRegular|0o600) // i_mode
	le.PutUint32(raw[0x4:], s.JnlBlocks[16])          // i_size_lo
	le.PutUint32(raw[0x6c:], s.JnlBlocks[15])         // i_size_high
	le.PutUint16(raw[0x1a:], 1)                       // i_links_count
	for i, b := range s.JnlBlocks[:15] {
		le.PutUint32(raw[0x28+4*i:], b) // i_block
	}
	if le.Uint16(raw[0x28:]) == extentMagic {
		le.PutUint32(raw[0x20:], uint32(layout.FlagExtents)) // i_flags
	}
	// Faults in the map are reported where they lie, in the superblock.
	return fs.DecodeInode(raw, s.JournalInum, fs.SuperOffset+0x10c-0x28) // s_jnl_blocks, i_block
}

// external opens the journal on a device.
func (v *View) external(o Options) {
	s := v.Home.Super
	at := v.Home.SuperOffset + 0xd0 // s_journal_uuid
	v.Failed = true
	if o.External == nil {
		const text = "the journal lies on a device of its own, with UUID %s, that is not given"
		if s.Incompat&layout.IncompatRecover != 0 {
			v.warn(at, text+", and it has to be replayed", s.JournalUUID)
		} else {
			v.Warnings = append(v.Warnings, Warning{Offset: at, Text: fmt.Sprintf(text, s.JournalUUID), Note: true})
		}
		return
	}
	log, err := jbd2.ExternalLog(o.External, o.ExternalSize, s.UUID)
	if err != nil {
		v.warn(at, "journal device with UUID %s: %v", s.JournalUUID, err)
		return
	}
	j, err := jbd2.Open(log)
	if err != nil {
		v.warn(at, "journal device with UUID %s: %v", s.JournalUUID, err)
		return
	}
	if id := j.Facts().UUID; id != s.JournalUUID && !s.JournalUUID.IsZero() {
		v.warn(at, "the journal device has the UUID %s, the superblock names %s", id, s.JournalUUID)
	}
	if log.BlockSize() != v.Home.BlockSize() {
		v.warn(at, "the journal device has blocks of %d bytes, the file system of %d: not used", log.BlockSize(), v.Home.BlockSize())
		return
	}
	v.Journal, v.Source, v.Failed = j, "external device", false
}
