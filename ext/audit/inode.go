package audit

import (
	"errors"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A worker holds what one goroutine of the survey gathers.
type worker struct {
	a      *auditor
	acls   []aclRef
	dots   []dotdot
	runs   []ext.Run  // scratch
	seeds  []dirSeed  // of directories met
	hashes []nameHash // of the block at hand
	dot    dotState
	values []eaRef
	levels []dxLevels
}

// An aclRef is an inode's pointer to a block of extended attributes.
type aclRef struct {
	block ext.Block
	ino   ext.Ino
}

// inode judges one inode by itself.
func (w *worker) inode(in *ext.Inode) {
	a := w.a
	if in.Links == 0 {
		return
	}
	if !in.ChecksumOK {
		a.add(Finding{Kind: BadChecksum, Ino: in.Ino, Offset: in.Offset + 0x7c,
			Detail: fmt.Sprintf("inode checksum is %#x, which its contents do not give", in.Checksum)})
	}
	if in.FileACL != 0 {
		w.acls = append(w.acls, aclRef{in.FileACL, in.Ino})
	}
	if in.IsDir() && a.fs.Super.MetadataCsum() {
		w.seeds = append(w.seeds, dirSeed{in.Ino, a.fs.InodeSeed(in)})
	}
	w.times(in)
	w.fields(in)
	w.blocks(in)
}

// blocks judges what the inode maps.
func (w *worker) blocks(in *ext.Inode) {
	a := w.a
	var simple bool
	if w.runs, simple = a.fs.AppendSimple(w.runs[:0], in); !simple {
		w.walk(in)
	}
	if err := a.fs.CheckSize(in); err != nil {
		a.addError(in.Ino, err)
	}
	if in.IsSymlink() && a.fs.FastTarget(in) == nil {
		if _, err := a.fs.Readlink(in); err != nil {
			var c *layout.CorruptError
			if errors.As(err, &c) {
				a.add(Finding{Kind: BadSymlink, Ino: in.Ino, Offset: c.Offset, Detail: err.Error()})
			} else {
				a.addError(in.Ino, err)
			}
		}
	}
}

// walk goes through a map that does not lie wholly in the inode, or is damaged.
func (w *worker) walk(in *ext.Inode) {
	a := w.a
	sums := a.fs.Super.MetadataCsum() && in.Flags&layout.FlagExtents != 0 && !a.skip(BadChecksum)
	next, disorder := uint64(0), false
	for r, err := range a.fs.MapWithin(in, a.nodes) {
		if err != nil {
			a.addError(in.Ino, err)
			continue
		}
		if r.Kind != ext.Index {
			if r.Logical < next && !disorder {
				disorder = true
				a.add(Finding{Kind: BadExtent, Ino: in.Ino, HasBlock: true, Block: r.Physical, Offset: in.Offset + 0x28,
					Detail: fmt.Sprintf("the extent of file block %d begins before the one in front of it ends, at %d", r.Logical, next)})
			}
			next = max(next, r.Logical+r.Len)
		}
		if r.Kind == ext.Index && sums {
			w.extentSum(in, r.Physical)
		}
	}
}

func (w *worker) extentSum(in *ext.Inode, block ext.Block) {
	b := make([]byte, w.a.fs.BlockSize())
	if err := w.a.fs.ReadBlock(b, block); err != nil {
		return // told by the walk
	}
	stored, computed, ok := layout.ExtentChecksum(b, w.a.fs.InodeSeed(in))
	if ok && stored != computed {
		w.a.add(Finding{Kind: BadChecksum, Ino: in.Ino, HasBlock: true, Block: block, Offset: w.a.fs.BlockOffset(block),
			Detail: fmt.Sprintf("extent block %d: checksum is %#08x, its contents give %#08x", block, stored, computed)})
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
	case "orphan list", "orphan file", "superblock", "group descriptor", "MMP block":
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
