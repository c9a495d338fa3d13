package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/report/database"
)

type exportOptions struct {
	evidence
	output
	to, csv string
	scan    bool
}

func newExportCmd(e *env) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export IMAGE... --to FILE.db|--csv DIR",
		Short: "Write all that is known into an SQLite database, or CSV files",
		Long: `Export writes inodes, names, runs, symlinks, findings, deleted files and the journal's
transactions into one SQLite database, for questions that no command answers; or into a
folder of CSV files, one a table. Nothing that is there is written over, and a file that
was not finished has not its final name.

Times take two columns, seconds since 1970 and nanoseconds (mtime, mtime_ns); in CSV they
are RFC 3339, in one. Names that are not UTF-8 are blobs of their bytes.

` + schemaHelp(),
		Example: `  extscope export disk.img --to case.db
  sqlite3 case.db "SELECT path, size FROM file WHERE type = 'file' ORDER BY size DESC LIMIT 10"
  extscope export disk.img --csv tables`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "write an SQLite database to `FILE`")
	f.StringVar(&o.csv, "csv", "", "write CSV files into the folder `DIR`, which is made if it is not there")
	f.BoolVar(&o.force, "force", false, "let --to replace a file that is there")
	f.BoolVar(&o.scan, "scan", false, "scan all free space for deleted files, if it is more than 1 GiB too")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on stderr")
	return cmd
}

func (o *exportOptions) run(ctx context.Context, e *env, name string) error {
	if (o.to == "") == (o.csv == "") {
		return usagef("name one of --to FILE and --csv DIR")
	}
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	if o.csv != "" {
		return o.folder(ctx, e, v)
	}
	if v.includes(o.to) {
		return usagef("--to %s is the evidence itself", o.to)
	}
	if info, err := os.Lstat(o.to); err == nil && (!o.force || !info.Mode().IsRegular()) {
		return usagef("--to %s: the file is there already; --force replaces it", o.to)
	}
	tmp, err := unusedName(o.to)
	if err != nil {
		return &usageError{err}
	}
	sink, err := database.Create(tmp, exportTables(false), exportViews)
	if err != nil {
		return &usageError{err}
	}
	defer os.Remove(tmp)
	if err := o.fill(ctx, e, v, sink); err != nil {
		return err
	}
	return os.Rename(tmp, o.to)
}

// unusedName gives a name beside a file that nothing has.
func unusedName(name string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".extscope-*")
	if err != nil {
		return "", err
	}
	return f.Name(), errors.Join(f.Close(), os.Remove(f.Name()))
}

func (o *exportOptions) folder(ctx context.Context, e *env, v *opened) error {
	if err := os.MkdirAll(o.csv, 0o755); err != nil {
		return &usageError{err}
	}
	root, err := os.OpenRoot(o.csv)
	if err != nil {
		return &usageError{err}
	}
	defer root.Close()
	sink, err := database.CreateFolder(root, exportTables(true))
	if err != nil {
		return usagef("--csv %s: %v", o.csv, err)
	}
	if err := o.fill(ctx, e, v, sink); err != nil {
		for _, t := range exportTables(true) {
			_ = root.Remove(t.Name + ".csv")
		}
		return err
	}
	return nil
}

// fill gathers everything, and ends the sink.
func (o *exportOptions) fill(ctx context.Context, e *env, v *opened, sink database.Sink) error {
	x := &exporter{ctx: ctx, e: e, v: v, out: &o.output, rows: make(chan []exportRow, 8), events: o.csv != ""}
	done := make(chan error, 1)
	go func() { done <- x.drain(sink) }()
	err := x.all(o.scan)
	x.flush()
	close(x.rows)
	wrote := <-done
	if closed := sink.Close(); wrote == nil && err == nil {
		wrote = closed
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case wrote != nil:
		return fmt.Errorf("export: %w", wrote)
	}
	return nil
}
