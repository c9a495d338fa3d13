package audit

import (
	"errors"
	"fmt"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// badSuper tells of a field of the superblock, which lies at byte at of it.
func (a *auditor) badSuper(at int64, format string, args ...any) {
	a.add(Finding{Kind: BadSuperblock, Offset: a.fs.SuperOffset + at, Detail: fmt.Sprintf(format, args...)})
}

// super judges the superblock in use by itself, and what opening had to say of it.
func (a *auditor) super() {
	s := a.fs.Super
	if s.MetadataCsum() {
		if sum := layout.SuperblockChecksum(a.fs.SuperBytes); sum != s.Checksum {
			a.add(Finding{Kind: BadChecksum, Offset: a.fs.SuperOffset + 0x3fc,
				Detail: fmt.Sprintf("superblock checksum is %#08x, its contents give %#08x", s.Checksum, sum)})
		}
	}
	for _, w := range a.fs.Warnings() {
		switch w.About {
		case ext.AboutSuper:
			a.add(Finding{Kind: BadSuperblock, Detail: w.Text})
		case ext.AboutSize:
			a.lost(errors.New(w.Text))
			a.badSuper(0x04, "s_blocks_count is %d, and the image has room for %d", s.BlocksCount, a.fs.Size()/int64(a.fs.BlockSize()))
		}
	}
	a.numbers()
	a.features()
	if s.Incompat&layout.IncompatMMP == 0 {
		return
	}
	_, ok, err := a.fs.MMP()
	switch {
	case s.MMPBlock <= ext.Block(s.FirstDataBlock) || !a.fs.InRange(s.MMPBlock, 1):
		a.badSuper(0x168, "s_mmp_block is %d: there is no such block", s.MMPBlock)
	case err != nil:
		a.addError(0, err)
	case !ok:
		a.add(Finding{Kind: BadChecksum, HasBlock: true, Block: s.MMPBlock, Offset: a.fs.BlockOffset(s.MMPBlock),
			Detail: "multiple mount protection block: its checksum does not match its contents"})
	}
}

// numbers judges the numbers of the superblock that opening did not look at
// (__ext4_fill_super, fs/ext4/super.c).
func (a *auditor) numbers() {
	s := a.fs.Super
	bs := uint64(a.fs.BlockSize())
	perBlock := uint32(bs / uint64(a.fs.InodeSize()))
	if s.ROCompat&layout.ROCompatBigalloc == 0 && s.LogClusterSize != s.LogBlockSize {
		a.badSuper(0x1c, "s_log_cluster_size is %d, and s_log_block_size %d, without bigalloc", s.LogClusterSize, s.LogBlockSize)
	}
	if s.BlocksPerGroup != s.ClustersPerGroup*a.fs.ClusterBlocks() {
		a.badSuper(0x24, "s_clusters_per_group is %d, and s_blocks_per_group %d", s.ClustersPerGroup, s.BlocksPerGroup)
	}
	if most := uint64(perBlock) * (uint64(s.BlocksPerGroup) - min(4, uint64(s.BlocksPerGroup))); s.InodesPerGroup < perBlock || uint64(s.InodesPerGroup) > most {
		a.badSuper(0x28, "s_inodes_per_group is %d, with %d blocks in a group and %d inodes in a block", s.InodesPerGroup, s.BlocksPerGroup, perBlock)
	}
	if s.ReservedBlocks > s.BlocksCount/2 {
		a.badSuper(0x08, "s_r_blocks_count is %d, more than half of %d blocks", s.ReservedBlocks, s.BlocksCount)
	}
	if uint64(s.ReservedGDTBlocks) > bs/4 {
		a.badSuper(0xce, "s_reserved_gdt_blocks is %d, and a block names %d", s.ReservedGDTBlocks, bs/4)
	}
	if s.DescSize > 1024 || s.DescSize&(s.DescSize-1) != 0 {
		a.badSuper(0xfe, "s_desc_size is %d", s.DescSize)
	}
	if s.MetadataCsum() && s.ChecksumType != 1 {
		a.badSuper(0x175, "s_checksum_type is %d: no checksum but crc32c is known", s.ChecksumType)
	}
	if s.LogGroupsPerFlex > 31 {
		a.badSuper(0x174, "s_log_groups_per_flex is %d", s.LogGroupsPerFlex)
	}
	if s.Revision > 1 {
		a.badSuper(0x4c, "s_rev_level is %d: there is no such revision", s.Revision)
	}
	if s.Revision == 1 && s.FirstIno > ext.Ino(s.InodesCount) {
		a.badSuper(0x54, "s_first_ino is %d, and there are %d inodes", s.FirstIno, s.InodesCount)
	}
	if a.fs.InodeSize() > layout.GoodOldInodeSize {
		a.extraSize(0x15c, "s_min_extra_isize", s.MinExtraIsize)
		a.extraSize(0x15e, "s_want_extra_isize", s.WantExtraIsize)
	}
}

// extraSize judges how much room inodes are said to want for more fields.
func (a *auditor) extraSize(at int64, field string, n uint16) {
	if n != 0 && (n < 4 || int(n) > a.fs.InodeSize()-layout.GoodOldInodeSize || n%4 != 0) {
		a.badSuper(at, "%s is %d, and inodes have %d bytes", field, n, a.fs.InodeSize())
	}
}

// features judges features that exclude or need each other, and what only makes
// sense with one.
func (a *auditor) features() {
	s := a.fs.Super
	if s.MetadataCsum() && s.ROCompat&layout.ROCompatGDTCsum != 0 {
		a.badSuper(0x64, "metadata_csum and uninit_bg are both set")
	}
	if !s.MetadataCsum() && s.Incompat&layout.IncompatCsumSeed != 0 {
		a.badSuper(0x60, "metadata_csum_seed is set without metadata_csum")
	}
	if s.Incompat&layout.Incompat64Bit != 0 && s.Incompat&layout.IncompatExtents == 0 {
		a.badSuper(0x60, "64bit is set without extent")
	}
	if s.CreatorOS == osHurd && s.Incompat&layout.IncompatFiletype != 0 {
		a.badSuper(0x60, "filetype is set, which the Hurd does not know")
	}
	if s.Incompat&layout.IncompatCasefold != 0 && s.Encoding != 1 {
		a.badSuper(0x27c, "s_encoding is %d: casefold knows UTF-8 12.1 only, which is 1", s.Encoding)
	}
	resize := s.Compat&layout.CompatResizeInode != 0
	if s.Incompat&layout.IncompatMetaBG != 0 {
		descs := (uint64(a.fs.GroupCount())*uint64(s.DescBytes()) + uint64(a.fs.BlockSize()) - 1) / uint64(a.fs.BlockSize())
		if uint64(s.FirstMetaBG) > descs {
			a.badSuper(0x104, "s_first_meta_bg is %d, and there are %d blocks of descriptors", s.FirstMetaBG, descs)
		}
		if resize {
			a.badSuper(0x5c, "resize_inode and meta_bg are both set")
		}
	}
	if !resize && s.ReservedGDTBlocks != 0 {
		a.badSuper(0xce, "s_reserved_gdt_blocks is %d, without resize_inode", s.ReservedGDTBlocks)
	}
	a.quotaFiles()
	if s.ROCompat&layout.ROCompatOrphanPresent != 0 && s.Compat&layout.CompatOrphanFile == 0 {
		a.badSuper(0x64, "orphan_present is set without orphan_file")
	}
}

// quotaFiles judges which inodes are said to keep quota: those for that, or ones
// open to ordinary files.
func (a *auditor) quotaFiles() {
	s := a.fs.Super
	for _, q := range []struct {
		at    int64
		field string
		ino   ext.Ino
	}{{0x240, "s_usr_quota_inum", s.UserQuotaInum}, {0x244, "s_grp_quota_inum", s.GroupQuotaInum}, {0x26c, "s_prj_quota_inum", s.ProjectQuotaInum}} {
		own := q.ino == layout.UserQuotaIno || q.ino == layout.GrpQuotaIno || q.ino == 0
		if !own && q.ino <= layout.ReplicaIno || uint32(q.ino) > a.fs.InodesCount() {
			a.add(Finding{Kind: BadSuperblock, Ino: q.ino, Offset: a.fs.SuperOffset + q.at, Detail: sprintf("%s is %d", q.field, q.ino)})
		}
	}
}

// lacking tells of features that the file system should have by what is in it.
func (a *auditor) lacking() {
	large, dirs := false, false
	for _, w := range a.workers {
		large, dirs = large || w.large, dirs || w.largeDir
	}
	if dirs && a.fs.Super.Incompat&layout.IncompatLargeDir == 0 {
		a.badSuper(0x60, "there is an indexed directory of 2 GiB or of more levels, and large_dir is not set")
	}
	if large && a.fs.Super.ROCompat&layout.ROCompatLargeFile == 0 {
		a.badSuper(0x64, "there are files of 2 GiB and more, and large_file is not set")
	}
	if a.fs.Super.ROCompat&layout.ROCompatDirNlink != 0 {
		return
	}
	for _, ino := range a.tree.Special() {
		if a.tree.TooManyLinks(ino) {
			a.badSuper(0x64, "directory inode %d has more names than a link count holds, and dir_nlink is not set", ino)
			return
		}
	}
}
