package ext

import "github.com/extscope/extscope/ext/layout"

// CheckBody looks at the part of an inode behind its fields: extended attributes
// that lie there, and contents. The error tells of what cannot be right: a
// *layout.CorruptError, or several joined. Each attribute whose value lies in an
// inode of its own is given to value, which may be nil.
func (f *FS) CheckBody(in *Inode, value func(layout.XattrEntry)) error {
	body, at, err := f.xattrBody(in)
	if err != nil {
		return err
	}
	entries, err := layout.DecodeXattrBody(body, in.Offset+int64(at))
	var errs errorList
	if err != nil {
		errs.add(err)
	}
	for _, e := range entries {
		if e.ValueInode != 0 && value != nil {
			value(e)
		}
	}
	if err == nil && in.HasInline() && f.hasIncompat(layout.IncompatInlineData) {
		room := uint64(layout.InlineBlockSize)
		for _, e := range entries {
			if e.IsInlineTail() {
				room += uint64(e.ValueSize)
			}
		}
		// A directory fills its room with records; files may leave some.
		if in.size > room || in.IsDir() && in.size != room {
			errs.add(corrupt("inline data", "i_size", in.Offset+4, in.size))
		}
	}
	return errs.join()
}
