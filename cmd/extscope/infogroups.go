package main

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// groupTable lists the groups whose descriptors are there.
func groupTable(f *ext.FS) *report.Table {
	cluster := uint64(f.ClusterBlocks())
	guarded := guardedGroups(f.Super)
	return &report.Table{
		Key: "groups",
		Columns: []report.Column{
			{Key: "group", Title: "GROUP", Right: true},
			{Key: "first_block", Title: "FIRST", Right: true},
			{Key: "blocks", Title: "BLOCKS", Right: true},
			{Key: "block_bitmap", Title: "BLOCK MAP", Right: true},
			{Key: "inode_bitmap", Title: "INODE MAP", Right: true},
			{Key: "inode_table", Title: "INODE TABLE", Right: true},
			{Key: "free_blocks", Title: "FREE BLOCKS", Right: true},
			{Key: "free_inodes", Title: "FREE INODES", Right: true},
			{Key: "used_dirs", Title: "DIRS", Right: true},
			{Key: "unused_inodes", Title: "UNUSED", Right: true},
			{Key: "flags", Title: "FLAGS"},
			{Key: "checksum", Title: "CHECKSUM", Style: checksumStyle},
			{Key: "offset", Data: true},
		},
		Rows: func(yield func(report.Row, error) bool) {
			for n, g := range f.Groups() {
				sum := report.Null()
				if guarded || g.State != ext.GroupGood {
					sum = report.Str(g.State.String())
				}
				row := report.Row{
					report.Uint(uint64(n)), report.Uint(uint64(f.GroupStart(n))), report.Uint(uint64(f.GroupBlocks(n))),
					report.Uint(uint64(g.BlockBitmap)), report.Uint(uint64(g.InodeBitmap)), report.Uint(uint64(g.InodeTable)),
					report.Uint(uint64(g.FreeBlocks) * cluster), report.Uint(uint64(g.FreeInodes)), report.Uint(uint64(g.UsedDirs)),
					report.Uint(uint64(g.ItableUnused)), strs(ext.GroupFlagNames(g.Flags)), sum, report.Int(g.Offset),
				}
				if !yield(row, nil) {
					return
				}
			}
		},
	}
}

// guardedGroups reports whether group descriptors have checksums.
func guardedGroups(s *layout.Superblock) bool {
	return s.ROCompat&(layout.ROCompatGDTCsum|layout.ROCompatMetadataCsum) != 0
}

func checksumStyle(v report.Value) report.Style {
	switch v.Text() {
	case ext.GroupGood.String():
		return report.Good
	case "-":
		return report.None
	}
	return report.Bad
}

// groupSummary adds up what the descriptors count.
func groupSummary(f *ext.FS) report.Fields {
	var groups, free, inodes, dirs, unusedTables, unusedMaps, damaged uint64
	for _, g := range f.Groups() {
		groups++
		free += uint64(g.FreeBlocks) * uint64(f.ClusterBlocks())
		inodes += uint64(g.FreeInodes)
		dirs += uint64(g.UsedDirs)
		if g.Flags&layout.GroupInodeUninit != 0 {
			unusedTables++
		}
		if g.Flags&layout.GroupBlockUninit != 0 {
			unusedMaps++
		}
		if g.State != ext.GroupGood {
			damaged++
		}
	}
	return report.Fields{
		{Key: "groups", Value: report.Uint(groups)},
		{Key: "groups_missing", Value: report.Uint(uint64(f.GroupCount()) - groups)},
		{Key: "groups_damaged", Value: report.Uint(damaged)},
		{Key: "free_blocks", Value: report.Uint(free)},
		{Key: "free_inodes", Value: report.Uint(inodes)},
		{Key: "directories", Value: report.Uint(dirs)},
		{Key: "inode_uninit", Value: report.Uint(unusedTables)},
		{Key: "block_uninit", Value: report.Uint(unusedMaps)},
	}
}
