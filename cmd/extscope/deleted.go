package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

type deletedOptions struct {
	evidence
	output
	deletedFilter
	versions, carve, scan, byContent bool
	former                           bool
}

// scanLimit is how much free space is scanned unasked.
const scanLimit = 1 << 30

func newDeletedCmd(e *env) *cobra.Command {
	o := &deletedOptions{}
	cmd := &cobra.Command{
		Use:   "deleted IMAGE...",
		Short: "List deleted files, how each can be recovered, and how sure that is",
		Long: `Deleted lists every file, directory, symlink and device that was deleted and of
which something is left: in the journal, in freed blocks, or in its inode. It writes
nothing; "recover" writes files out.

Columns: GRADE is intact, when an authentic map leads to blocks that nothing has used
since; unproven, when nothing contradicts that but part of the proof is missing;
partial, when blocks are gone or the size is not known; overwritten, when something
else has all blocks or a discard left zeros; carved, for what was found by its looks;
or listed, for names and for what has no contents. TECHNIQUE is where the map was
found. DELETED is when, by the inode or the commit. PATH is @12/name where it is only
known that the file lay below the directory that was inode 12.

--former is for volumes that are damaged or were formatted: it lists all files of the
file system that was there before, in use (technique in-use) or deleted. Superblock,
descriptors, inode tables and journal are taken from backups and from copies in the
log, or worked out from what is left; stderr says how. What a file system that is there
now uses counts as overwritten. Where nothing tells any more what the volume was, as
without its beginning, that is looked for unasked.`,
		Example: `  extscope deleted disk.img
  extscope deleted disk.img --path '/home/*' --grade intact
  extscope deleted formatted.img --former
  extscope deleted disk.img --since 2026-01-31 -f json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	o.deletedFilter.addFlags(cmd)
	cmd.Flags().BoolVar(&o.versions, "versions", false, "also earlier versions of files that live")
	cmd.Flags().BoolVar(&o.scan, "scan", false, "scan all free space for stray metadata, if it is more than 1 GiB too")
	cmd.Flags().BoolVar(&o.byContent, "type-by-content", false, "also the type that the first bytes of the contents tell")
	cmd.Flags().BoolVar(&o.carve, "carve", false, "also files found by what their contents look like")
	cmd.Flags().BoolVar(&o.former, "former", false, formerUsage)
	return cmd
}

func (o *deletedOptions) run(ctx context.Context, e *env, name string) error {
	v, was, err := o.openDeleted(ctx, e, &o.output, name, o.former)
	if err != nil {
		return err
	}
	defer v.Close()
	defer collectLater(spareHeap)()
	keep, err := o.filter()
	if err != nil {
		return err
	}
	opt := undelete.Options{Versions: o.versions, Carve: o.carve}
	if !o.scan && !o.carve {
		opt.ScanLimit = scanLimit
	}
	r, err := v.deleted(ctx, e, &o.output, was, opt)
	if err != nil {
		return err
	}
	if r.Unscanned > 0 {
		e.say(fmt.Sprintf("%s of free space were not scanned for stray metadata: --scan does that", report.HumanSize(r.Unscanned)))
	}
	counts := map[undelete.Grade]uint64{}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{deletedTable(ctx, r, r.All(), keep, counts, o.byContent)},
		Summary: func() report.Fields {
			f := was.fields()
			for _, g := range undelete.Grades() {
				f = append(f, report.Field{Key: string(g), Value: report.Uint(counts[g])})
			}
			return f
		},
	})
}

// deleted finds what was deleted, with a bar on the way.
func (o *opened) deleted(ctx context.Context, e *env, out *output, was *formerState, opt undelete.Options) (*undelete.Result, error) {
	if was.none() {
		return &undelete.Result{}, nil
	}
	opt.Former = was.options()
	p := out.progress(e, "deleted")
	opt.Progress = func(_ string, done, total int) { p.set(done, total) }
	r, err := undelete.Find(ctx, o.view, opt)
	p.end()
	if err != nil {
		return nil, err
	}
	for _, w := range r.Warnings {
		e.damage(w)
	}
	return r, nil
}

// deletedTable lists some candidates of a result.
func deletedTable(ctx context.Context, r *undelete.Result, all iter.Seq[*undelete.Candidate], keep func(*undelete.Candidate) bool, counts map[undelete.Grade]uint64, byContent bool) *report.Table {
	columns := []report.Column{
		{Key: "grade", Title: "GRADE", Style: gradeStyle},
		{Key: "technique", Title: "TECHNIQUE"},
		{Key: "deleted_at", Title: "DELETED"},
		{Key: "type", Title: "TYPE"},
		{Key: "size", Title: "SIZE", Right: true},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "path", Title: "PATH", Name: true},
		{Key: "name", Data: true, Name: true},
		{Key: "below", Data: true, Name: true},
		{Key: "generation", Data: true},
		{Key: "recoverable", Data: true},
		{Key: "symlink_target", Data: true, Name: true},
		{Key: "deleted_in", Data: true},
		{Key: "other_paths", Data: true},
		{Key: "moved_to", Data: true, Name: true},
		{Key: "mtime", Data: true},
		{Key: "mode", Data: true},
		{Key: "uid", Data: true},
		{Key: "gid", Data: true},
		{Key: "coverage", Data: true},
		{Key: "evidence", Data: true},
	}
	if byContent {
		columns = append(columns, report.Column{Key: "mime", Title: "CONTENT", Optional: true}, report.Column{Key: "extension_disagrees", Title: "DISAGREES", Optional: true})
	}
	return &report.Table{Key: "entries", Columns: columns, Rows: func(yield func(report.Row, error) bool) {
		for c := range all {
			if !keep(c) {
				continue
			}
			counts[c.Grade]++
			row := deletedRow(c)
			if byContent && c.Recoverable() && c.Type == layout.ModeRegular {
				mime, disagrees := mimeValues(deletedType(ctx, r, c), c.Name)
				row = append(row, mime, disagrees)
			}
			if !yield(row, nil) {
				return
			}
		}
	}}
}

func gradeStyle(v report.Value) report.Style {
	switch undelete.Grade(v.Text()) {
	case undelete.Intact:
		return report.Good
	case undelete.Overwritten:
		return report.Bad
	case undelete.Listed:
		return report.Dim
	}
	return report.Warn
}

func deletedRow(c *undelete.Candidate) report.Row {
	mtime, mode, uid, gid := report.Null(), report.Null(), report.Null(), report.Null()
	if c.In != nil {
		mtime, mode, uid, gid = report.Time(c.In.Mtime), report.Mode(c.In.Mode), report.Uint(uint64(c.In.UID)), report.Uint(uint64(c.In.GID))
	}
	return report.Row{
		report.Str(string(c.Grade)), report.Str(string(c.Technique)), report.Time(c.DeletedAt), report.Str(typeWord(c.Type)),
		report.Size(c.Size), number(uint64(c.Ino), c.Ino != 0), path(c.Place()), nameOf(c), path(c.Below), number(uint64(c.Gen), c.Ino != 0),
		report.Bool(c.Recoverable()), path(c.Target), number(uint64(c.Sequence), c.Sequence != 0), pathList(c.Others), path(c.MovedTo),
		mtime, mode, uid, gid,
		coverageOf(c),
		strs(c.Evidence),
	}
}

// coverageOf counts the blocks of the contents by what became of them.
func coverageOf(c *undelete.Candidate) report.Value {
	v := &c.Coverage
	return report.Object(report.Fields{
		{Key: "own", Value: report.Uint(v.Own)}, {Key: "free", Value: report.Uint(v.Free)}, {Key: "loose", Value: report.Uint(v.Loose)},
		{Key: "reused", Value: report.Uint(v.Reused)}, {Key: "lost", Value: report.Uint(v.Lost)},
	})
}
