package jbd2

import (
	"fmt"
	"io"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// A MismatchError says that a journal device belongs to other file systems.
type MismatchError struct {
	FS    layout.UUID   // the file system whose journal was looked for
	Users []layout.UUID // those the device's journal names
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the journal device serves %v, not %s", e.Users, e.FS)
}

// ExternalLog opens the log on a journal device of size bytes: an ext superblock
// with the journal_dev feature, and the journal superblock in the block behind
// it. Log blocks are counted from the start of the device there. fsUUID is the
// UUID of the file system, which the journal must name among its users; the zero
// UUID leaves that unchecked.
//
// The error is a *layout.CorruptError, a *MismatchError, or one of reading.
func ExternalLog(r io.ReaderAt, size int64, fsUUID layout.UUID) (*Log, error) {
	b := make([]byte, layout.SuperblockSize)
	if _, err := r.ReadAt(b, layout.SuperblockOffset); err != nil {
		return nil, fmt.Errorf("superblock of the journal device: %w", err)
	}
	sb, err := layout.DecodeSuperblock(b, layout.SuperblockOffset)
	if err != nil {
		return nil, err
	}
	blockSize := sb.BlockSize()
	switch {
	case sb.Incompat&layout.IncompatJournalDev == 0:
		return nil, &layout.CorruptError{Struct: "superblock", Field: "s_feature_incompat",
			Offset: layout.SuperblockOffset + 0x60, Value: uint64(sb.Incompat)}
	case blockSize == 0:
		return nil, &layout.CorruptError{Struct: "superblock", Field: "s_log_block_size",
			Offset: layout.SuperblockOffset + 0x18, Value: uint64(sb.LogBlockSize)}
	}
	blocks := uint64(max(size, 0)) / uint64(blockSize)
	if sb.BlocksCount < blocks {
		blocks = sb.BlocksCount
	}
	l := NewLog(r, blockSize, []Run{{0, 0, uint32(min(blocks, 1<<32-1))}})
	l.super = uint32(layout.SuperblockOffset/blockSize) + 1

	jsb, err := readSuperblock(l)
	if err != nil {
		return nil, err
	}
	if !fsUUID.IsZero() && !slices.Contains(jsb.Users, fsUUID) {
		return nil, &MismatchError{fsUUID, jsb.Users}
	}
	return l, nil
}
