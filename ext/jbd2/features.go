package jbd2

import (
	"fmt"
	"strings"
)

// Compat holds the journal's s_feature_compat.
type Compat uint32

// Incompat holds the journal's s_feature_incompat.
type Incompat uint32

// ROCompat holds the journal's s_feature_ro_compat, of which no bit is defined.
type ROCompat uint32

// Feature bits: JBD2_FEATURE_*, include/linux/jbd2.h.
const (
	CompatChecksum Compat = 0x1 // commit blocks hold a crc32 of their transaction

	IncompatRevoke      Incompat = 0x01
	Incompat64Bit       Incompat = 0x02
	IncompatAsyncCommit Incompat = 0x04 // commit blocks do not wait for their transaction
	IncompatCsumV2      Incompat = 0x08
	IncompatCsumV3      Incompat = 0x10
	IncompatFastCommit  Incompat = 0x20 // set while dirty, cleared by a clean unmount
)

const (
	knownIncompat = IncompatRevoke | Incompat64Bit | IncompatAsyncCommit |
		IncompatCsumV2 | IncompatCsumV3 | IncompatFastCommit
	knownROCompat ROCompat = 0
)

// Names lists the set bits by e2fsprogs' names, unknown ones in hex.
func (f Compat) Names() []string { return bitNames(uint32(f), "journal_checksum") }

// Names lists the set bits by e2fsprogs' names, unknown ones in hex.
func (f Incompat) Names() []string {
	return bitNames(uint32(f), "journal_incompat_revoke", "journal_64bit", "journal_async_commit",
		"journal_checksum_v2", "journal_checksum_v3", "fast_commit")
}

// Names lists the set bits in hex.
func (f ROCompat) Names() []string { return bitNames(uint32(f)) }

func (f Compat) String() string   { return strings.Join(f.Names(), " ") }
func (f Incompat) String() string { return strings.Join(f.Names(), " ") }
func (f ROCompat) String() string { return strings.Join(f.Names(), " ") }

// bitNames names bit i by names[i].
func bitNames(set uint32, names ...string) []string {
	var out []string
	for i := range 32 {
		switch {
		case set&(1<<i) == 0:
		case i < len(names):
			out = append(out, names[i])
		default:
			out = append(out, fmt.Sprintf("%#x", uint32(1)<<i))
		}
	}
	return out
}
