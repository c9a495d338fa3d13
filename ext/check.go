package ext

import "github.com/extscope/extscope/ext/layout"

// XattrBody is the part of an inode behind its fields, where extended attributes
// may lie, and where it starts in the inode. It is nil where inodes have none;
// the error is a *layout.CorruptError where i_extra_isize cannot be right.
func (f *FS) XattrBody(in *Inode) (b []byte, at int, err error) { return f.xattrBody(in) }

// InlineSize is how many bytes of contents an inode with inline data has room
// for: those of i_block, and of the attribute system.data. ok is false where
// that attribute is missing, as it never is.
func (f *FS) InlineSize(in *Inode) (n uint64, ok bool) {
	body, _, err := f.xattrBody(in)
	if err != nil {
		return layout.InlineBlockSize, false
	}
	e, ok := layout.InlineTail(body)
	return layout.InlineBlockSize + uint64(e.ValueSize), ok
}

// HasPolicy reports whether an inode has an encryption policy among its extended
// attributes, be it right or not.
func (f *FS) HasPolicy(in *Inode) bool {
	has := func(entries []layout.XattrEntry) bool {
		for i := range entries {
			if entries[i].NameIndex == layout.XattrEncryption && string(entries[i].Name) == "c" {
				return true
			}
		}
		return false
	}
	if body, at, err := f.xattrBody(in); err == nil {
		if entries, _ := layout.DecodeXattrBody(body, in.Offset+int64(at)); has(entries) {
			return true
		}
	}
	if in.FileACL == 0 {
		return false
	}
	_, _, entries, _ := f.XattrBlock(in.FileACL)
	return has(entries)
}
