package main

import (
	"encoding/hex"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

// An inodeFacts is all that stat shows of one inode.
type inodeFacts struct {
	fs        *ext.FS
	in        *ext.Inode
	paths     [][]byte
	asked     []byte // that of paths which was asked for, nil if none was
	surveyed  bool   // paths are all there are
	allocated bool
	unknown   bool // whether it is allocated
	target    []byte
	xattrs    []ext.Xattr
	verity    *layout.VerityDescriptor
	orphan    *links.Listed
	runs      []ext.Run
	color     bool // of the text
	damage    []error
}

func factsOf(f *ext.FS, in *ext.Inode) *inodeFacts {
	facts := &inodeFacts{fs: f, in: in}
	fail := func(err error) {
		if err != nil {
			facts.damage = append(facts.damage, err)
		}
	}
	var err error
	if facts.allocated, err = f.InodeAllocated(in.Ino); err != nil {
		facts.unknown = true
		fail(err)
	}
	facts.xattrs, err = f.Xattrs(in)
	fail(err)
	if in.IsSymlink() {
		facts.target, err = f.Readlink(in)
		fail(err)
	}
	if in.Flags&layout.FlagVerity != 0 {
		d, err := f.Verity(in)
		fail(err)
		if err == nil {
			facts.verity = &d
		}
	}
	for r, err := range f.EveryRun(in) {
		if fail(err); err == nil {
			facts.runs = append(facts.runs, r)
		}
	}
	return facts
}

func inodeColumns() []report.Column {
	return []report.Column{
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "paths", Title: "PATHS", Name: true},
		{Key: "type", Title: "TYPE"},
		{Key: "mode", Title: "MODE"},
		{Key: "mode_letters", Data: true},
		{Key: "links", Title: "LINKS", Right: true},
		{Key: "uid", Title: "UID", Right: true},
		{Key: "gid", Title: "GID", Right: true},
		{Key: "project", Data: true},
		{Key: "size", Title: "SIZE", Right: true},
		{Key: "blocks_512", Data: true},
		{Key: "flags", Title: "FLAGS"},
		{Key: "flags_letters", Data: true},
		{Key: "generation", Data: true},
		{Key: "version", Data: true},
		{Key: "atime", Title: "ACCESSED"},
		{Key: "mtime", Title: "MODIFIED"},
		{Key: "ctime", Title: "CHANGED"},
		{Key: "crtime", Title: "BORN"},
		{Key: "dtime", Title: "DELETED"},
		{Key: "file_acl", Data: true},
		{Key: "xattrs", Data: true},
		{Key: "target", Title: "TARGET", Name: true, Optional: true},
		{Key: "target_storage", Data: true, Optional: true},
		{Key: "device", Data: true, Optional: true},
		{Key: "storage", Title: "STORAGE"},
		{Key: "extent_depth", Data: true, Optional: true},
		{Key: "runs", Data: true},
		{Key: "allocated", Title: "IN USE"},
		{Key: "checksum_ok", Data: true},
		{Key: "offset", Data: true},
		{Key: "encryption", Data: true, Optional: true},
		{Key: "verity", Data: true, Optional: true},
		{Key: "orphan", Data: true, Optional: true},
		{Key: "xattr_value", Data: true, Optional: true},
	}
}

func (f *inodeFacts) row() report.Row {
	in := f.in
	runs := make([]report.Fields, len(f.runs))
	for i, r := range f.runs {
		runs[i] = runFields(r)
	}
	depth, hasTree := f.fs.ExtentDepth(in)
	target, storage := report.Null(), report.Null()
	if in.IsSymlink() {
		storage = report.Str(f.fs.TargetStorage(in))
		if f.target != nil {
			target = report.Bytes(f.target)
		}
	}
	atime, ctime, dtime := report.Time(in.Atime), report.Time(in.Ctime), report.Time(in.DtimeTime())
	if f.chained() {
		dtime = report.Null()
	}
	if f.isXattrValue() {
		atime, ctime = report.Null(), report.Null()
	}
	allocated, sum := report.Bool(f.allocated), report.Null()
	if f.unknown {
		allocated = report.Null()
	}
	if f.fs.Super.MetadataCsum() {
		sum = report.Bool(in.ChecksumOK)
	}
	return report.Row{
		report.Uint(uint64(in.Ino)), paths(f.paths), report.Str(typeWord(in.Mode)), report.Mode(in.Mode), report.Str(modeLetters(in.Mode)),
		report.Uint(uint64(in.Links)), report.Uint(uint64(in.UID)), report.Uint(uint64(in.GID)), report.Uint(uint64(in.ProjID)),
		report.Size(in.Size()), report.Uint(f.fs.Blocks512(in)), strs(in.Flags.Names()), report.Str(in.Flags.Letters()),
		report.Uint(uint64(in.Generation)), report.Uint(in.Version),
		atime, report.Time(in.Mtime), ctime, report.Time(in.Crtime), dtime,
		report.Uint(uint64(in.FileACL)), report.Objects(f.xattrFields()), target, storage, f.device(),
		report.Str(f.fs.Storage(in)), number(uint64(depth), hasTree), report.Objects(runs), allocated, sum, report.Int(in.Offset),
		f.encryption(), f.verityFields(), f.orphanFields(), f.xattrValue(),
	}
}

// chained reports whether i_dtime is the next inode of the orphan list.
func (f *inodeFacts) chained() bool { return f.orphan != nil && f.orphan.Source == links.SourceList }

// isXattrValue reports whether the inode holds the value of an xattr, and so
// numbers in the place of times: see ext4_xattr_inode_set_hash and _set_ref,
// fs/ext4/xattr.c.
func (f *inodeFacts) isXattrValue() bool { return f.in.Flags&layout.FlagEAInode != 0 }

func (f *inodeFacts) xattrValue() report.Value {
	if !f.isXattrValue() {
		return report.Null()
	}
	return report.Object(report.Fields{
		{Key: "hash", Value: report.Str(fmt.Sprintf("0x%08x", uint32(f.in.Atime.Unix())))},
		{Key: "references", Value: report.Uint(f.references())},
	})
}

func (f *inodeFacts) references() uint64 {
	return uint64(uint32(f.in.Ctime.Unix()))<<32 | f.in.Version&(1<<32-1)
}

func (f *inodeFacts) device() report.Value {
	if t := f.in.Type(); t != layout.ModeChar && t != layout.ModeBlock {
		return report.Null()
	}
	major, minor := f.in.Device()
	return report.Object(report.Fields{
		{Key: "major", Value: report.Uint(uint64(major))}, {Key: "minor", Value: report.Uint(uint64(minor))},
	})
}

// xattrFields lists the extended attributes: a value is text where it is just
// that, and hex elsewhere.
func (f *inodeFacts) xattrFields() []report.Fields {
	var list []report.Fields
	for i := range f.xattrs {
		x := &f.xattrs[i]
		fields := report.Fields{{Key: "name", Value: report.Name([]byte(x.Name))}}
		if isText(x.Value) {
			fields = append(fields, report.Field{Key: "value", Value: report.Str(string(x.Value))})
		} else {
			value := report.Null()
			if x.Value != nil {
				value = report.Str(hex.EncodeToString(x.Value))
			}
			fields = append(fields, report.Field{Key: "value", Value: report.Null()}, report.Field{Key: "value_hex", Value: value})
		}
		if t, ok := x.Text(); ok {
			fields = append(fields, report.Field{Key: "text", Value: report.Str(t)})
		}
		fields = append(fields, report.Field{Key: "size", Value: report.Size(uint64(len(x.Value)))},
			report.Field{Key: "where", Value: report.Str(x.Where)})
		if x.ValueInode != 0 {
			fields = append(fields, report.Field{Key: "value_inode", Value: report.Uint(uint64(x.ValueInode))})
		}
		list = append(list, fields)
	}
	return list
}

// isText reports whether bytes are text that people would write.
func isText(b []byte) bool {
	if b == nil || !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}

// policy is the encryption policy in words, "" without one.
func (f *inodeFacts) policy() string {
	for i := range f.xattrs {
		if f.xattrs[i].Index == layout.XattrEncryption {
			if t, ok := f.xattrs[i].Text(); ok {
				return t
			}
		}
	}
	return ""
}

func (f *inodeFacts) encryption() report.Value { return word(f.policy()) }

func (f *inodeFacts) verityFields() report.Value {
	d := f.verity
	if d == nil {
		return report.Null()
	}
	return report.Object(report.Fields{
		{Key: "hash", Value: report.Str(d.Hash.String())},
		{Key: "root_hash", Value: report.Str(hex.EncodeToString(d.RootHash))},
		{Key: "salt", Value: report.Str(hex.EncodeToString(d.Salt))},
		{Key: "block_size", Value: report.Uint(uint64(1) << min(d.LogBlockSize, 63))},
		{Key: "data_size", Value: report.Size(d.DataSize)},
		{Key: "signature_size", Value: report.Size(uint64(len(d.Signature)))},
	})
}

func (f *inodeFacts) orphanFields() report.Value {
	if f.orphan == nil {
		return report.Null()
	}
	return report.Object(report.Fields{
		{Key: "source", Value: report.Str(f.orphan.Source)},
		{Key: "next", Value: number(uint64(f.orphan.Next), f.orphan.Next != 0)},
	})
}
