package layout

import (
	"fmt"
	"strings"
)

// ACLTag says whom an entry of an access control list is about (ACL_*,
// include/uapi/linux/posix_acl.h).
type ACLTag uint16

// The tags, by their number on disk.
const (
	ACLUserObj  ACLTag = 0x01 // the owner
	ACLUser     ACLTag = 0x02 // the user ID names
	ACLGroupObj ACLTag = 0x04 // the owning group
	ACLGroup    ACLTag = 0x08 // the group ID names
	ACLMask     ACLTag = 0x10 // what User, Group and GroupObj get at most
	ACLOther    ACLTag = 0x20
)

// An ACLEntry is one line of an access control list.
type ACLEntry struct {
	Tag  ACLTag
	Perm uint16 // 4 read, 2 write, 1 execute
	ID   uint32 // of the user or group, for ACLUser and ACLGroup only
}

// String gives the entry as getfacl -n shows it, without comments.
func (e ACLEntry) String() string {
	perm := []byte("---")
	for i, bit := range []uint16{4, 2, 1} {
		if e.Perm&bit != 0 {
			perm[i] = "rwx"[i]
		}
	}
	switch e.Tag {
	case ACLUserObj:
		return "user::" + string(perm)
	case ACLUser:
		return fmt.Sprintf("user:%d:%s", e.ID, perm)
	case ACLGroupObj:
		return "group::" + string(perm)
	case ACLGroup:
		return fmt.Sprintf("group:%d:%s", e.ID, perm)
	case ACLMask:
		return "mask::" + string(perm)
	case ACLOther:
		return "other::" + string(perm)
	}
	return fmt.Sprintf("%#x::%s", uint16(e.Tag), perm)
}

// An ACL is a POSIX access control list, in on-disk order.
type ACL []ACLEntry

// String gives the list in getfacl's short form: entries with commas between.
func (a ACL) String() string {
	parts := make([]string, len(a))
	for i, e := range a {
		parts[i] = e.String()
	}
	return strings.Join(parts, ",")
}

const aclVersion = 1 // EXT4_ACL_VERSION

// DecodeACL decodes the value of system.posix_acl_access or
// system.posix_acl_default as ext2, ext3 and ext4 store it: ext4_acl_header and
// its entries, fs/ext4/acl.h. It is not the form getxattr(2) gives, whose
// version is 2. The error, if any, is a *CorruptError with an offset from the
// start of b; the entries before it are given.
func DecodeACL(b []byte) (ACL, error) {
	bad := func(field string, at int, value uint64) *CorruptError {
		return &CorruptError{"ACL", field, int64(at), value}
	}
	if len(b) < 4 {
		return nil, bad("length", 0, uint64(len(b)))
	}
	if v := le.Uint32(b[0x0:]); v != aclVersion {
		return nil, bad("a_version", 0, uint64(v))
	}
	var acl ACL
	for at := 4; at < len(b); {
		if len(b)-at < 4 {
			return acl, bad("length", at, uint64(len(b)))
		}
		e := ACLEntry{
			Tag:  ACLTag(le.Uint16(b[at:])), // e_tag
			Perm: le.Uint16(b[at+0x2:]),     // e_perm
		}
		switch e.Tag {
		case ACLUserObj, ACLGroupObj, ACLMask, ACLOther:
			at += 4 // struct ext4_acl_entry_short
		case ACLUser, ACLGroup:
			if len(b)-at < 8 {
				return acl, bad("length", at, uint64(len(b)))
			}
			e.ID = le.Uint32(b[at+0x4:]) // e_id
			at += 8                      // struct ext4_acl_entry
		default:
			return acl, bad("e_tag", at, uint64(e.Tag))
		}
		acl = append(acl, e)
	}
	return acl, nil
}
