package layout

import "testing"

func TestFeatureNames(t *testing.T) {
	for _, tt := range []struct {
		got  string
		want string
	}{
		// As dumpe2fs -h prints them, in the same order.
		{(CompatHasJournal | CompatExtAttr | CompatResizeInode | CompatDirIndex).String(), "has_journal ext_attr resize_inode dir_index"},
		{Incompat(0x2c2).String(), "filetype extent 64bit flex_bg"},
		{ROCompat(0x46b).String(), "sparse_super large_file huge_file dir_nlink extra_isize metadata_csum"},

		{Compat(0).String(), ""},
		{Incompat(0).String(), ""},
		{ROCompat(0).String(), ""},
		{Compat(0x80002000).String(), "0x2000 0x80000000"},
		{Incompat(0x00040820 | 0x2).String(), "filetype 0x20 0x800 0x40000"},
		{ROCompat(0x00020000 | 0x1).String(), "sparse_super 0x20000"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	for name, names := range map[string][]bitName{"compat": compatNames, "incompat": incompatNames, "ro_compat": roCompatNames, "inode flags": inodeFlagNames} {
		for i, n := range names {
			if n.bit == 0 || n.bit&(n.bit-1) != 0 {
				t.Errorf("%s: %s is not one bit: %#x", name, n.name, n.bit)
			}
			if i > 0 && n.bit <= names[i-1].bit {
				t.Errorf("%s: %s is out of order", name, n.name)
			}
		}
		if got := len(bitNames(^uint32(0), names)); got != 32 {
			t.Errorf("%s: %d names for 32 bits", name, got)
		}
	}
	if IncompatKnown&(1<<5|1<<11|1<<18) != 0 {
		t.Error("bits that nobody has defined count as known")
	}
}
