package jbd2

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

// A WarningKind says what a Warning is about.
type WarningKind uint8

// The kinds of warning.
const (
	WarnRefused       WarningKind = iota // nothing is replayed; Err says why
	WarnUnreadable                       // a block of the log could not be read
	WarnTailChecksum                     // a descriptor or revoke block
	WarnCommitSum                        // a commit block, or its transaction under checksum v1
	WarnPartialCommit                    // a commit block of which only the header is right
	WarnCopyChecksum                     // a copy, which is not replayed
	WarnRevokeCount                      // a revoke block whose count runs past it
	WarnNoLastTag                        // a descriptor block without a last tag
	WarnLap                              // the log runs into its own start
	WarnFastCommit                       // the first fast commit should be replayed, and cannot: nothing is
	WarnAborted                          // the kernel aborted the journal: s_errno
	WarnOutside                          // a copy of a block that is not there; nothing is replayed from it on
)

var warningNames = [...]string{"refused", "unreadable", "tail-checksum", "commit-checksum", "partial-commit",
	"copy-checksum", "revoke-count", "no-last-tag", "lap", "fast-commit", "aborted", "outside"}

func (k WarningKind) String() string {
	if int(k) < len(warningNames) {
		return warningNames[k]
	}
	return fmt.Sprintf("warning %d", uint8(k))
}

// A Warning tells of damage met in the log: what an audit would find.
type Warning struct {
	Kind     WarningKind
	Sequence uint32       // of the transaction
	Log      uint32       // log block
	FS       layout.Block // of a copy, the block it is of
	Offset   int64        // byte of the reader where the fault lies; -1 in a hole
	Err      error        // what was read, where that says more
}

func (w Warning) String() string {
	at := fmt.Sprintf("log block %d, transaction %d", w.Log, w.Sequence)
	switch w.Kind {
	case WarnRefused:
		return fmt.Sprintf("the journal cannot be replayed: %v", w.Err)
	case WarnUnreadable:
		return fmt.Sprintf("transaction %d: %v", w.Sequence, w.Err)
	case WarnTailChecksum:
		return at + ": wrong checksum of a descriptor or revoke block"
	case WarnCommitSum:
		return at + ": wrong checksum of a commit block"
	case WarnPartialCommit:
		return at + ": a commit block was written in part"
	case WarnCopyChecksum:
		return fmt.Sprintf("%s: wrong checksum of the copy of block %d, which is not replayed", at, w.FS)
	case WarnRevokeCount, WarnNoLastTag, WarnFastCommit:
		return fmt.Sprintf("%s: %v", at, w.Err)
	case WarnLap:
		return at + ": the log runs into its own start"
	case WarnOutside:
		return fmt.Sprintf("%s: a copy of block %d, which the file system does not have; nothing is replayed from there on", at, w.FS)
	case WarnAborted:
		return fmt.Sprintf("the kernel aborted the journal: %v", w.Err)
	}
	return at
}
