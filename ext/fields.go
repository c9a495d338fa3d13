package ext

import (
	"bytes"

	"github.com/extscope/extscope/ext/layout"
)

// Fields is a set of what can differ between two states of an inode.
type Fields uint32

// The fields.
const (
	FieldGeneration Fields = 1 << iota // another file has the number
	FieldMode
	FieldOwner // uid, gid and project
	FieldSize
	FieldLinks
	FieldAtime
	FieldMtime
	FieldCtime
	FieldCrtime
	FieldDtime
	FieldFlags
	FieldMap     // which blocks hold the contents
	FieldContent // the contents themselves: inline data, or blocks that were logged
	FieldTarget  // of a symlink
	FieldXattrs
	FieldVersion // i_version
)

var fieldNames = [...]string{"generation", "mode", "owner", "size", "links", "atime", "mtime", "ctime", "crtime", "dtime",
	"flags", "map", "content", "target", "xattrs", "version"}

// Names lists the fields in words.
func (f Fields) Names() []string {
	var names []string
	for i, name := range fieldNames {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Differ lists what differs between two states of an inode, by what is stored in the
// inode itself: not what lies in an xattr block or in nodes of the map.
func (f *FS) Differ(a, b *Inode) (out Fields) {
	set := func(differ bool, field Fields) {
		if differ {
			out |= field
		}
	}
	set(a.Generation != b.Generation, FieldGeneration)
	set(a.Mode != b.Mode, FieldMode)
	set(a.UID != b.UID || a.GID != b.GID || a.ProjID != b.ProjID, FieldOwner)
	set(a.Size() != b.Size(), FieldSize)
	set(a.Links != b.Links, FieldLinks)
	set(!a.Atime.Equal(b.Atime), FieldAtime)
	set(!a.Mtime.Equal(b.Mtime), FieldMtime)
	set(!a.Ctime.Equal(b.Ctime), FieldCtime)
	set(!a.Crtime.Equal(b.Crtime), FieldCrtime)
	set(a.Dtime != b.Dtime, FieldDtime)
	set(a.Flags != b.Flags, FieldFlags)
	set(a.Version != b.Version, FieldVersion)
	body := !bytes.Equal(a.body(), b.body())
	if b.HasInline() || a.HasInline() {
		set(a.Block != b.Block || body, FieldContent)
	} else if a.Block != b.Block {
		set(f.HasMap(a) || f.HasMap(b), FieldMap)
		set(!f.HasMap(a) && !f.HasMap(b) && b.Type() == layout.ModeSymlink, FieldTarget)
	}
	set(a.FileACL != b.FileACL || body && !b.HasInline(), FieldXattrs)
	return out
}

// body is the part of an inode behind its fields, which holds extended attributes.
func (in *Inode) body() []byte {
	return in.Raw[min(len(in.Raw), layout.GoodOldInodeSize+int(in.ExtraIsize)):]
}
