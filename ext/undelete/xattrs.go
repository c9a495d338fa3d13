package undelete

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/extscope/extscope/ext"
)

// Xattrs gives the extended attributes of a candidate, in the form that setxattr(2)
// takes. The error tells of those that are not there, and of what is not proved about
// those that are. It is not for several goroutines at once.
func (r *Result) Xattrs(c *Candidate) ([]ext.Xattr, error) {
	if c.In == nil {
		return nil, nil
	}
	in := *c.In
	if !c.orphan {
		in.FileACL = 0
	}
	all, err := r.f.fs.Xattrs(&in)
	if b := c.In.FileACL; b != 0 && !c.orphan {
		block, entries, doubt := r.f.xattrBlock(c, b)
		for _, e := range entries {
			x := ext.Xattr{Name: e.FullName(), Index: e.NameIndex, Where: "block", ValueInode: e.ValueInode}
			x.Value, _ = e.Value(block)
			all = append(all, x)
		}
		err = errors.Join(err, doubt)
	}
	var out []ext.Xattr
	for _, x := range all {
		if x.ValueInode != 0 && !c.orphan {
			err = errors.Join(err, fmt.Errorf("%s: its value was in inode %d, and nothing proves that it still is", x.Name, x.ValueInode))
			continue
		}
		if x.Value == nil || !settable(x.Name) {
			continue
		}
		if strings.HasPrefix(x.Name, "system.posix_acl_") {
			x.Value = systemACL(x.Value)
		}
		out = append(out, x)
	}
	return out, err
}

// settable reports whether an attribute is one that a kernel lets be set.
func settable(name string) bool {
	for _, prefix := range []string{"user.", "trusted.", "security.", "system.posix_acl_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// systemACL turns a POSIX ACL from the form on disk, struct ext4_acl_header, to that of
// system calls, struct posix_acl_xattr_header, in which each entry has an id.
func systemACL(b []byte) []byte {
	const diskVersion, callVersion, userTag, groupTag, noID = 1, 2, 2, 8, ^uint32(0)
	le := binary.LittleEndian
	if len(b) < 4 || le.Uint32(b) != diskVersion {
		return b
	}
	out := le.AppendUint32(nil, callVersion)
	for b = b[4:]; len(b) >= 4; {
		tag, id := le.Uint16(b), noID
		out = append(out, b[:4]...)
		b = b[4:]
		if (tag == userTag || tag == groupTag) && len(b) >= 4 {
			id, b = le.Uint32(b), b[4:]
		}
		out = le.AppendUint32(out, id)
	}
	return out
}
