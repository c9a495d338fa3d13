package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

const (
	statNames  = 1000 // names shown
	statRuns   = 20   // runs shown; the command blocks shows them all
	statXattrs = 256  // bytes shown of an xattr's value
)

// text writes an inode for people, in the look of stat(1).
func (f *inodeFacts) text(w io.Writer) error {
	in := f.in
	line := func(label, format string, args ...any) {
		if label != "" {
			label += ":"
		}
		fmt.Fprintf(w, "%9s %s\n", label, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	f.nameLines(line)
	use := "in use"
	switch {
	case f.unknown:
		use = "not known whether in use"
	case !f.allocated:
		use = report.Warn.Wrap("not in use", f.color)
	}
	if in.IsSymlink() {
		use += ", target stored as " + f.fs.TargetStorage(in)
	}
	line("Inode", "%-10d Type: %s (%s)", in.Ino, typeWord(in.Mode), use)
	names := ""
	if f.surveyed && !in.IsDir() && uint64(in.Links) != uint64(len(f.paths)) && !f.fs.Reserved(in.Ino) && !f.isXattrValue() {
		names = " " + report.Warn.Wrap("("+plural(len(f.paths), "name", "names")+" found)", f.color)
	}
	line("Mode", "%04o/%s  Uid: %-8d Gid: %-8d Links: %d%s", in.Mode&0o7777, modeLetters(in.Mode), in.UID, in.GID, in.Links, names)
	line("Size", "%-10d Blocks: %d of 512 bytes, %s", in.Size(), f.fs.Blocks512(in), f.kept())
	if t := in.Type(); t == layout.ModeChar || t == layout.ModeBlock {
		major, minor := in.Device()
		line("Device", "%d, %d", major, minor)
	}
	line("Flags", "%s %s", in.Flags.Letters(), strings.Join(in.Flags.Names(), " "))
	f.timeLines(line)
	line("Version", "%#x     Generation: %d     Project: %d", in.Version, in.Generation, in.ProjID)
	sum := ""
	if f.fs.Super.MetadataCsum() {
		sum = ", checksum holds"
		if !in.ChecksumOK {
			sum = ", " + report.Bad.Wrap("checksum does NOT hold", f.color)
		}
	}
	line("Lies", "at byte %d, block %d%s", in.Offset, in.Offset/int64(f.fs.BlockSize()), sum)
	f.extraLines(line)
	f.runLines(line)
	return sinkError(w)
}

// sinkError asks a sink for the error that earlier writes left behind.
func sinkError(w io.Writer) error {
	_, err := w.Write(nil)
	return err
}

type lineWriter func(label, format string, args ...any)

func (f *inodeFacts) nameLines(line lineWriter) {
	target := ""
	if f.target != nil {
		target = " -> " + report.Printable(f.target)
	}
	if len(f.paths) == 0 {
		what := "no name reaches this inode"
		if f.fs.Reserved(f.in.Ino) {
			what = "none: the inode belongs to the file system itself"
		} else if f.isXattrValue() {
			what = "none: the inode holds the value of an extended attribute"
		}
		line("File", "(%s)%s", what, target)
	}
	// The name that was asked for comes first, as with stat(1).
	shown := slices.Clone(f.paths)
	if i := slices.IndexFunc(shown, func(p []byte) bool { return f.asked != nil && bytes.Equal(p, f.asked) }); i > 0 {
		shown = slices.Insert(slices.Delete(shown, i, i+1), 0, f.asked)
	}
	for i, p := range shown {
		switch {
		case i == 0:
			line("File", "%s%s", report.Printable(p), target)
		case i == statNames:
			line("and", "%d more names", len(f.paths)-i)
			return
		default:
			line("and", "%s", report.Printable(p))
		}
	}
}

// kept tells where the contents are.
func (f *inodeFacts) kept() string {
	if !f.fs.HasMap(f.in) {
		return unmapped(f.fs, f.in)
	}
	if depth, ok := f.fs.ExtentDepth(f.in); ok {
		return fmt.Sprintf("mapped by an extent tree of depth %d", depth)
	}
	return "mapped by " + f.fs.Storage(f.in)
}

func (f *inodeFacts) timeLines(line lineWriter) {
	in := f.in
	if f.isXattrValue() {
		line("Value", "hash 0x%08x, %s", uint32(in.Atime.Unix()), plural(f.references(), "reference", "references"))
	} else {
		line("Access", "%s", stamp(in.Atime))
	}
	line("Modify", "%s", stamp(in.Mtime))
	if !f.isXattrValue() {
		line("Change", "%s", stamp(in.Ctime))
	}
	line("Birth", "%s", stamp(in.Crtime))
	switch {
	case f.chained() && f.orphan.Next != 0:
		line("Orphan", "on the superblock's list, next is inode %d", f.orphan.Next)
	case f.chained():
		line("Orphan", "on the superblock's list, the last")
	case f.orphan != nil:
		line("Orphan", "in the orphan file")
		fallthrough
	default:
		line("Delete", "%s", stamp(in.DtimeTime()))
	}
}

// stamp is a time with its nanoseconds.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000000 -0700")
}

func (f *inodeFacts) extraLines(line lineWriter) {
	if f.in.FileACL != 0 {
		line("Xattrs", "also in block %d", f.in.FileACL)
	}
	for i := range f.xattrs {
		x := &f.xattrs[i]
		value := ""
		switch t, ok := x.Text(); {
		case ok:
			value = t
		case x.Value == nil:
			value = "(unreadable)"
		case isText(x.Value):
			value = fmt.Sprintf("%q", cut(x.Value))
		default:
			value = "0x" + hex.EncodeToString(cut(x.Value))
		}
		if len(x.Value) > statXattrs {
			value += fmt.Sprintf("… (%d bytes)", len(x.Value))
		}
		where := x.Where
		if x.ValueInode != 0 {
			where = fmt.Sprintf("inode %d", x.ValueInode)
		}
		line("Xattr", "%s = %s (in %s)", report.Printable([]byte(x.Name)), report.Str(value).Text(), where)
	}
	if d := f.verity; d != nil {
		salt := "no salt"
		if len(d.Salt) > 0 {
			salt = fmt.Sprintf("salt %x", d.Salt)
		}
		line("Verity", "%s %x, %s, of %d bytes", d.Hash, d.RootHash, salt, d.DataSize)
	}
}

// cut is what is shown of an xattr's value.
func cut(b []byte) []byte { return b[:min(len(b), statXattrs)] }

func (f *inodeFacts) runLines(line lineWriter) {
	for i, r := range f.runs {
		if i == statRuns {
			line("and", "%d more runs; extscope blocks shows them", len(f.runs)-i)
			return
		}
		label := "Blocks"
		if i > 0 {
			label = ""
		}
		file := fmt.Sprintf("%d-%d", r.Logical, r.Logical+r.Len-1)
		switch r.Kind {
		case ext.Hole:
			line(label, "%s hole", file)
		case ext.Index:
			line(label, "%d- index at %d", r.Logical, r.Physical)
		default:
			line(label, "%s %s at %d-%d", file, r.Kind, r.Physical, uint64(r.Physical)+r.Len-1)
		}
	}
}
