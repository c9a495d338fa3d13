package audit

import (
	"errors"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A worker holds what one goroutine of the survey gathers.
type worker struct {
	a       *auditor
	walk    mapWalk
	acls    []aclRef
	values  []eaRef
	dots    []dotdot
	dirs    []dirInfo // directories met
	area    attrArea  // scratch
	targets *ext.TargetReader
	hashes  []nameHash // of the block at hand
	slots   []uint16   // scratch: where hashes are
	use     tally      // of quotas
	dot     dotState
	tree    dxNotes
	torn    bool // a record of the block at hand cannot be right
	large   bool // a file was met whose size takes large_file

	largeDir bool // an indexed directory was met whose size takes large_dir
}

// inode judges one inode by itself.
func (w *worker) inode(in *ext.Inode) {
	a := w.a
	if !in.ChecksumOK {
		a.add(Finding{Kind: BadChecksum, Ino: in.Ino, Offset: in.Offset + 0x7c,
			Detail: fmt.Sprintf("inode checksum is %#x, which its contents do not give", in.Checksum)})
	}
	w.deletion(in)
	switch {
	case in.Ino == layout.BadBlocksIno:
		return // it was first of all
	case in.Ino < a.fs.FirstIno() && in.Ino != layout.RootIno:
		w.reserved(in)
		return
	case in.Links == 0:
		return
	case in.Ino == a.fs.Super.OrphanFileInum && a.fs.Super.Compat&layout.CompatOrphanFile != 0:
		w.flags(in)
		w.ownFile(in, "orphan file")
		return
	}
	w.times(in)
	w.fields(in)
	w.body(in)
	w.special(in)
	w.blocks(in)
	if in.IsDir() {
		w.directory(in)
	}
}

// badInode tells of a field of an inode, which lies at byte at of it.
func (w *worker) badInode(kind Kind, in *ext.Inode, at int64, format string, args ...any) {
	w.a.add(Finding{Kind: kind, Ino: in.Ino, Offset: in.Offset + at, Detail: fmt.Sprintf(format, args...)})
}

// deletion holds i_dtime against i_links_count. While an inode is on the orphan
// list, i_dtime is the next one's number.
func (w *worker) deletion(in *ext.Inode) {
	a := w.a
	if len(a.listed) > 0 && a.listed[in.Ino] {
		return
	}
	reserved := in.Ino < a.fs.FirstIno() && in.Ino != layout.RootIno
	switch {
	case in.Dtime != 0 && in.Dtime < a.fs.Super.InodesCount && a.bigTimes:
		w.badInode(BadInode, in, 0x14, "deletion time is %d: the number of an inode, which is on no list of orphans", in.Dtime)
	case in.Links > 0 && in.Dtime != 0 && !reserved:
		w.badInode(BadInode, in, 0x14, "deletion time %s is set on an inode in use", stamp(in.DtimeTime()))
	case in.Links == 0 && in.Dtime == 0 && in.Mode != 0 && !reserved:
		w.badInode(BadInode, in, 0x14, "no link is left and the deletion time is not set, and it is on no list of orphans")
	}
}

// addError turns an error of package ext into a finding of the kind that fits,
// or, where bytes could not be had, into a part that was not judged.
func (a *auditor) addError(ino ext.Ino, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			a.addError(ino, one)
		}
		return
	}
	var c *layout.CorruptError
	if !errors.As(err, &c) {
		a.lost(fmt.Errorf("inode %d: %w", ino, err))
		return
	}
	a.add(Finding{Kind: kindOf(c), Ino: ino, Offset: c.Offset, Detail: err.Error()})
}

// addSum tells of the checksum of a block that belongs to an inode.
func (a *auditor) addSum(ino ext.Ino, block ext.Block, at int64, what string, stored, computed uint32) {
	a.add(Finding{Kind: BadChecksum, Ino: ino, HasBlock: true, Block: block, Offset: at,
		Detail: fmt.Sprintf("%s %d: checksum is %#08x, its contents give %#08x", what, block, stored, computed)})
}

// kindOf sorts damage by the structure that it was met in.
func kindOf(c *layout.CorruptError) Kind {
	switch c.Struct {
	case "extent node", "extent", "extent index":
		return BadExtent
	case "block map", "block pointer":
		return BadBlockPointer
	case "directory", "directory entry", "directory index":
		return BadEntry
	case "symlink", "encrypted symlink":
		return BadSymlink
	case "xattr block", "inode xattrs", "xattr inode":
		return BadXattr
	case "directory index root", "directory index node":
		return BadHtree
	case "quota file":
		return BadQuota
	case "journal superblock":
		return BadJournal
	case "orphan list", "orphan file", "orphan file block", "superblock", "group descriptor", "MMP block":
		return BadSuperblock
	}
	if c.Field == "i_size" {
		return BadSize
	}
	if c.Field == "i_file_acl" {
		return BadXattr
	}
	return BadInode
}
