package audit

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// maxBackups bounds how many backups are compared with the primary.
const maxBackups = 64

// backups compares the backup superblocks and descriptors with the primary ones.
// What changes in use is not kept up in them: they must agree in what would lead
// to another file system.
func (a *auditor) backups() {
	b := make([]byte, layout.SuperblockSize)
	for _, g := range a.fs.BackupSupers(maxBackups) {
		off := a.fs.BlockOffset(a.fs.GroupStart(g))
		bad := func(at int64, format string, args ...any) {
			a.add(Finding{Kind: BadSuperblock, HasGroup: true, Group: g, Offset: off + at,
				Detail: sprintf("backup superblock of group %d: ", g) + sprintf(format, args...)})
		}
		if _, err := a.fs.ReadAt(b, off); err != nil {
			continue // past the end of the image, which is told
		}
		s, err := layout.DecodeSuperblock(b, off)
		if err != nil {
			bad(0x38, "%v", err)
			continue
		}
		if s.MetadataCsum() && layout.SuperblockChecksum(b) != s.Checksum {
			bad(0x3fc, "checksum %#08x does not match its contents", s.Checksum)
			continue
		}
		a.differs(s, bad)
		a.backupDescs(g)
	}
}

// differs tells of numbers of a backup that are not the primary's.
func (a *auditor) differs(s *layout.Superblock, bad func(at int64, format string, args ...any)) {
	p := a.fs.Super
	for _, n := range []struct {
		field        string
		at           int64
		mine, theirs uint64
	}{
		{"s_blocks_count", 0x04, p.BlocksCount, s.BlocksCount},
		{"s_inodes_count", 0x00, uint64(p.InodesCount), uint64(s.InodesCount)},
		{"s_log_block_size", 0x18, uint64(p.LogBlockSize), uint64(s.LogBlockSize)},
		{"s_log_cluster_size", 0x1c, uint64(p.LogClusterSize), uint64(s.LogClusterSize)},
		{"s_first_data_block", 0x14, uint64(p.FirstDataBlock), uint64(s.FirstDataBlock)},
		{"s_blocks_per_group", 0x20, uint64(p.BlocksPerGroup), uint64(s.BlocksPerGroup)},
		{"s_inodes_per_group", 0x28, uint64(p.InodesPerGroup), uint64(s.InodesPerGroup)},
		{"s_inode_size", 0x58, uint64(p.InodeSize), uint64(s.InodeSize)},
	} {
		if n.mine != n.theirs {
			bad(n.at, "%s is %d, the primary's is %d", n.field, n.theirs, n.mine)
			return
		}
	}
}

// backupDescs tells of the first group of which a backup of the descriptors says
// that its metadata lies elsewhere.
func (a *auditor) backupDescs(copy uint32) {
	for n, g := range a.fs.Groups() {
		if g.State == ext.GroupBackup || g.State == ext.GroupBad {
			continue
		}
		d, off, ok := a.fs.BackupDesc(n, copy)
		if !ok {
			return // the copies of metagroups lie elsewhere
		}
		if d.InodeTable != g.InodeTable || d.BlockBitmap != g.BlockBitmap || d.InodeBitmap != g.InodeBitmap {
			a.add(Finding{Kind: BadSuperblock, HasGroup: true, Group: n, Offset: off,
				Detail: sprintf("group %d: its descriptor names other places than the backup in group %d", n, copy)})
			return
		}
	}
}
