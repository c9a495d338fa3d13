package jbd2

import (
	"encoding/binary"
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

var be = binary.BigEndian

// SuperblockSize is the length of the journal superblock in bytes.
const SuperblockSize = 1024

// A Superblock is struct journal_superblock_s, include/linux/jbd2.h: the first
// block of the log. From Compat on the fields exist in version 2 only, and are
// zero in version 1 whatever is stored.
type Superblock struct {
	Version   int    // 1 or 2, by the block type
	BlockSize uint32 // in bytes; the file system's
	MaxLen    uint32 // blocks in the log, the superblock among them
	First     uint32 // first log block of transactions
	Sequence  uint32 // of the first transaction to replay, or of the next one
	Start     uint32 // log block of that transaction; 0: nothing to replay
	Errno     int32  // why the journal was aborted, as a negative errno

	Compat         Compat
	Incompat       Incompat
	ROCompat       ROCompat
	UUID           layout.UUID
	NumUsers       uint32
	DynSuper       uint32
	MaxTransaction uint32
	MaxTransData   uint32
	ChecksumType   uint8  // 4: crc32c
	NumFC          uint32 // blocks of the fast-commit area; 0: not said
	Head           uint32 // log block to go on at after a clean unmount, Linux 6.4 on
	Checksum       uint32
	ChecksumOK     Verdict
	Users          []layout.UUID // up to 48
}

const maxUsers = 48 // JBD2_USERS_MAX

// DecodeSuperblock decodes a journal superblock whose first byte lies at byte
// off. It checks only magic and block type; Check judges the rest. The error is
// a *layout.CorruptError.
func DecodeSuperblock(b []byte, off int64) (*Superblock, error) {
	bad := func(field string, at int64, v uint64) (*Superblock, error) {
		return nil, &layout.CorruptError{Struct: "journal superblock", Field: field, Offset: off + at, Value: v}
	}
	if len(b) < SuperblockSize {
		return bad("length", 0, uint64(len(b)))
	}
	h := decodeHeader(b)
	if h.Magic != Magic {
		return bad("h_magic", 0x0, uint64(h.Magic))
	}
	s := &Superblock{
		BlockSize: be.Uint32(b[0xc:]),         // s_blocksize
		MaxLen:    be.Uint32(b[0x10:]),        // s_maxlen
		First:     be.Uint32(b[0x14:]),        // s_first
		Sequence:  be.Uint32(b[0x18:]),        // s_sequence
		Start:     be.Uint32(b[0x1c:]),        // s_start
		Errno:     int32(be.Uint32(b[0x20:])), // s_errno
	}
	switch h.Type {
	case TypeSuperV1:
		s.Version = 1
		return s, nil
	case TypeSuperV2:
		s.Version = 2
	default:
		return bad("h_blocktype", 0x4, uint64(h.Type))
	}
	s.Compat = Compat(be.Uint32(b[0x24:]))     // s_feature_compat
	s.Incompat = Incompat(be.Uint32(b[0x28:])) // s_feature_incompat
	s.ROCompat = ROCompat(be.Uint32(b[0x2c:])) // s_feature_ro_compat
	s.UUID = layout.UUID(b[0x30:0x40])         // s_uuid
	s.NumUsers = be.Uint32(b[0x40:])           // s_nr_users
	s.DynSuper = be.Uint32(b[0x44:])           // s_dynsuper
	s.MaxTransaction = be.Uint32(b[0x48:])     // s_max_transaction
	s.MaxTransData = be.Uint32(b[0x4c:])       // s_max_trans_data
	s.ChecksumType = b[0x50]                   // s_checksum_type
	s.NumFC = be.Uint32(b[0x54:])              // s_num_fc_blks
	s.Head = be.Uint32(b[0x58:])               // s_head
	s.Checksum = be.Uint32(b[0xfc:])           // s_checksum
	if s.Incompat&(IncompatCsumV2|IncompatCsumV3) != 0 {
		s.ChecksumOK = verdict(superblockChecksum(b) == s.Checksum)
	}
	for i := range min(int(s.NumUsers), maxUsers) {
		s.Users = append(s.Users, layout.UUID(b[0x100+16*i:][:16])) // s_users
	}
	return s, nil
}

// superblockChecksum computes s_checksum: the superblock with the field zero.
func superblockChecksum(b []byte) uint32 {
	crc := layout.CRC32C(^uint32(0), b[:0xfc])
	crc = layout.CRC32C(crc, []byte{0, 0, 0, 0})
	return layout.CRC32C(crc, b[0x100:SuperblockSize])
}

// An UnsupportedError says that the journal has features that the kernel, and
// this package, do not know. Nothing can be replayed then.
type UnsupportedError struct {
	Features []string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("journal has unknown features %v", e.Features)
}

const (
	minBlocks = 1024              // JBD2_MIN_JOURNAL_BLOCKS
	maxBlocks = minBlocks * 10000 // JBD2_MAX_JOURNAL_BLOCKS, which mke2fs keeps to
	defaultFC = 256               // JBD2_DEFAULT_FAST_COMMIT_BLOCKS

	checksumCRC32C = 4 // JBD2_CRC32C_CHKSUM
)

// Check reports what makes the kernel refuse the journal, by the rules of
// journal_check_superblock, fs/jbd2/journal.c: a *layout.CorruptError or an
// *UnsupportedError. off is where the superblock lies, blocks how many blocks
// the log has and blockSize the file system's.
func (s *Superblock) Check(off int64, blocks uint32, blockSize int) error {
	bad := func(field string, at int64, v uint64) error {
		return &layout.CorruptError{Struct: "journal superblock", Field: field, Offset: off + at, Value: v}
	}
	switch {
	case int64(s.BlockSize) != int64(blockSize):
		return bad("s_blocksize", 0xc, uint64(s.BlockSize))
	case s.MaxLen > blocks:
		return bad("s_maxlen", 0x10, uint64(s.MaxLen))
	case s.First == 0 || s.First >= s.MaxLen:
		return bad("s_first", 0x14, uint64(s.First))
	}
	if s.Version >= 2 {
		if unknown := append((s.ROCompat &^ knownROCompat).Names(), (s.Incompat &^ knownIncompat).Names()...); len(unknown) > 0 {
			return &UnsupportedError{unknown}
		}
		csums := s.Incompat & (IncompatCsumV2 | IncompatCsumV3)
		fc := uint32(0)
		if s.Incompat&IncompatFastCommit != 0 {
			fc = s.fcBlocks()
		}
		switch {
		case s.MaxLen < minBlocks:
			return bad("s_maxlen", 0x10, uint64(s.MaxLen))
		case s.MaxLen-minBlocks < fc:
			return bad("s_num_fc_blks", 0x54, uint64(s.NumFC))
		case s.First >= s.MaxLen-fc:
			return bad("s_first", 0x14, uint64(s.First))
		case csums == IncompatCsumV2|IncompatCsumV3:
			return bad("s_feature_incompat", 0x28, uint64(s.Incompat))
		case csums != 0 && s.Compat&CompatChecksum != 0:
			return bad("s_feature_compat", 0x24, uint64(s.Compat))
		case csums != 0 && s.ChecksumType != checksumCRC32C:
			return bad("s_checksum_type", 0x50, uint64(s.ChecksumType))
		case s.ChecksumOK == Bad:
			return bad("s_checksum", 0xfc, uint64(s.Checksum))
		}
	}
	return nil
}

// fcBlocks is the size of the fast-commit area where there is one.
func (s *Superblock) fcBlocks() uint32 {
	if s.NumFC == 0 {
		return defaultFC
	}
	return s.NumFC
}

// readSuperblock reads and decodes the superblock of a log.
func readSuperblock(l *Log) (*Superblock, error) {
	if bs := l.blockSize; bs < 1024 || bs > 1<<16 || bs&(bs-1) != 0 {
		return nil, fmt.Errorf("journal: no block size: %d bytes", bs)
	}
	b := make([]byte, l.blockSize)
	if err := l.ReadBlock(b, l.super); err != nil {
		return nil, fmt.Errorf("journal superblock: %w", err)
	}
	return DecodeSuperblock(b, l.Offset(l.super))
}
