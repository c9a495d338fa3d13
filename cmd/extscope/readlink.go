package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/report"
)

type readlinkOptions struct {
	evidence
	output
	canonicalize bool
}

func newReadlinkCmd(e *env) *cobra.Command {
	o := &readlinkOptions{}
	cmd := &cobra.Command{
		Use:   "readlink IMAGE PATH...",
		Short: "Show where symlinks lead",
		Long: `readlink shows the target of each PATH, a symlink, as it is stored.

With --canonicalize PATH may be anything: it is resolved whole inside the image,
the root of the file system being /, and its path without symlinks, "." and ".."
is shown. Every part of it must be there, as for readlink -e; one that leads
nowhere is named on stderr, with exit status 2.

The data formats have both: storage is where the target is kept (inline in the
inode, in a block, as inline_data, or encrypted), and resolved the canonical
path, null where it leads nowhere.`,
		Example: `  extscope readlink testdata/demo.img /bin/python
  extscope readlink --canonicalize testdata/demo.img /bin/python`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().BoolVar(&o.canonicalize, "canonicalize", false, "resolve each PATH wholly; every part must be there")
	return cmd
}

func (o *readlinkOptions) run(ctx context.Context, e *env, args []string) error {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return &usageError{err}
	}
	ev, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer ev.Close()
	found, missing := ev.targets(args[1:], false)
	fail := func(err error) {
		if missing != nil {
			e.say(missing.Error())
		}
		missing = err
	}
	var rows []report.Row
	var lines []report.Value
	for _, t := range found {
		row, line, err := o.link(e, ev, t)
		if err != nil {
			fail(err)
		}
		if row != nil {
			rows = append(rows, row)
		}
		if !line.IsNull() {
			lines = append(lines, line)
		}
	}
	r := &report.Report{Tables: []*report.Table{{
		Key: "symlinks",
		Columns: []report.Column{
			{Key: "path", Title: "Path", Name: true},
			{Key: "inode", Title: "Inode", Right: true},
			{Key: "target", Title: "Target", Name: true},
			{Key: "storage", Title: "Storage"},
			{Key: "resolved", Title: "Resolved", Name: true},
		},
		Rows: func(yield func(report.Row, error) bool) {
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		},
	}}}
	r.Text = func(w io.Writer) error {
		l := &listing{w: w}
		for _, v := range lines {
			l.buf = append(append(l.buf, v.Text()...), '\n')
		}
		return l.flush()
	}
	if format == report.TableFormat && len(lines) == 0 || len(rows) == 0 {
		return missing
	}
	if err := o.write(ctx, e, ev, r); err != nil {
		return err
	}
	return missing
}

// link gives the row of one PATH and its line in the table format, null for
// none. The error is the caller's fault; damage is told here.
func (o *readlinkOptions) link(e *env, ev *opened, t target) (row report.Row, line report.Value, err error) {
	if !t.in.IsSymlink() && !o.canonicalize {
		return nil, line, usagef("%s: not a symbolic link", t.arg)
	}
	row = report.Row{report.Name(ev.shownPath(t)), report.Uint(uint64(t.in.Ino)), report.Null(), report.Null(), report.Null()}
	if t.in.IsSymlink() {
		row[3] = report.Str(ev.fs.TargetStorage(t.in))
		target, err := ev.fs.Readlink(t.in)
		if err != nil {
			e.damage(prefixed(t.arg, err))
		} else {
			row[2] = report.Bytes(target)
		}
	}
	path, err := ev.resolved(t)
	switch {
	case err == nil:
		row[4] = report.Name(path)
	case ext.IsDamage(err):
		e.damage(err)
		err = nil
	case !o.canonicalize:
		err = nil // it rots, which is no fault of this command's caller
	}
	if o.canonicalize {
		return row, row[4], err
	}
	return row, row[2], nil
}

// resolved is the canonical path of what a PATH argument leads to, its symlinks
// followed.
func (o *opened) resolved(t target) ([]byte, error) {
	arg := string(o.shownPath(t))
	if strings.HasSuffix(t.arg, "/") && arg != "/" {
		arg += "/"
	}
	ino, rest, isNumber := inodeArg(arg)
	if !isNumber {
		path, _, err := o.fs.Canonical(arg)
		return path, pathError(t.arg, err)
	}
	if rest != "" {
		dir, err := o.fs.Inode(ino)
		if err != nil {
			return nil, err
		}
		path, _, err := o.fs.CanonicalFrom(dir, rest)
		return path, pathError(t.arg, err)
	}
	if t.in.IsDir() {
		path, err := o.fs.PathOf(t.in)
		return path, pathError(t.arg, err)
	}
	// A number names no directory that a relative target could start from.
	if t.in.IsSymlink() {
		if target, err := o.fs.Readlink(t.in); err == nil && strings.HasPrefix(string(target), "/") {
			path, _, err := o.fs.Canonical(string(target))
			return path, pathError(t.arg, err)
		}
	}
	return nil, usagef("%s: which directory it lies in is not known; give a path", t.arg)
}
