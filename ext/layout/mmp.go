package layout

import (
	"bytes"
	"time"
)

const (
	mmpMagic       = 0x004d4d50 // EXT4_MMP_MAGIC
	mmpLength      = 0x400
	mmpChecksumOff = 0x3fc

	mmpSeqClean = 0xff4d4d50 // EXT4_MMP_SEQ_CLEAN
	mmpSeqFsck  = 0xe24d4d50 // EXT4_MMP_SEQ_FSCK
	mmpSeqMax   = 0xe24d4d4f // EXT4_MMP_SEQ_MAX
)

// An MMP is the block that keeps two machines from mounting the file system at
// once (s_mmp_block): struct mmp_struct, fs/ext4/ext4.h. It tells which machine
// had it mounted last, as what, and when that machine last wrote here.
type MMP struct {
	Sequence      uint32
	Time          time.Time // of the last update, to the second
	NodeName      []byte    // host name, up to its first NUL
	DeviceName    []byte    // device the file system was mounted from, likewise
	CheckInterval uint16    // in seconds
	Checksum      uint32
}

// State says what Sequence means: "clean" after an unmount, "fsck" while e2fsck
// runs, else "in use".
func (m MMP) State() string {
	switch {
	case m.Sequence == mmpSeqClean:
		return "clean"
	case m.Sequence == mmpSeqFsck:
		return "fsck"
	case m.Sequence > mmpSeqMax:
		return "unknown"
	}
	return "in use"
}

// DecodeMMP decodes the block at s_mmp_block. The first byte of b lies at byte
// off of the file system. The error, if any, is a *CorruptError.
func DecodeMMP(b []byte, off int64) (MMP, error) {
	if len(b) < mmpLength {
		return MMP{}, &CorruptError{"MMP block", "length", off, uint64(len(b))}
	}
	if magic := le.Uint32(b[0x0:]); magic != mmpMagic {
		return MMP{}, &CorruptError{"MMP block", "mmp_magic", off, uint64(magic)}
	}
	m := MMP{
		Sequence:      le.Uint32(b[0x04:]),           // mmp_seq
		NodeName:      untilNUL(b[0x10:][:64]),       // mmp_nodename
		DeviceName:    untilNUL(b[0x50:][:32]),       // mmp_bdevname
		CheckInterval: le.Uint16(b[0x70:]),           // mmp_check_interval
		Checksum:      le.Uint32(b[mmpChecksumOff:]), // mmp_checksum
	}
	if seconds := int64(le.Uint64(b[0x08:])); seconds != 0 { // mmp_time
		m.Time = time.Unix(seconds, 0).UTC()
	}
	return m, nil
}

// MMPChecksum reads and computes the checksum of an MMP block; seed is the file
// system's checksum seed. ok is false where b is too short to hold one.
func MMPChecksum(b []byte, seed uint32) (stored, computed uint32, ok bool) {
	if len(b) < mmpLength {
		return 0, 0, false
	}
	return le.Uint32(b[mmpChecksumOff:]), CRC32C(seed, b[:mmpChecksumOff]), true
}

func untilNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i:i]
	}
	return b
}
