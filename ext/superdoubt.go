package ext

import "github.com/extscope/extscope/ext/layout"

// doubt looks at whether the primary superblock, though it could be right, leads
// to a file system. If not, and a backup with other numbers does, it is used.
func (f *FS) doubt(o Options) {
	// Blocks of 1 KiB count from 1, but for clusters (__ext4_fill_super).
	first := f.blockSize == 1024 && f.firstDataBlock == 0 && f.clusterBlocks == 1
	if !first && f.leads() {
		return
	}
	primary := superCopy{Superblock: f.Super}
	if backup, found := f.findBackup(primary); found && !sameGeometry(primary, backup) {
		g := &FS{r: f.r, size: f.size}
		g.use(backup)
		g.warn(AboutSuper, "primary superblock: its numbers do not lead to a file system, and those of the backup in group %d do", backup.BlockGroupNr)
		g.warn(AboutSuper, "using the backup superblock of group %d, at byte %d", backup.BlockGroupNr, backup.off)
		g.load(o)
		if g.leads() {
			f.Super, f.SuperBytes, f.SuperOffset = g.Super, g.SuperBytes, g.SuperOffset
			f.geometry, f.seed, f.groups, f.warnings = g.geometry, g.seed, g.groups, g.warnings
			f.tables.clear()
			return
		}
	}
	if first {
		f.warn(AboutSuper, "superblock: s_first_data_block is 0, and blocks of 1 KiB count from 1")
	}
}

// leads reports whether there is a root directory, and most descriptors that are
// there can be believed.
func (f *FS) leads() bool {
	root, err := f.Inode(layout.RootIno)
	if err != nil || !root.IsDir() || !root.ChecksumOK {
		return false
	}
	good, bad := 0, 0
	for _, g := range f.Groups() {
		if g.State == GroupGood || g.State == GroupBackup {
			good++
		} else {
			bad++
		}
	}
	return good >= bad
}

// clear forgets what was read.
func (c *tableCache) clear() {
	for i := range c.slots {
		c.slots[i].off = 0
	}
}
