package ext

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
)

// maxXattrValue is XATTR_SIZE_MAX of the kernel: no value is longer, in bytes.
const maxXattrValue = 64 << 10

// An Xattr is one extended attribute of an inode.
type Xattr struct {
	Name       string // with its prefix, as getfattr shows it
	Index      uint8  // of the prefix
	Value      []byte // as stored; nil where it could not be read
	Where      string // "inode", "block" or "ea_inode"
	ValueInode Ino    // where an ea_inode holds the value
}

// Text decodes a value whose form is known: POSIX ACLs, capabilities, SELinux
// labels and encryption policies. ok is false for others.
func (x *Xattr) Text() (text string, ok bool) {
	switch {
	case x.Index == layout.XattrACLAccess || x.Index == layout.XattrACLDefault:
		a, err := layout.DecodeACL(x.Value)
		return a.String(), err == nil
	case x.Name == "security.capability":
		c, err := layout.DecodeCapability(x.Value)
		return c, err == nil
	case x.Name == "security.selinux":
		return string(layout.TrimLabel(x.Value)), true
	case x.Index == layout.XattrEncryption:
		c, err := layout.DecodeFscryptContext(x.Value)
		return c.String(), err == nil
	}
	return "", false
}

// Xattrs reads the extended attributes of an inode: those in its body, then
// those in its block. The encryption policy is among them, under a name that no
// kernel shows. The error tells of the damaged ones; the rest is given.
func (f *FS) Xattrs(in *Inode) ([]Xattr, error) {
	var all []Xattr
	var errs errorList
	body, at, err := f.xattrBody(in)
	if err != nil {
		errs.add(err)
	}
	entries, err := layout.DecodeXattrBody(body, in.Offset+int64(at))
	if err != nil {
		errs.add(err)
	}
	all = f.xattrValues(all, entries, body, "inode", &errs)
	if in.FileACL != 0 {
		b, _, entries, err := f.XattrBlock(in.FileACL)
		if err != nil {
			errs.add(err)
		}
		all = f.xattrValues(all, entries, b, "block", &errs)
	}
	return all, errs.join()
}

// XattrBlock reads a block of extended attributes.
func (f *FS) XattrBlock(block Block) ([]byte, layout.XattrHeader, []layout.XattrEntry, error) {
	if !f.InRange(block, 1) {
		return nil, layout.XattrHeader{}, nil, corrupt("inode", "i_file_acl", 0, uint64(block))
	}
	b := make([]byte, f.blockSize)
	if err := f.ReadBlock(b, block); err != nil {
		return nil, layout.XattrHeader{}, nil, err
	}
	h, entries, err := layout.DecodeXattrBlock(b, f.bytes(block))
	return b, h, entries, err
}

// xattrBody is the part of the inode behind its fields, and where it starts.
func (f *FS) xattrBody(in *Inode) ([]byte, int, error) {
	if len(in.Raw) <= layout.GoodOldInodeSize {
		return nil, 0, nil
	}
	at := layout.GoodOldInodeSize + int(in.ExtraIsize)
	if at > len(in.Raw) || in.ExtraIsize%4 != 0 {
		return nil, 0, corrupt("inode", "i_extra_isize", in.Offset+0x80, uint64(in.ExtraIsize))
	}
	return in.Raw[at:], at, nil
}

func (f *FS) xattrValues(all []Xattr, entries []layout.XattrEntry, b []byte, where string, errs *errorList) []Xattr {
	for _, e := range entries {
		if e.IsInlineTail() {
			continue
		}
		x := Xattr{Name: e.FullName(), Index: e.NameIndex, Where: where, ValueInode: e.ValueInode}
		if e.ValueInode != 0 {
			x.Where = "ea_inode"
			v, err := f.xattrInode(e)
			if err != nil {
				errs.add(fmt.Errorf("xattr %q in inode %d: %w", x.Name, e.ValueInode, err))
			}
			x.Value = v
		} else {
			x.Value, _ = e.Value(b)
		}
		all = append(all, x)
	}
	return all
}

// xattrInode reads a value that has an inode of its own.
func (f *FS) xattrInode(e layout.XattrEntry) ([]byte, error) {
	in, err := f.Inode(e.ValueInode)
	if err != nil {
		return nil, err
	}
	if in.Flags&layout.FlagEAInode == 0 {
		return nil, corrupt("xattr inode", "i_flags", in.Offset+0x20, uint64(in.Flags))
	}
	if e.ValueSize > maxXattrValue || uint64(e.ValueSize) > in.size {
		return nil, corrupt("xattr inode", "i_size", in.Offset+4, in.size)
	}
	file := f.File(in)
	if err := file.Err(); err != nil {
		return nil, err
	}
	v := make([]byte, e.ValueSize)
	_, err = file.ReadAt(v, 0)
	if int64(len(v)) == file.Size() {
		err = ignoreEOF(err)
	}
	return v, err
}
