package jbd2

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

// Magic starts every block of the log that is not a copy (JBD2_MAGIC_NUMBER).
const Magic = 0xc03b3998

const headerSize = 12 // journal_header_t

// A BlockType is h_blocktype.
type BlockType uint32

// The block types, by their number on disk.
const (
	TypeDescriptor BlockType = 1 // tags: which file system blocks the copies behind it are of
	TypeCommit     BlockType = 2 // ends a transaction
	TypeSuperV1    BlockType = 3
	TypeSuperV2    BlockType = 4
	TypeRevoke     BlockType = 5 // blocks whose older copies must not be replayed
)

func (t BlockType) String() string {
	switch t {
	case TypeDescriptor:
		return "descriptor"
	case TypeCommit:
		return "commit"
	case TypeSuperV1, TypeSuperV2:
		return "superblock"
	case TypeRevoke:
		return "revoke"
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// A Header is journal_header_t, include/linux/jbd2.h.
type Header struct {
	Magic    uint32
	Type     BlockType
	Sequence uint32 // of the transaction
}

// DecodeHeader decodes the first bytes of a log block. ok is false where they
// are not a header, as in a copy.
func DecodeHeader(b []byte) (h Header, ok bool) {
	if len(b) < headerSize {
		return Header{}, false
	}
	h = decodeHeader(b)
	return h, h.Magic == Magic
}

func decodeHeader(b []byte) Header {
	return Header{
		Magic:    be.Uint32(b[0x0:]),            // h_magic
		Type:     BlockType(be.Uint32(b[0x4:])), // h_blocktype
		Sequence: be.Uint32(b[0x8:]),            // h_sequence
	}
}

// A Verdict says whether a checksum holds.
type Verdict uint8

// The verdicts. Unchecked is for journals that store none.
const (
	Unchecked Verdict = iota
	Good
	Bad
)

func (v Verdict) String() string { return [...]string{"unchecked", "good", "bad"}[min(v, Bad)] }

func verdict(ok bool) Verdict {
	if ok {
		return Good
	}
	return Bad
}

// A Format says how the blocks of a log are laid out, by the features in its
// superblock.
type Format struct {
	BlockSize int
	Wide      bool   // 64bit: block numbers have a high half
	Csum      int    // 0, or 2 or 3: which checksums descriptor, revoke and commit blocks and tags have
	CommitSum bool   // checksum v1: commit blocks hold a crc32 of their transaction
	Seed      uint32 // of the crc32c checksums: that of the journal's UUID
}

// Format gives the layout of the blocks of a log with blocks of that size.
func (s *Superblock) Format(blockSize int) Format {
	f := Format{
		BlockSize: blockSize,
		Wide:      s.Incompat&Incompat64Bit != 0,
		CommitSum: s.Compat&CompatChecksum != 0,
		Seed:      layout.CRC32C(^uint32(0), s.UUID[:]),
	}
	switch {
	case s.Incompat&IncompatCsumV3 != 0:
		f.Csum = 3
	case s.Incompat&IncompatCsumV2 != 0:
		f.Csum = 2
	}
	return f
}

// tailSize is the length of struct jbd2_journal_block_tail, the checksum that
// ends descriptor and revoke blocks, where they have one.
func (f Format) tailSize() int {
	if f.Csum != 0 {
		return 4
	}
	return 0
}

// TailChecksum judges the checksum at the end of a descriptor or revoke block.
func (f Format) TailChecksum(b []byte) Verdict {
	if f.Csum == 0 || len(b) < f.BlockSize || f.BlockSize < headerSize+4 {
		return Unchecked
	}
	tail := f.BlockSize - 4
	crc := layout.CRC32C(layout.CRC32C(f.Seed, b[:tail]), []byte{0, 0, 0, 0})
	return verdict(crc == be.Uint32(b[tail:])) // t_checksum
}
