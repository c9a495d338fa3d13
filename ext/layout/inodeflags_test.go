package layout

import (
	"slices"
	"testing"
)

func TestInodeFlags(t *testing.T) {
	for _, tt := range []struct {
		flags   InodeFlags
		letters string
		names   []string
	}{
		{0, "----------------------", nil},
		// What lsattr printed for files with these flags, mounted by Linux 6.18.
		{0x000800d0, "----i-dA------e-------", []string{"immutable", "no_dump", "no_atime", "extents"}},
		{0x00081000, "-----------I--e-------", []string{"indexed_directory", "extents"}},
		{0x00080001, "s-------------e-------", []string{"secure_deletion", "extents"}},
		{0x00080400, "--------------e------m", []string{"no_compression", "extents"}},

		{0xffffffff, "suSDiadAcEjItTeCxFNPVm", []string{
			"secure_deletion", "undelete", "compression", "synchronous", "immutable", "append_only", "no_dump", "no_atime",
			"compression_dirty", "compressed_clusters", "no_compression", "encrypted", "indexed_directory", "imagic",
			"journaled_data", "no_tailmerging", "synchronous_directory", "top_of_directory_hierarchy", "huge_file", "extents",
			"verity", "ea_inode", "eof_blocks", "no_cow", "snapshot", "dax", "snapshot_deleted", "snapshot_shrunk",
			"inline_data", "project_hierarchy", "casefold", "reserved"}},
		{FlagEAInode | FlagHugeFile | FlagEOFBlocks | FlagReserved, "----------------------", []string{"huge_file", "ea_inode", "eof_blocks", "reserved"}},
	} {
		if got := tt.flags.Letters(); got != tt.letters {
			t.Errorf("%#x: got %s, want %s", uint32(tt.flags), got, tt.letters)
		}
		if got := tt.flags.Names(); !slices.Equal(got, tt.names) {
			t.Errorf("%#x: got %q, want %q", uint32(tt.flags), got, tt.names)
		}
	}
}
