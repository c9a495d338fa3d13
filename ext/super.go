package ext

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/extscope/extscope/ext/layout"
)

// superScanLimit bounds the search for a backup superblock by content, in
// bytes; the places where mke2fs puts them by default are looked at anyway.
const superScanLimit = 1 << 30

// A superCopy is one decoded copy of the superblock.
type superCopy struct {
	*layout.Superblock
	raw    []byte
	off    int64
	sumBad bool
}

// doubt says why a copy that could be read is not to be trusted, "" for one that
// is. The kernel refuses all of these.
func (c *superCopy) doubt() string {
	switch {
	case c.sumBad:
		return fmt.Sprintf("checksum %#x does not match its contents", c.Checksum)
	case c.Groups()*uint64(c.InodesPerGroup) != uint64(c.InodesCount):
		return fmt.Sprintf("s_inodes_count is %d, and %d groups of %d inodes make %d", c.InodesCount, c.Groups(),
			c.InodesPerGroup, c.Groups()*uint64(c.InodesPerGroup))
	case c.FirstIno < layout.GoodOldFirstIno:
		return fmt.Sprintf("s_first_ino is %d", c.FirstIno)
	}
	return ""
}

// chooseSuper picks the superblock to use: the one asked for; the primary when
// it can be right; else the first good backup.
func (f *FS) chooseSuper(o Options) error {
	if o.Superblock != 0 {
		return f.superAsked(o)
	}
	primary, err := f.readSuper(layout.SuperblockOffset)
	doubt := ""
	if err == nil {
		if doubt = primary.doubt(); doubt == "" {
			f.use(primary)
			return nil
		}
	}
	backup, found := f.findBackup(primary)
	switch {
	case err == nil && (!found || sameGeometry(primary, backup)):
		// What counts agrees with the backup; the primary is the fresher one.
		f.use(primary)
		f.warn(AboutSuper, "primary superblock: %s", doubt)
		return nil
	case err == nil:
		f.warn(AboutSuper, "primary superblock: %s, and it differs from the backup in group %d", doubt, backup.BlockGroupNr)
	case found:
		f.warn(AboutSuper, "primary superblock: %v", err)
	default:
		return err
	}
	f.use(backup)
	f.warn(AboutSuper, "using the backup superblock of group %d, at byte %d", backup.BlockGroupNr, backup.off)
	return nil
}

func (f *FS) superAsked(o Options) error {
	sizes := []int{o.BlockSize}
	if o.BlockSize == 0 {
		sizes = []int{1024, 2048, 4096, 8192, 16384, 32768, 65536}
	}
	var first error
	for _, bs := range sizes {
		off := int64(o.Superblock) * int64(bs)
		if off < 0 || off > f.size {
			continue
		}
		c, err := f.readSuper(off)
		if err == nil && c.BlockSize() == bs {
			f.use(c)
			return nil
		}
		if err == nil {
			err = corrupt("superblock", "s_log_block_size", off+0x18, uint64(c.LogBlockSize))
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = errors.New("the superblock asked for lies past the end of the image")
	}
	return first
}

func (f *FS) use(c superCopy) {
	f.Super, f.SuperBytes, f.SuperOffset = c.Superblock, c.raw, c.off
}

// readSuper reads and checks the copy at byte off.
func (f *FS) readSuper(off int64) (superCopy, error) {
	b := make([]byte, layout.SuperblockSize)
	if _, err := f.ReadMetadata(b, off); err != nil {
		return superCopy{}, err
	}
	s, err := layout.DecodeSuperblock(b, off)
	if err != nil {
		return superCopy{}, err
	}
	if err := s.Check(off); err != nil {
		return superCopy{}, err
	}
	bad := s.MetadataCsum() && layout.SuperblockChecksum(b) != s.Checksum
	return superCopy{s, b, off, bad}, nil
}

func sameGeometry(a, b superCopy) bool {
	return a.LogBlockSize == b.LogBlockSize && a.BlocksCount == b.BlocksCount && a.InodesCount == b.InodesCount && a.FirstDataBlock == b.FirstDataBlock &&
		a.BlocksPerGroup == b.BlocksPerGroup && a.InodesPerGroup == b.InodesPerGroup &&
		a.InodeSize == b.InodeSize && a.FirstIno == b.FirstIno && a.DescSize == b.DescSize && a.UUID == b.UUID &&
		a.Incompat&^layout.IncompatRecover == b.Incompat&^layout.IncompatRecover
}

// findBackup looks for a good backup: where the primary says, where mke2fs puts
// the first one at each block size, then by content.
func (f *FS) findBackup(primary superCopy) (superCopy, bool) {
	if primary.Superblock != nil {
		g := newGeometry(primary.Superblock)
		for group := uint32(1); group < g.groupCount && group < 1<<12; group++ {
			if !hasSuper(primary.Superblock, group) {
				continue
			}
			if c, ok := f.backupAt(g.bytes(g.GroupStart(group))); ok {
				return c, true
			}
		}
	}
	for bs := int64(1024); bs <= 65536; bs *= 2 {
		start := bs * 8
		if bs == 1024 {
			start++
		}
		if c, ok := f.backupAt(start * bs); ok {
			return c, true
		}
	}
	return f.scanBackup()
}

// backupAt reads the copy at byte off and checks that its own numbers put it
// there.
func (f *FS) backupAt(off int64) (superCopy, bool) {
	c, err := f.readSuper(off)
	if err != nil || c.doubt() != "" || c.BlockGroupNr == 0 {
		return c, false
	}
	g := newGeometry(c.Superblock)
	return c, g.bytes(g.GroupStart(uint32(c.BlockGroupNr))) == off
}

// scanBackup looks for s_magic at every KiB of the first superScanLimit bytes.
func (f *FS) scanBackup() (superCopy, bool) {
	const step = 1 << 20
	buf := make([]byte, step)
	for base := int64(0); base < min(f.size, superScanLimit); base += step {
		n, _ := f.r.ReadAt(buf, base)
		if !bytes.Contains(buf[:n], []byte{0x53, 0xef}) {
			continue
		}
		for at := 0; at+layout.SuperblockSize <= n; at += 1024 {
			if buf[at+0x38] == 0x53 && buf[at+0x39] == 0xef {
				if c, ok := f.backupAt(base + int64(at)); ok {
					return c, true
				}
			}
		}
	}
	return superCopy{}, false
}

// BackupSupers gives the groups that hold a backup superblock, lowest first, at
// most limit of them.
func (f *FS) BackupSupers(limit int) []uint32 {
	var groups []uint32
	if f.hasCompat(layout.CompatSparseSuper2) {
		// At most two, anywhere.
		for _, g := range f.Super.BackupGroups {
			if g > 0 && g < f.groupCount && !slices.Contains(groups, g) && len(groups) < limit {
				groups = append(groups, g)
			}
		}
		slices.Sort(groups)
		return groups
	}
	if !f.hasROCompat(layout.ROCompatSparseSuper) {
		for g := uint32(1); g < f.groupCount && len(groups) < limit; g++ {
			groups = append(groups, g)
		}
		return groups
	}
	// Made, not looked for: a superblock can claim 2^32 groups.
	if f.groupCount > 1 {
		groups = append(groups, 1)
	}
	for _, base := range []uint64{3, 5, 7} {
		for g := base; g < uint64(f.groupCount); g *= base {
			groups = append(groups, uint32(g))
		}
	}
	slices.Sort(groups)
	return groups[:min(len(groups), limit)]
}
