package replay

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// fastCommits applies the records of fast commits in their order: ext4_fc_replay,
// fs/ext4/fast_commit.c. At the first one that the kernel fails over the rest is
// left out, and a warning says so; what came before stays, as it does on disk when
// the kernel then refuses to mount. The error says that nothing can be shown.
func (e *editor) fastCommits(list []jbd2.FastCommit) error {
	for i := range list {
		for j := range list[i].Records {
			if r := &list[i].Records[j]; r.Tag == jbd2.FCAddRange {
				e.inUse.add(r.Extent.Start, r.Extent.Len)
			}
		}
	}
	done := 0
scan:
	for i := range list {
		for j := range list[i].Records {
			r := &list[i].Records[j]
			if err := e.record(r); err != nil {
				e.view.warn(r.Offset, "fast commit %d, %s of inode %d: %v; replay fails here, and the last %d of %d records are left out",
					i, r.Tag, r.Ino, err, e.view.Records-done, e.view.Records)
				e.view.Failed = true
				break scan
			}
			done++
		}
	}
	return e.flush()
}

// record applies one record. The error is one that ends the replay.
func (e *editor) record(r *jbd2.FCRecord) error {
	if err := e.spend(0); err != nil {
		return err
	}
	switch r.Tag {
	case jbd2.FCInode:
		return e.applyInode(r)
	case jbd2.FCAddRange:
		return e.applyRange(r, e.addRange)
	case jbd2.FCDelRange:
		return e.applyRange(r, e.delRange)
	case jbd2.FCCreat:
		return e.applyCreate(r)
	case jbd2.FCLink:
		return e.applyLink(r)
	case jbd2.FCUnlink:
		return e.applyUnlink(r)
	}
	return nil
}

// unused reports whether err is about an inode that is not there for the kernel,
// which passes over most records of such; others end the replay.
func (e *editor) unused(r *jbd2.FCRecord, err error) bool {
	if errors.Is(err, errGone) {
		return true
	}
	var missing *ext.NoInodeError
	var corrupt *layout.CorruptError
	if errors.As(err, &missing) || errors.As(err, &corrupt) {
		e.view.warn(r.Offset, "fast commit, %s of inode %d passed over: %v", r.Tag, r.Ino, err)
		return true
	}
	return false
}

// applyInode puts an inode in its place, without the map that ranges are applied
// to: ext4_fc_replay_inode.
func (e *editor) applyInode(r *jbd2.FCRecord) error {
	in, err := e.slot(r.Ino)
	if err != nil {
		return err
	}
	if !in.modified && in.links() > 0 && !in.bad && in.has(layout.FlagExtents) && !in.has(layout.FlagInlineData) {
		err := e.loadMap(in)
		if err == nil {
			err = e.dropMap(in)
		}
		if err != nil && !e.unused(r, err) {
			return err
		}
	}
	in.dirty, in.modified, in.bad = true, true, false
	copy(in.raw[:0x28], r.Inode)
	copy(in.raw[0x64:], r.Inode[0x64:]) // i_generation
	switch {
	case in.has(layout.FlagExtents):
		if b := in.block(); le.Uint16(b) != extentMagic {
			clear(b[:extentRecord])
			le.PutUint16(b[0x0:], extentMagic) // eh_magic
			le.PutUint16(b[0x4:], rootExtents) // eh_max
			in.mapped = false
		}
	case in.has(layout.FlagInlineData):
		copy(in.block(), r.Inode[0x28:])
	}
	if in.has(layout.FlagInlineData) || !in.has(layout.FlagExtents) {
		if err := e.forgetMap(in); err != nil {
			return err
		}
	}
	if err := e.useInode(in.ino); err != nil {
		return err
	}
	if in.links() == 0 {
		return errGone
	}
	if in.has(layout.FlagInlineData) {
		return nil
	}
	if !in.has(layout.FlagExtents) {
		e.setBlocks(in, 0)
		return nil
	}
	if err := e.loadMap(in); err != nil {
		return err
	}
	e.countBlocks(in)
	return nil
}

// forgetMap is for an inode that has no extents any more.
func (e *editor) forgetMap(in *inode) error {
	err := e.dropMap(in)
	e.extents -= len(in.extents)
	in.extents, in.nodes, in.mapped, in.mapDirty = nil, nil, false, false
	return err
}

// countBlocks makes i_blocks what the map holds: ext4_ext_replay_set_iblocks, which
// knows of no block of attributes.
func (e *editor) countBlocks(in *inode) {
	var n uint64
	for _, x := range in.extents {
		n += uint64(x.Len)
	}
	n += uint64(treeNodes(len(in.extents), e.nodeRoom()))
	e.setBlocks(in, n*uint64(e.fs.BlockSize()/512))
}

// applyRange applies a change of a map.
func (e *editor) applyRange(r *jbd2.FCRecord, change func(*inode, *jbd2.FCRecord) error) error {
	in, err := e.get(r.Ino)
	if err == nil {
		in.modified = true
		if err = e.loadMap(in); err == nil {
			err = change(in, r)
		}
	}
	var unsupported *ext.UnsupportedError
	if err == nil || errors.As(err, &unsupported) || e.unused(r, err) {
		return nil
	}
	return err
}

func (e *editor) addRange(in *inode, r *jbd2.FCRecord) error {
	x := r.Extent
	if x.Len == 0 {
		return nil
	}
	if uint64(x.FileBlock)+uint64(x.Len) > 1<<32-1 {
		return &layout.CorruptError{Struct: "fast commit record", Field: "ee_block", Offset: r.Offset + 8, Value: uint64(x.FileBlock)}
	}
	if uint64(x.Start) <= uint64(e.fs.Super.FirstDataBlock) || !e.fs.InRange(x.Start, uint64(x.Len)) {
		// The kernel maps them, and then cannot read the file.
		return &layout.CorruptError{Struct: "fast commit record", Field: "ee_start", Offset: r.Offset + 14, Value: uint64(x.Start)}
	}
	return e.put(in, x)
}

func (e *editor) delRange(in *inode, r *jbd2.FCRecord) error {
	return e.cut(in, uint64(r.FileBlock), uint64(r.FileBlock)+uint64(r.Len), nil)
}

// applyCreate gives a new inode its name: ext4_fc_replay_create.
func (e *editor) applyCreate(r *jbd2.FCRecord) error {
	if err := e.useInode(r.Ino); err != nil {
		return err
	}
	in, err := e.get(r.Ino)
	if err != nil {
		return err
	}
	if in.isDir() {
		parent, err := e.get(r.Parent)
		if err != nil {
			if e.unused(r, err) {
				return nil
			}
			return err
		}
		if err := e.newDir(parent, in); err != nil {
			e.view.warn(r.Offset, "fast commit: new directory %d: %v", r.Ino, err)
			return nil
		}
	}
	if err := e.link(r, in); err != nil {
		return err
	}
	in.setLinks(1)
	return nil
}

// applyLink gives an inode one more name: ext4_fc_replay_link.
func (e *editor) applyLink(r *jbd2.FCRecord) error {
	in, err := e.get(r.Ino)
	if err != nil {
		if e.unused(r, err) {
			return nil
		}
		return err
	}
	return e.link(r, in)
}

// link adds a name to a directory: ext4_fc_replay_link_internal.
func (e *editor) link(r *jbd2.FCRecord, in *inode) error {
	dir, err := e.get(r.Parent)
	if err != nil {
		if e.unused(r, err) {
			return nil
		}
		return err
	}
	switch err := e.addName(dir, r.Name, in); {
	case errors.Is(err, errExists):
		return nil // replayed before
	case err != nil:
		return fmt.Errorf("name in directory %d: %w", r.Parent, err)
	}
	n := in.links() + 1 // ext4_inc_count
	if in.has(layout.FlagIndex) && in.isDir() && (n > maxLinks || n == 2) {
		n = 1
	}
	in.setLinks(n)
	return nil
}

const maxLinks = 65000 // EXT4_LINK_MAX

// applyUnlink takes a name away: ext4_fc_replay_unlink, __ext4_unlink. A name that
// is another inode's by then stays, and the count goes down all the same.
func (e *editor) applyUnlink(r *jbd2.FCRecord) error {
	in, err := e.get(r.Ino)
	if err != nil {
		if e.unused(r, err) {
			return nil
		}
		return err
	}
	dir, err := e.get(r.Parent)
	if err != nil {
		if e.unused(r, err) {
			return nil
		}
		return err
	}
	switch err := e.removeName(dir, r.Name, r.Ino); {
	case errors.Is(err, errNoName):
		return nil // replayed before
	case err != nil:
		return fmt.Errorf("name in directory %d: %w", r.Parent, err)
	}
	in.setLinks(in.links() - 1)
	if in.links() == 0 {
		return e.evict(in)
	}
	return nil
}

// evict frees an inode without links: ext4_evict_inode. i_dtime would be the time of
// replay; here it is the last change's.
func (e *editor) evict(in *inode) error {
	copy(in.raw[0x14:0x18], in.raw[0x0c:0x10]) // i_dtime, i_ctime
	if bytes.Equal(in.raw[0x14:0x18], []byte{0, 0, 0, 0}) {
		in.raw[0x14] = 1
	}
	blocks := le.Uint32(in.raw[0x1c:]) // i_blocks_lo
	if blocks != 0 && in.has(layout.FlagExtents) && !in.has(layout.FlagInlineData) {
		if err := e.loadMap(in); err != nil {
			return err
		}
		if err := e.cut(in, 0, 1<<32, nil); err != nil {
			return err
		}
		for _, b := range in.nodes {
			if err := e.setUsed(b, 1, false); err != nil {
				return err
			}
		}
		in.nodes = nil
	}
	e.setSize(in, 0)
	if err := e.releaseXattrs(in); err != nil {
		return err
	}
	e.setBlocks(in, 0)
	return e.releaseInode(in)
}

// releaseXattrs gives up an inode's share of its attribute block:
// ext4_xattr_release_block.
func (e *editor) releaseXattrs(in *inode) error {
	b := ext.Block(le.Uint32(in.raw[0x68:])) // i_file_acl_lo
	if e.fs.Super.Incompat&layout.Incompat64Bit != 0 {
		b |= ext.Block(le.Uint16(in.raw[0x76:])) << 32 // l_i_file_acl_high
	}
	if b == 0 {
		return nil
	}
	le.PutUint32(in.raw[0x68:], 0)
	le.PutUint16(in.raw[0x76:], 0)
	buf, header, _, err := e.fs.XattrBlock(b)
	if err != nil {
		e.view.warn(in.off+0x68, "fast commit: attributes of deleted inode %d: %v", in.ino, err)
		return nil
	}
	if header.RefCount <= 1 {
		return e.setUsed(b, 1, false)
	}
	le.PutUint32(buf[0x4:], header.RefCount-1) // h_refcount
	if e.fs.Super.MetadataCsum() {
		le.PutUint32(buf[0x10:], layout.XattrBlockChecksum(buf, e.fs.Seed(), b)) // h_checksum
	}
	return e.overlay.Patch(e.fs.BlockOffset(b), buf)
}
