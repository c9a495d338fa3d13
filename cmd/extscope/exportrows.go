package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
	"github.com/extscope/extscope/report/database"
)

// An exportRow is a row on its way to a table.
type exportRow struct {
	table int
	row   report.Row
}

// exportBatch is how many rows are handed on at once.
const exportBatch = 512

// An exporter gathers rows, in the same order each time, while another goroutine writes.
type exporter struct {
	ctx    context.Context
	e      *env
	v      *opened
	out    *output
	rows   chan []exportRow
	wait   []exportRow
	events bool // are rows of their own
}

// drain writes rows until there are no more. After an error it goes on taking them.
func (x *exporter) drain(sink database.Sink) (err error) {
	for batch := range x.rows {
		for i := range batch {
			if err == nil {
				err = sink.Add(batch[i].table, batch[i].row)
			}
		}
	}
	return err
}

func (x *exporter) add(table int, values ...report.Value) {
	if x.wait = append(x.wait, exportRow{table, values}); len(x.wait) == exportBatch {
		x.flush()
	}
}

func (x *exporter) flush() {
	if len(x.wait) > 0 {
		x.rows <- x.wait
		x.wait = make([]exportRow, 0, exportBatch)
	}
}

// all gathers everything: the audit's one pass first, then inodes with what hangs on them in
// the order of their numbers, then what the audit, the journal and freed space tell.
func (x *exporter) all(scan bool) error {
	p := x.out.progress(x.e, "audit")
	result, err := audit.Run(x.ctx, x.v.fs, audit.Options{Past: x.v.memory(false), Progress: p.set})
	p.end()
	if err != nil {
		return err
	}
	for _, err := range result.Unreadable {
		x.e.damage(err)
	}
	x.facts()
	if err := x.inodes(result.Tree); err != nil {
		return err
	}
	if err := x.symlinks(result.Tree); err != nil {
		return err
	}
	x.findings(result)
	if err := x.deleted(scan); err != nil {
		return err
	}
	return x.transactions()
}

func (x *exporter) facts() {
	s, v := x.v.fs.Super, x.v
	info, _ := debug.ReadBuildInfo()
	x.add(tableImage, report.Name([]byte(v.image.Name())), report.Str(v.image.Format()), report.Size(uint64(v.image.Size())),
		report.Int(int64(v.part.Number)), startOf(&v.part), report.Str("extscope "+buildOf(info).version))
	x.add(tableFilesystem, report.Str(s.Version()), report.Name(s.VolumeName), report.Str(s.UUID.String()), report.Int(int64(v.fs.BlockSize())),
		report.Uint(s.BlocksCount), report.Uint(s.FreeBlocks), report.Uint(uint64(s.InodesCount)), report.Uint(uint64(s.FreeInodes)),
		report.Time(s.MkfsTime), report.Time(s.MountTime), report.Time(s.WriteTime), report.Time(s.LastCheck), report.Uint(uint64(s.MountCount)),
		report.Name(s.LastMounted), report.Str(stateWords(s, v.view.Home.Super)), report.Str(strings.Join(slices.Concat(s.Compat.Names(), s.Incompat.Names(), s.ROCompat.Names()), " ")), report.Str(v.viewName()))
}

// inodes adds inodes, their runs, and of directories path and names.
func (x *exporter) inodes(t *links.Tree) error {
	f := x.v.fs
	none, err := t.Names(x.ctx, t.NewSet())
	if err != nil {
		return err
	}
	p := x.out.progress(x.e, "export")
	defer p.end()
	nodes := f.NewNodeBudget()
	blocks := f.NewDirBudget()
	total := int(t.Limit())
	for ino := ext.Ino(1); ino < t.Limit(); ino++ {
		if ino&0xfff == 0 {
			p.set(int(ino), total)
			if err := x.ctx.Err(); err != nil {
				return err
			}
		}
		in, err := f.Inode(ino)
		if err != nil {
			if ext.IsDamage(err) {
				x.e.damage(err)
			}
			continue
		}
		if in.Mode == 0 && in.Links == 0 && in.Dtime == 0 && in.Ctime.Unix() == 0 && in.Block == [60]byte{} {
			continue
		}
		x.inode(in)
		if in.Links == 0 && !f.Reserved(ino) {
			continue
		}
		for r, err := range f.MapWithin(in, nodes) {
			if err != nil {
				x.e.damage(fmt.Errorf("inode %d: %w", ino, err))
				continue
			}
			x.run(in, r)
		}
		if in.IsDir() && in.Links > 0 {
			x.add(tableDirectory, report.Uint(uint64(ino)), report.Name(none.Dir(ino)))
			x.entries(in, blocks)
		}
	}
	return nil
}

func (x *exporter) inode(in *ext.Inode) {
	used, err := x.v.fs.InodeAllocated(in.Ino)
	if err != nil {
		x.e.damage(err)
	}
	dtime := report.Null()
	if in.Dtime != 0 && in.Links == 0 {
		dtime = report.Time(in.DtimeTime())
	}
	number := report.Uint(uint64(in.Ino))
	x.add(tableInode, number, report.Bool(used), report.Str(typeWord(in.Mode)), report.Mode(in.Mode), report.Uint(uint64(in.Links)),
		report.Uint(uint64(in.UID)), report.Uint(uint64(in.GID)), report.Size(in.Size()), report.Uint(x.v.fs.Blocks512(in)), report.Uint(uint64(in.Flags)),
		report.Uint(uint64(in.Generation)), report.Time(in.Atime), report.Time(in.Mtime), report.Time(in.Ctime), report.Time(in.Crtime), dtime,
		report.Uint(uint64(in.FileACL)), report.Str(storageWord(in)), report.Bool(in.ChecksumOK))
	if !x.events || in.Links == 0 {
		return
	}
	for i, at := range []report.Value{report.Time(in.Mtime), report.Time(in.Atime), report.Time(in.Ctime), report.Time(in.Crtime)} {
		if !at.IsNull() {
			x.add(tableEvent, at, report.Str("macb"[i:i+1]), number, report.Uint(uint64(in.Generation)), report.Str("live"))
		}
	}
}

func (x *exporter) run(in *ext.Inode, r ext.Run) {
	state, physical := "data", report.Uint(uint64(r.Physical))
	switch r.Kind {
	case ext.Hole:
		state, physical = "hole", report.Null()
	case ext.Unwritten:
		state = "unwritten"
	case ext.Index:
		state = "index"
	}
	x.add(tableRun, report.Uint(uint64(in.Ino)), report.Uint(r.Logical), physical, report.Uint(r.Len), report.Str(state))
}

func (x *exporter) entries(dir *ext.Inode, budget *ext.DirBudget) {
	f := x.v.fs
	namer := f.Namer(dir)
	for entry, err := range f.EntriesWithin(dir, true, budget) {
		if err != nil {
			x.e.damage(fmt.Errorf("inode %d: %w", dir.Ino, err))
			continue
		}
		if !entry.IsDot() {
			x.add(tableName, report.Uint(uint64(dir.Ino)), report.Str(string(namer.Name(&entry))), report.Uint(uint64(entry.Ino)),
				report.Str(entryType(entry.Type)), report.Bool(entry.Removed), report.Int(entry.Offset))
		}
	}
}

func (x *exporter) symlinks(t *links.Tree) error {
	all, err := t.Symlinks(x.ctx, links.SymlinkOptions{Past: x.v.memory(false)})
	if err != nil {
		return err
	}
	text := func(b []byte) report.Value {
		if b == nil {
			return report.Null()
		}
		return report.Str(string(b))
	}
	for s := range all {
		x.add(tableSymlink, report.Uint(uint64(s.Ino)), text(s.Path), text(s.Target), report.Str(s.Storage), report.Str(s.State), text(s.Resolved), text(s.Missing),
			word(s.Cause), text(s.MovedTo), number(uint64(s.To), s.To != 0))
	}
	return x.ctx.Err()
}

func (x *exporter) findings(r *audit.Result) {
	for _, f := range r.Findings {
		x.add(tableFinding, report.Str(string(f.Kind)), report.Str(string(f.Kind.Severity())), number(uint64(f.Ino), f.Ino != 0), path(f.Path),
			number(uint64(f.Block), f.HasBlock), number(uint64(f.Group), f.HasGroup), number(uint64(f.Offset), f.Offset > 0),
			number(f.Stored, f.Counts), number(f.Counted, f.Counts), report.Str(f.Detail))
	}
}

func (x *exporter) deleted(scan bool) error {
	opt := undelete.Options{ScanLimit: scanLimit}
	if scan {
		opt.ScanLimit = 0
	}
	r, err := x.v.deleted(x.ctx, x.e, x.out, nil, opt)
	if err != nil {
		return err
	}
	for c := range r.All() {
		mtime, mode, uid, gid := report.Null(), report.Null(), report.Null(), report.Null()
		if c.In != nil {
			mtime, mode, uid, gid = report.Time(c.In.Mtime), report.Mode(c.In.Mode), report.Uint(uint64(c.In.UID)), report.Uint(uint64(c.In.GID))
		}
		ino, gen, at := number(uint64(c.Ino), c.Ino != 0), number(uint64(c.Gen), c.Ino != 0), report.Time(c.DeletedAt)
		x.add(tableDeleted, ino, gen, path(c.Place()), nameOf(c), report.Str(typeWord(c.Type)), report.Size(c.Size), mode, uid, gid, mtime, at,
			report.Str(string(c.Grade)), report.Str(string(c.Technique)), report.Bool(c.Recoverable()), report.Str(strings.Join(c.Evidence, "; ")))
		if !x.events {
			continue
		}
		for k, at := range []report.Value{mtime, at} {
			if !at.IsNull() {
				x.add(tableEvent, at, report.Str("md"[k:k+1]), ino, gen, report.Str("deleted"))
			}
		}
	}
	return nil
}

func (x *exporter) transactions() error {
	l, err := x.v.log()
	if errors.Is(err, history.ErrNoJournal) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range l.Transactions() {
		t := &l.Transactions()[i]
		x.add(tableTransaction, report.Uint(uint64(t.Sequence)), report.Time(t.CommitTime), report.Str(t.State.String()), report.Int(int64(len(t.Blocks))),
			report.Int(int64(len(t.Revokes))), report.Bool(l.TookEffect(i)))
	}
	return nil
}

// storageWord says how an inode maps its contents.
func storageWord(in *ext.Inode) string {
	switch {
	case in.HasInline():
		return "inline"
	case in.Flags&layout.FlagExtents != 0:
		return "extents"
	}
	return "indirect"
}
