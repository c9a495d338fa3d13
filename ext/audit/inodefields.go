package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// osHurd is EXT2_OS_HURD of s_creator_os, which uses some fields otherwise.
const osHurd = 1

// fields judges the fields of an inode in use that hang together.
func (w *worker) fields(in *ext.Inode) {
	w.flags(in)
	w.rawFields(in)
}

// flags judges i_flags.
func (w *worker) flags(in *ext.Inode) {
	a := w.a
	s := a.fs.Super
	for _, need := range flagNeeds {
		if in.Flags&a.lacks == 0 {
			break
		}
		if in.Flags&need.flag&a.lacks != 0 {
			w.badInode(BadInode, in, 0x20, "flag %#x takes the feature %s, which the file system does not have", uint32(need.flag), need.feature)
		}
	}
	const both = layout.FlagExtents | layout.FlagInlineData
	switch {
	case in.Flags&both == both:
		w.badInode(BadInode, in, 0x20, "flags %#x exclude each other", uint32(both))
	case in.Flags&layout.FlagExtents == 0 && s.Incompat&layout.IncompatExtents != 0 && (in.IsRegular() || in.IsDir()) && layout.IsExtentNode(in.Block[:]):
		// An inline directory in inode 62218 begins with the magic number, of a node
		// without entries.
		if n, err := layout.DecodeExtentNode(in.Block[:], 0); err == nil && n.Max >= 2 && !(n.Entries == 0 && in.HasInline() && in.IsDir()) {
			w.badInode(BadExtent, in, 0x20, "i_block holds an extent tree, and the flag %#x is not set", uint32(layout.FlagExtents))
		}
	case in.IsSymlink() && in.Flags&both == layout.FlagExtents && !mapped(in, true):
		w.badInode(BadSymlink, in, 0x20, "a symlink without blocks has the flag %#x", uint32(layout.FlagExtents))
	}
	if in.Flags&layout.FlagCasefold != 0 && !in.IsDir() {
		w.badInode(BadInode, in, 0x20, "flag %#x is for directories", uint32(layout.FlagCasefold))
	}
	if in.Flags&layout.FlagIndex != 0 && (!in.IsDir() || in.HasInline() || s.Compat&layout.CompatDirIndex == 0) {
		w.badInode(BadHtree, in, 0x20, "the flag of an indexed directory, on what is none")
	}
	if in.HasInline() && s.Compat&layout.CompatExtAttr == 0 {
		w.badInode(BadInode, in, 0x20, "inline data takes extended attributes, and ext_attr is not set")
	}
}

// lackingFlags gives the inode flags whose features a file system does not have.
func lackingFlags(s *layout.Superblock) (lacks layout.InodeFlags) {
	for _, need := range flagNeeds {
		if !need.has(s) {
			lacks |= need.flag
		}
	}
	return lacks
}

// rawFields judges fields that mean something with some features only.
func (w *worker) rawFields(in *ext.Inode) {
	s := w.a.fs.Super
	if faddr := le.Uint32(in.Raw[0x70:]); faddr != 0 {
		w.badInode(BadInode, in, 0x70, "i_faddr is %#x: there are no fragments", faddr)
		w.a.distrust(in)
	}
	if in.IsDir() && in.SizeHigh != 0 && s.Incompat&layout.IncompatLargeDir == 0 {
		w.badInode(BadSize, in, 0x6c, "i_size_high of a directory is %d, without large_dir", in.SizeHigh)
		w.a.distrust(in)
	}
	if s.CreatorOS == osHurd {
		return
	}
	if high := le.Uint16(in.Raw[0x76:]); high != 0 && s.Incompat&layout.Incompat64Bit == 0 {
		w.badInode(BadXattr, in, 0x76, "i_file_acl_high is %d, without 64bit", high)
		w.a.distrust(in)
	}
	if in.BlocksHigh != 0 && s.ROCompat&layout.ROCompatHugeFile == 0 {
		w.badInode(BadBlocksCount, in, 0x74, "i_blocks_high is %d, without huge_file", in.BlocksHigh)
	}
	if in.FileACL != 0 && s.Compat&layout.CompatExtAttr == 0 {
		w.badInode(BadXattr, in, 0x68, "i_file_acl is %d, without ext_attr", in.FileACL)
		w.a.distrust(in)
	} else if in.FileACL != 0 && !w.a.fs.InRange(in.FileACL, 1) {
		w.badInode(BadXattr, in, 0x68, "i_file_acl is %d: there is no such block", in.FileACL)
		w.a.distrust(in)
	}
}

// distrust notes an inode of which fields are so wrong that its type is in doubt
// too, unless it is a file or a directory.
func (a *auditor) distrust(in *ext.Inode) {
	if !in.IsRegular() && !in.IsDir() {
		a.doubtful.add(uint64(in.Ino), 1, nil)
	}
}

// flagNeeds lists the inode flags that mean nothing without a feature.
var flagNeeds = []struct {
	flag    layout.InodeFlags
	feature string
	has     func(s *layout.Superblock) bool
}{
	{layout.FlagExtents, "extent", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatExtents != 0 }},
	{layout.FlagInlineData, "inline_data", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatInlineData != 0 }},
	{layout.FlagEncrypt, "encrypt", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatEncrypt != 0 }},
	{layout.FlagCasefold, "casefold", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatCasefold != 0 }},
	{layout.FlagVerity, "verity", func(s *layout.Superblock) bool { return s.ROCompat&layout.ROCompatVerity != 0 }},
	{layout.FlagImagic, "imagic_inodes", func(s *layout.Superblock) bool { return s.Compat&layout.CompatImagicInodes != 0 }},
}
