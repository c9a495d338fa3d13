package jbd2

import (
	"time"

	"github.com/extscope/extscope/ext/layout"
)

const (
	commitHeaderSize = 0x40 // struct commit_header with its padding

	checksumCRC32     = 1 // JBD2_CRC32_CHKSUM
	checksumCRC32Size = 4
)

// A Commit is struct commit_header, include/linux/jbd2.h: the block that ends a
// transaction.
type Commit struct {
	Sequence     uint32
	ChecksumType uint8 // checksum v1: 1 for crc32
	ChecksumSize uint8 // likewise, in bytes
	Checksum     uint32
	Seconds      uint64 // since 1970
	Nanoseconds  uint32
}

// DecodeCommit decodes a commit block, which lies at byte off. The error is a
// *layout.CorruptError.
func DecodeCommit(b []byte, off int64) (Commit, error) {
	if len(b) < commitHeaderSize {
		return Commit{}, &layout.CorruptError{Struct: "commit block", Field: "length", Offset: off, Value: uint64(len(b))}
	}
	h := decodeHeader(b)
	if h.Magic != Magic {
		return Commit{}, &layout.CorruptError{Struct: "commit block", Field: "h_magic", Offset: off, Value: uint64(h.Magic)}
	}
	if h.Type != TypeCommit {
		return Commit{}, &layout.CorruptError{Struct: "commit block", Field: "h_blocktype", Offset: off + 0x4, Value: uint64(h.Type)}
	}
	return Commit{
		Sequence:     h.Sequence,
		ChecksumType: b[0xc],              // h_chksum_type
		ChecksumSize: b[0xd],              // h_chksum_size
		Checksum:     be.Uint32(b[0x10:]), // h_chksum[0]
		Seconds:      be.Uint64(b[0x30:]), // h_commit_sec
		Nanoseconds:  be.Uint32(b[0x38:]), // h_commit_nsec
	}, nil
}

// lastSecond is the end of the year 9999, past which a time has no date.
const lastSecond = 253402300799

// Time is when the transaction was committed, by the machine's clock; the zero
// time where none is stored, or one that is not a date.
func (c Commit) Time() time.Time {
	if c.Seconds == 0 || c.Seconds > lastSecond || c.Nanoseconds > 999999999 {
		return time.Time{}
	}
	return time.Unix(int64(c.Seconds), int64(c.Nanoseconds)).UTC()
}

// CommitChecksum judges the checksum of a commit block under checksum v2 and v3.
// A block of which only the header reached the disk passes, as with Linux 6.11
// and later, if the checksum holds with zeros for the rest of it.
func (f Format) CommitChecksum(b []byte) Verdict {
	if f.Csum == 0 || len(b) < f.BlockSize || f.BlockSize < commitHeaderSize {
		return Unchecked
	}
	stored := be.Uint32(b[0x10:]) // h_chksum[0]
	crc := layout.CRC32C(f.Seed, b[:0x10])
	crc = layout.CRC32C(crc, []byte{0, 0, 0, 0})
	crc = layout.CRC32C(crc, b[0x14:commitHeaderSize])
	if layout.CRC32C(crc, b[commitHeaderSize:f.BlockSize]) == stored {
		return Good
	}
	return verdict(layout.CRC32C(crc, make([]byte, f.BlockSize-commitHeaderSize)) == stored)
}

// transactionVerdict judges checksum v1 of a commit block: sum is the crc32 of the
// transaction's descriptor blocks and copies. A block without any passes.
func (c Commit) transactionVerdict(sum uint32) Verdict {
	switch {
	case c.ChecksumType == 0 && c.ChecksumSize == 0 && c.Checksum == 0:
		return Unchecked
	case c.ChecksumType == checksumCRC32 && c.ChecksumSize == checksumCRC32Size:
		return verdict(c.Checksum == sum)
	}
	return Bad
}
