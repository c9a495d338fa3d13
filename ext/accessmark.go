package ext

import "github.com/extscope/extscope/ext/layout"

// AccessMark is what ls -l puts behind the mode: '+' when the inode has a POSIX
// ACL, '.' when it has an SELinux label only, 0 without either. Damaged
// attributes count for nothing here; Xattrs tells of them.
func (f *FS) AccessMark(in *Inode) byte {
	mark := byte(0)
	look := func(entries []layout.XattrEntry) {
		for i := range entries {
			switch e := &entries[i]; {
			case e.NameIndex == layout.XattrACLAccess || e.NameIndex == layout.XattrACLDefault:
				mark = '+'
			case mark == 0 && e.FullName() == "security.selinux":
				mark = '.'
			}
		}
	}
	if body, at, err := f.xattrBody(in); err == nil && len(body) > 0 {
		entries, _ := layout.DecodeXattrBody(body, in.Offset+int64(at))
		look(entries)
	}
	if in.FileACL != 0 && mark != '+' {
		_, _, entries, _ := f.XattrBlock(in.FileACL)
		look(entries)
	}
	return mark
}
