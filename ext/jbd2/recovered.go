package jbd2

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

const (
	sbState    = 0x3a
	sbIncompat = 0x60
	sbErrors   = 0x194 // s_error_count, where what the kernel noted of errors begins
	sbErrorEnd = 0x200 // s_mount_opts
	sbChecksum = 0x3fc
)

// RecoverSuperblock changes an ext superblock as a kernel does after replay:
// needs_recovery is cleared, an aborted journal leaves its mark in s_state, and
// under metadata_csum the checksum is computed anew. The error is a
// *layout.CorruptError.
func RecoverSuperblock(b []byte, aborted bool) error {
	sb, err := layout.DecodeSuperblock(b, layout.SuperblockOffset)
	if err != nil {
		return err
	}
	le.PutUint32(b[sbIncompat:], uint32(sb.Incompat&^layout.IncompatRecover)) // s_feature_incompat
	if aborted {
		le.PutUint16(b[sbState:], sb.State|layout.StateErrors) // s_state
	}
	if sb.MetadataCsum() {
		le.PutUint32(b[sbChecksum:], layout.SuperblockChecksum(b)) // s_checksum
	}
	return nil
}

// MarkRecovered makes the superblock of the view read as after recovery. What the
// kernel noted of errors stays as the home block has it, for it is written there
// without the journal. aborted is for a journal with s_errno set.
func (o *Overlay) MarkRecovered(aborted bool) error {
	b := make([]byte, layout.SuperblockSize)
	if _, err := o.ReadAt(b, layout.SuperblockOffset); err != nil {
		return fmt.Errorf("superblock: %w", err)
	}
	if _, copied := o.Copied(layout.Block(layout.SuperblockOffset / o.blockSize)); copied {
		home := make([]byte, sbErrorEnd-sbErrors)
		if _, err := o.base.ReadAt(home, layout.SuperblockOffset+sbErrors); err == nil {
			copy(b[sbErrors:sbErrorEnd], home)
		}
	}
	if err := RecoverSuperblock(b, aborted); err != nil {
		return err
	}
	return o.Patch(layout.SuperblockOffset, b)
}
