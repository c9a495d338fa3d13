package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

type recoverOptions struct {
	evidence
	output
	deletedFilter
	to              string
	all             bool
	versions, carve bool
}

func newRecoverCmd(e *env) *cobra.Command {
	o := &recoverOptions{}
	cmd := &cobra.Command{
		Use:   "recover IMAGE --to DIR [PATH...|--all]",
		Short: "Write deleted files out, with a manifest of what is proved about each",
		Long: `Recover writes deleted files below DIR, under their old paths; those whose path is
not known go to DIR/@nameless. DIR/manifest.json tells of each how it was found and how
sure it is.`,
		Example: `  extscope recover disk.img --to found --all
  extscope recover disk.img --to found /home/ana/thesis.tex`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args) },
	}
	o.evidence.addFlags(cmd)
	o.deletedFilter.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "write below the folder `DIR`")
	f.BoolVar(&o.all, "all", false, "everything that was deleted")
	f.BoolVar(&o.versions, "versions", false, "also earlier versions of files that live")
	f.BoolVar(&o.carve, "carve", true, "also files found by what their contents look like")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on stderr")
	return cmd
}

func (o *recoverOptions) run(ctx context.Context, e *env, args []string) error {
	if o.to == "" {
		return usagef("--to DIR is missing: where to write")
	}
	v, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer v.Close()
	keep, err := o.filter()
	if err != nil {
		return err
	}
	r, err := v.deleted(ctx, e, &o.output, undelete.Options{Versions: o.versions, Carve: o.carve})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.to, 0o755); err != nil {
		return &usageError{err}
	}
	root, err := os.OpenRoot(o.to)
	if err != nil {
		return &usageError{err}
	}
	defer root.Close()
	w := &undelete.Restorer{Root: root, Result: r}
	var rows []report.Row
	for i := range r.Candidates {
		c := &r.Candidates[i]
		if !keep(c) || c.Type != layout.ModeRegular || !c.Recoverable() || c.Size == 0 {
			continue
		}
		one, err := w.Restore(ctx, c)
		if err != nil {
			return err
		}
		if one.Err != nil {
			e.damage(prefixed(one.Output, one.Err))
		}
		rows = append(rows, manifestRow(one))
	}
	f, err := root.OpenFile("manifest.json", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = report.Write(f, &report.Report{Head: v.head(), Tables: []*report.Table{{Key: "files", Columns: manifestColumns(), Rows: func(yield func(report.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}}}}, report.Options{Format: report.JSON})
	return errors.Join(err, f.Close())
}

func manifestColumns() []report.Column {
	return []report.Column{
		{Key: "output"}, {Key: "path", Name: true}, {Key: "inode"}, {Key: "type"}, {Key: "size"}, {Key: "sha256"}, {Key: "grade"}, {Key: "technique"},
		{Key: "evidence"}, {Key: "deleted_at"}, {Key: "mode"}, {Key: "uid"}, {Key: "gid"}, {Key: "mtime"},
	}
}

func manifestRow(r *undelete.Restored) report.Row {
	c := r.Candidate
	d := deletedRow(c)
	text := ""
	for i, e := range c.Evidence {
		if i > 0 {
			text += "; "
		}
		text += e
	}
	return report.Row{
		report.Str(r.Output), path(c.Path), number(uint64(c.Ino), c.Ino != 0), report.Str(typeWord(c.Type)), report.Size(c.Size), report.Str(r.SHA256),
		report.Str(string(c.Grade)), report.Str(string(c.Technique)), report.Str(text), report.Time(c.DeletedAt), d[15], d[16], d[17], d[14],
	}
}
