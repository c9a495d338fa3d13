package main

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// superFields are the fields of the superblock in use, in their meaning.
func superFields(e *env, v *opened) report.Fields {
	f := v.fs
	s := f.Super
	cluster := uint64(s.ClusterBlocks())
	clusters := s.ROCompat&layout.ROCompatBigalloc != 0
	fields := report.Fields{
		{Key: "version", Value: report.Str(s.Version())},
		{Key: "label", Value: report.Name(s.VolumeName)},
		{Key: "uuid", Value: uuid(s.UUID)},
		{Key: "state", Value: report.Str(stateWords(s, v.view.Home.Super))},
		{Key: "copy", Value: report.Str(superCopy(f))},
		{Key: "offset", Value: report.Int(f.SuperOffset)},
		{Key: "last_mounted", Value: name(s.LastMounted)},
		{Key: "created", Value: report.Time(s.MkfsTime)},
		{Key: "mounted", Value: report.Time(s.MountTime)},
		{Key: "written", Value: report.Time(s.WriteTime)},
		{Key: "checked", Value: report.Time(s.LastCheck)},
		{Key: "check_interval", Value: report.Uint(uint64(s.CheckInterval))},
		{Key: "mount_count", Value: report.Uint(uint64(s.MountCount))},
		{Key: "max_mount_count", Value: report.Int(int64(s.MaxMountCount))},
		{Key: "lifetime_written", Value: report.Size(min(s.KBytesWritten, math.MaxUint64/1024) * 1024)},
		{Key: "default_mount_options", Value: strs(ext.MountOptionNames(s))},
		{Key: "mount_options", Value: name(s.MountOpts)},
		{Key: "errors_behavior", Value: report.Str(ext.ErrorsName(s))},
		{Key: "flags", Value: strs(ext.SuperFlagNames(s))},
		{Key: "creator_os", Value: report.Str(s.CreatorName())},
		{Key: "revision", Value: report.Str(fmt.Sprintf("%d.%d", s.Revision, s.MinorRevision))},
		{Key: "blocks", Value: report.Uint(s.BlocksCount)},
		{Key: "reserved_blocks", Value: report.Uint(s.ReservedBlocks)},
		{Key: "free_blocks", Value: report.Uint(s.FreeBlocks)},
		{Key: "overhead_clusters", Value: report.Uint(uint64(s.OverheadClusters))},
		{Key: "inodes", Value: report.Uint(uint64(s.InodesCount))},
		{Key: "free_inodes", Value: report.Uint(uint64(s.FreeInodes))},
		{Key: "first_block", Value: report.Uint(uint64(s.FirstDataBlock))},
		{Key: "block_size", Value: report.Int(int64(f.BlockSize()))},
		{Key: "cluster_size", Value: number(uint64(f.BlockSize())*cluster, clusters)},
		{Key: "groups", Value: report.Uint(uint64(f.GroupCount()))},
		{Key: "blocks_per_group", Value: report.Uint(uint64(s.BlocksPerGroup))},
		{Key: "clusters_per_group", Value: number(uint64(s.ClustersPerGroup), clusters)},
		{Key: "inodes_per_group", Value: report.Uint(uint64(s.InodesPerGroup))},
		{Key: "groups_per_flex", Value: number(1<<min(s.LogGroupsPerFlex, 63), s.LogGroupsPerFlex != 0)},
		{Key: "descriptor_size", Value: report.Int(int64(s.DescBytes()))},
		{Key: "reserved_gdt_blocks", Value: report.Uint(uint64(s.ReservedGDTBlocks))},
		{Key: "first_meta_bg", Value: number(uint64(s.FirstMetaBG), s.Incompat&layout.IncompatMetaBG != 0)},
		{Key: "inode_size", Value: report.Uint(uint64(s.InodeSize))},
		{Key: "min_extra_isize", Value: report.Uint(uint64(s.MinExtraIsize))},
		{Key: "want_extra_isize", Value: report.Uint(uint64(s.WantExtraIsize))},
		{Key: "first_inode", Value: report.Uint(uint64(s.FirstIno))},
		{Key: "reserved_uid", Value: report.Uint(uint64(s.ReservedUID))},
		{Key: "reserved_gid", Value: report.Uint(uint64(s.ReservedGID))},
		{Key: "raid_stride", Value: number(uint64(s.RAIDStride), s.RAIDStride != 0)},
		{Key: "raid_stripe_width", Value: number(uint64(s.RAIDStripeWidth), s.RAIDStripeWidth != 0)},
		{Key: "hash_version", Value: report.Str(layout.HashVersion(s.DefHashVersion).String())},
		{Key: "hash_seed", Value: hashSeed(s)},
	}
	fields = append(fields, checksumFields(f)...)
	fields = append(fields, inodeFields(s)...)
	fields = append(fields, report.Field{Key: "backups", Value: backups(f)})
	fields = append(fields, mmpField(e, f))
	fields = append(fields, nameFields(s)...)
	return append(fields, errorFields(s)...)
}

// stateWords is s_state, and what it keeps quiet about: a file system that was
// not unmounted is flagged clean while its journal holds what is missing. That is
// told by the home superblock, for replay takes the flag away.
func stateWords(s, home *layout.Superblock) string {
	words := s.StateNames()
	if home.Incompat&layout.IncompatRecover != 0 {
		words += ", journal recovery is pending"
	}
	if s.LastOrphan != 0 || s.ROCompat&layout.ROCompatOrphanPresent != 0 {
		words += ", orphans are listed"
	}
	if s.ErrorCount > 0 && s.State&layout.StateErrors == 0 {
		words += ", errors are recorded"
	}
	return words
}

// superCopy says which copy of the superblock is used.
func superCopy(f *ext.FS) string {
	if f.SuperOffset == layout.SuperblockOffset {
		return "primary"
	}
	return fmt.Sprintf("backup of group %d", f.Super.BlockGroupNr)
}

// name is a name, or nothing where it has no characters.
func name(b []byte) report.Value {
	if len(b) == 0 {
		return report.Null()
	}
	return report.Name(b)
}

// hashSeed spells s_hash_seed as dumpe2fs does, like a UUID.
func hashSeed(s *layout.Superblock) report.Value {
	var u layout.UUID
	for i, w := range s.HashSeed {
		binary.LittleEndian.PutUint32(u[4*i:], w)
	}
	return uuid(u)
}

func checksumFields(f *ext.FS) report.Fields {
	stored, computed, ok := f.SuperChecksum()
	kind, sum, holds, seed := report.Null(), report.Null(), report.Null(), report.Null()
	switch {
	case ok:
		kind = report.Str("crc32c")
		sum, holds = hex32(stored), report.Bool(stored == computed)
		if f.Super.ChecksumType != 1 {
			kind = report.Str(fmt.Sprintf("unknown (%d)", f.Super.ChecksumType))
		}
	case f.Super.ROCompat&layout.ROCompatGDTCsum != 0:
		kind = report.Str("crc16, of group descriptors only")
	}
	if f.Super.Incompat&layout.IncompatCsumSeed != 0 {
		seed = hex32(f.Super.ChecksumSeed)
	}
	return report.Fields{
		{Key: "checksum_type", Value: kind}, {Key: "checksum", Value: sum},
		{Key: "checksum_ok", Value: holds}, {Key: "checksum_seed", Value: seed},
	}
}

func hex32(v uint32) report.Value { return report.Str(fmt.Sprintf("0x%08x", v)) }

// inodeFields are the inodes that the superblock names.
func inodeFields(s *layout.Superblock) report.Fields {
	ino := func(key string, i ext.Ino) report.Field {
		return report.Field{Key: key, Value: number(uint64(i), i != 0)}
	}
	return report.Fields{
		ino("first_orphan", s.LastOrphan), ino("orphan_file_inode", s.OrphanFileInum),
		ino("user_quota_inode", s.UserQuotaInum), ino("group_quota_inode", s.GroupQuotaInum),
		ino("project_quota_inode", s.ProjectQuotaInum), ino("lost_found_inode", s.LostFoundIno),
		ino("snapshot_inode", s.SnapshotInum),
	}
}

// backupsShown bounds the list of backup superblocks.
const backupsShown = 64

// backups are the blocks in which the backup superblocks lie.
func backups(f *ext.FS) report.Value {
	var list []report.Value
	for _, b := range f.SuperBackups() {
		if list = append(list, report.Uint(uint64(b))); len(list) == backupsShown {
			break
		}
	}
	return report.List(list)
}

func mmpField(e *env, f *ext.FS) report.Field {
	field := report.Field{Key: "mmp"}
	if f.Super.Incompat&layout.IncompatMMP == 0 {
		return field
	}
	m, sumOK, err := f.MMP()
	if err != nil {
		e.damage(fmt.Errorf("multiple mount protection: %w", err))
		return field
	}
	field.Value = report.Object(report.Fields{
		{Key: "block", Value: report.Uint(uint64(f.Super.MMPBlock))},
		{Key: "interval", Value: report.Uint(uint64(f.Super.MMPInterval))},
		{Key: "state", Value: report.Str(m.State())},
		{Key: "sequence", Value: hex32(m.Sequence)},
		{Key: "updated", Value: report.Time(m.Time)},
		{Key: "node", Value: report.Name(m.NodeName)},
		{Key: "device", Value: report.Name(m.DeviceName)},
		{Key: "check_interval", Value: report.Uint(uint64(m.CheckInterval))},
		{Key: "checksum_ok", Value: report.Bool(sumOK)},
	})
	return field
}

// nameFields are about how names are compared and encrypted.
func nameFields(s *layout.Superblock) report.Fields {
	encoding, flags := report.Null(), report.Null()
	if s.Incompat&layout.IncompatCasefold != 0 || s.Encoding != 0 {
		name, list := ext.EncodingNames(s)
		encoding, flags = report.Str(name), strs(list)
	}
	var algorithms []string
	for _, a := range s.EncryptAlgos {
		if a != 0 {
			algorithms = append(algorithms, layout.FscryptMode(a).String())
		}
	}
	return report.Fields{
		{Key: "encoding", Value: encoding}, {Key: "encoding_flags", Value: flags},
		{Key: "encryption_algorithms", Value: strs(algorithms)},
	}
}

// errorFields are the errors that the kernel met and wrote down.
func errorFields(s *layout.Superblock) report.Fields {
	record := func(r layout.ErrorRecord) report.Value {
		if r.Time.IsZero() && len(r.Func) == 0 {
			return report.Null()
		}
		return report.Object(report.Fields{
			{Key: "time", Value: report.Time(r.Time)},
			{Key: "code", Value: word(ext.ErrorCodeName(r.Code))},
			{Key: "function", Value: report.Name(r.Func)},
			{Key: "line", Value: report.Uint(uint64(r.Line))},
			{Key: "inode", Value: number(uint64(r.Ino), r.Ino != 0)},
			{Key: "block", Value: number(uint64(r.Block), r.Block != 0)},
		})
	}
	return report.Fields{
		{Key: "error_count", Value: report.Uint(uint64(s.ErrorCount))},
		{Key: "first_error", Value: record(s.FirstError)},
		{Key: "last_error", Value: record(s.LastError)},
	}
}
