package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An eaRef is an attribute whose value is said to lie in an inode of its own.
type eaRef struct {
	ino, value ext.Ino
	offset     int64 // of the entry, in bytes
}

// fields judges the fields of an inode in use that hang together.
func (w *worker) fields(in *ext.Inode) {
	a := w.a
	bad := func(kind Kind, at int64, format string, args ...any) {
		a.add(Finding{Kind: kind, Ino: in.Ino, Offset: in.Offset + at, Detail: fmt.Sprintf(format, args...)})
	}
	s := a.fs.Super
	for _, need := range flagNeeds {
		if in.Flags&need.flag != 0 && !need.has(s) {
			bad(BadInode, 0x20, "flag %#x takes the feature %s, which the file system does not have", uint32(need.flag), need.feature)
		}
	}
	const both = layout.FlagExtents | layout.FlagInlineData
	if in.Flags&both == both {
		bad(BadInode, 0x20, "flags %#x exclude each other", uint32(both))
	}
	if in.IsDir() && a.fs.HasMap(in) && in.Size()%uint64(a.fs.BlockSize()) != 0 {
		bad(BadSize, 0x04, "the size of a directory is %d bytes, not whole blocks", in.Size())
	}
	err := a.fs.CheckBody(in, func(e layout.XattrEntry) {
		w.values = append(w.values, eaRef{in.Ino, e.ValueInode, in.Offset})
	})
	if err != nil {
		a.addError(in.Ino, err)
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
	{layout.FlagEAInode, "ea_inode", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatEAInode != 0 }},
	{layout.FlagEncrypt, "encrypt", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatEncrypt != 0 }},
	{layout.FlagCasefold, "casefold", func(s *layout.Superblock) bool { return s.Incompat&layout.IncompatCasefold != 0 }},
	{layout.FlagVerity, "verity", func(s *layout.Superblock) bool { return s.ROCompat&layout.ROCompatVerity != 0 }},
}

// valueInodes tells of attributes whose value lies in an inode that holds none.
func (a *auditor) valueInodes() {
	var refs []eaRef
	for _, w := range a.workers {
		refs = append(refs, w.values...)
		w.values = nil
	}
	slices.SortFunc(refs, func(x, y eaRef) int {
		return cmp.Or(cmp.Compare(x.ino, y.ino), cmp.Compare(x.value, y.value))
	})
	for _, r := range refs {
		a.valueInode(r)
	}
}

func (a *auditor) valueInode(r eaRef) {
	if !a.tree.InUse(r.value) || !a.tree.EAInode(r.value) {
		a.add(Finding{Kind: BadXattr, Ino: r.ino, Offset: r.offset, Inodes: []ext.Ino{r.ino, r.value},
			Detail: fmt.Sprintf("the value of an attribute lies in inode %d, which holds no such value", r.value)})
	}
}

// maxXattrRefs is EXT4_XATTR_REFCOUNT_MAX: no more inodes share a block.
const maxXattrRefs = 1024

// xattrHeader judges what a block of attributes says of itself; counted inodes
// in use refer to it, ino first.
func (a *auditor) xattrHeader(ino ext.Ino, block ext.Block, h layout.XattrHeader, counted int) {
	// Orphans hold it too: a count may be too high and be right.
	recover := a.fs.Super.Incompat&layout.IncompatRecover != 0
	if h.RefCount > maxXattrRefs || uint64(h.RefCount) < uint64(counted) && !recover {
		a.add(Finding{Kind: BadXattr, Ino: ino, HasBlock: true, Block: block, Offset: a.fs.BlockOffset(block) + 4,
			Counts: true, Stored: uint64(h.RefCount), Counted: uint64(counted),
			Detail: fmt.Sprintf("xattr block %d: %d references are stored, and %d found", block, h.RefCount, counted)})
	}
}

// xattrEntry judges one attribute of a block.
func (a *auditor) xattrEntry(ino ext.Ino, block ext.Block, e *layout.XattrEntry) {
	at := a.fs.BlockOffset(block) + int64(e.Offset)
	if e.NameIndex == 0 || e.NameIndex > layout.XattrVerity {
		a.add(Finding{Kind: BadXattr, Ino: ino, HasBlock: true, Block: block, Offset: at + 1,
			Detail: fmt.Sprintf("xattr block %d: a name has the prefix %d, which is none", block, e.NameIndex)})
	}
	if e.ValueInode != 0 {
		a.valueInode(eaRef{ino, e.ValueInode, at})
	}
}

// numbers judges the numbers of the superblock that nothing else looks at: the
// kernel does not mount what they say (__ext4_fill_super, fs/ext4/super.c).
func (a *auditor) numbers() {
	s := a.fs.Super
	bad := func(at int64, format string, args ...any) {
		a.add(Finding{Kind: BadSuperblock, Offset: a.fs.SuperOffset + at, Detail: fmt.Sprintf(format, args...)})
	}
	bigalloc := s.ROCompat&layout.ROCompatBigalloc != 0
	if !bigalloc && s.Revision > 0 && s.LogClusterSize != s.LogBlockSize {
		bad(0x1c, "s_log_cluster_size is %d, and s_log_block_size %d, without bigalloc", s.LogClusterSize, s.LogBlockSize)
	}
	if s.Revision > 1 {
		bad(0x4c, "s_rev_level is %d: there is no such revision", s.Revision)
	}
	descs := (uint64(a.fs.GroupCount())*uint64(s.DescBytes()) + uint64(a.fs.BlockSize()) - 1) / uint64(a.fs.BlockSize())
	if s.Incompat&layout.IncompatMetaBG != 0 && uint64(s.FirstMetaBG) > descs {
		bad(0x104, "s_first_meta_bg is %d, and there are %d blocks of descriptors", s.FirstMetaBG, descs)
	}
	if s.Compat&layout.CompatHasJournal != 0 && s.JournalInum != 0 {
		in, err := a.fs.Inode(s.JournalInum)
		switch {
		case err != nil:
			bad(0xe0, "s_journal_inum is %d: %v", s.JournalInum, err)
		case !in.IsRegular() || in.Links == 0:
			bad(0xe0, "s_journal_inum is %d, which is no regular file in use", s.JournalInum)
		}
	}
	for n, g := range a.fs.Groups() {
		if g.State != ext.GroupGood && g.State != ext.GroupBadSum {
			continue
		}
		inodes, clusters := a.fs.Super.InodesPerGroup, a.fs.Super.BlocksPerGroup/a.fs.ClusterBlocks()
		if g.FreeBlocks > clusters || g.FreeInodes > inodes || g.UsedDirs > inodes || g.ItableUnused > inodes {
			a.add(Finding{Kind: BadSuperblock, HasGroup: true, Group: n, Offset: g.Offset + 0x0c,
				Detail: fmt.Sprintf("group %d: %d free clusters of %d, %d free and %d unused inodes of %d, %d directories",
					n, g.FreeBlocks, clusters, g.FreeInodes, g.ItableUnused, inodes, g.UsedDirs)})
		}
	}
}
