package undelete

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/extscope/extscope/ext"
)

// Xattrs gives the extended attributes of a candidate, in the form that setxattr(2)
// takes. Those in a block that something else has used since are left out, and told in
// the error. It is not for several goroutines at once.
func (r *Result) Xattrs(c *Candidate) ([]ext.Xattr, error) {
	if c.In == nil {
		return nil, nil
	}
	in := *c.In
	var lost error
	if b := in.FileACL; b != 0 && !c.orphan && !r.f.logged(c, b) && r.f.fates.of(b, c.tx.tx()) == fateReused {
		in.FileACL, lost = 0, errors.New("the block they were in is used by something else since")
	}
	all, err := r.f.fs.Xattrs(&in)
	var out []ext.Xattr
	for _, x := range all {
		if x.Value == nil || !settable(x.Name) {
			continue
		}
		if strings.HasPrefix(x.Name, "system.posix_acl_") {
			x.Value = systemACL(x.Value)
		}
		out = append(out, x)
	}
	return out, errors.Join(lost, err)
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
