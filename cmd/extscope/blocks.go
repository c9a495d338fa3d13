package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

type blocksOptions struct {
	evidence
	output
	dereference bool
	blocks      []string
	bytes       []string
}

func newBlocksCmd(e *env) *cobra.Command {
	o := &blocksOptions{}
	cmd := &cobra.Command{
		Use:   "blocks IMAGE [PATH...]",
		Short: "Show where on the disk a file's blocks lie",
		Long: `Blocks lists the runs that a file is made of, from its first block to its last,
in the look of filefrag -v. PATH is / when none is given; the last symlink of a
path is not followed.

Columns: LOGICAL is the file's blocks, PHYSICAL the file system's, both from 0;
LENGTH is in blocks. STATE is data; unwritten, for blocks that are allocated and
read as zeros; hole, for none; or index, for a node of the map itself (of the
extent tree, or an indirect block), which stands before what it maps. A file kept
inside its inode has no blocks, and says so.

--range writes blocks themselves, as they are, to stdout or to -o FILE, and --bytes
any bytes of the file system, by place and length.`,
		Example: `  extscope blocks testdata/demo.img /var/log/app.log
  extscope blocks rootfs.img /var/lib/db @12 -f csv
  extscope blocks testdata/demo.img --range 34-35 -o busybox
  extscope blocks testdata/demo.img --bytes 1672+372`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: o.completePath,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args[0], args[1:]) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().StringSliceVar(&o.blocks, "range", nil, "write the contents of these `BLOCKS`, as 100 or 100-199")
	cmd.Flags().StringSliceVar(&o.bytes, "bytes", nil, "write these bytes, as `OFFSET+LENGTH`")
	cmd.Flags().BoolVarP(&o.dereference, "dereference", "L", false, "follow a symlink in the last place of PATH")
	return cmd
}

func (o *blocksOptions) run(ctx context.Context, e *env, name string, args []string) error {
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	if o.blocks != nil || o.bytes != nil {
		return o.raw(ctx, e, v, args)
	}
	files, missing := v.targets(args, o.dereference)
	t := filesTable(v.fs, files)
	if o.format == string(report.CSV) || o.format == string(report.Markdown) {
		t = runsTable(v.fs, files)
	}
	err = o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{t},
		Text:   func(w io.Writer) error { return o.text(w, e, v.fs, files) },
	})
	if err != nil {
		return err
	}
	return missing
}

// raw writes blocks or bytes as they are.
func (o *blocksOptions) raw(ctx context.Context, e *env, v *opened, args []string) error {
	if len(args) > 0 {
		return usagef("--range and --bytes go without a PATH")
	}
	ranges, err := blockRanges(v.fs, o.blocks)
	if err != nil {
		return err
	}
	more, err := byteRanges(v.fs, o.bytes)
	if err != nil {
		return err
	}
	ranges = append(ranges, more...)
	return o.to(ctx, e, v, func(w io.Writer, _ bool) error { return copyRanges(ctx, e, v.fs, w, ranges) })
}

// filesTable has a row a file, with its runs in it.
func filesTable(f *ext.FS, files []target) *report.Table {
	return &report.Table{
		Key: "files",
		Columns: []report.Column{
			{Key: "inode"}, {Key: "path", Name: true}, {Key: "block_size"}, {Key: "storage"}, {Key: "size"}, {Key: "runs"},
		},
		Rows: func(yield func(report.Row, error) bool) {
			for _, t := range files {
				var runs []report.Fields
				for r, err := range f.EveryRun(t.in) {
					if err == nil {
						runs = append(runs, runFields(r))
					} else if !yield(nil, fmt.Errorf("inode %d: %w", t.in.Ino, err)) {
						return
					}
				}
				if !yield(report.Row{
					report.Uint(uint64(t.in.Ino)), path(t.path), report.Int(int64(f.BlockSize())),
					report.Str(f.Storage(t.in)), report.Size(t.in.Size()), report.Objects(runs),
				}, nil) {
					return
				}
			}
		},
	}
}

func runFields(r ext.Run) report.Fields {
	return report.Fields{
		{Key: "logical", Value: report.Uint(r.Logical)},
		{Key: "physical", Value: number(uint64(r.Physical), r.Kind != ext.Hole)},
		{Key: "length", Value: report.Uint(r.Len)},
		{Key: "state", Value: report.Str(r.Kind.String())},
	}
}

// runsTable has a row a run, for formats whose cells hold one value each.
func runsTable(f *ext.FS, files []target) *report.Table {
	return &report.Table{
		Key: "runs",
		Columns: []report.Column{
			{Key: "inode", Title: "INODE", Right: true}, {Key: "path", Title: "PATH", Name: true},
			{Key: "logical", Title: "LOGICAL", Right: true}, {Key: "physical", Title: "PHYSICAL", Right: true},
			{Key: "length", Title: "LENGTH", Right: true}, {Key: "state", Title: "STATE"},
		},
		Rows: func(yield func(report.Row, error) bool) {
			for _, t := range files {
				for r, err := range f.EveryRun(t.in) {
					row := report.Row{
						report.Uint(uint64(t.in.Ino)), path(t.path), report.Uint(r.Logical),
						number(uint64(r.Physical), r.Kind != ext.Hole), report.Uint(r.Len), report.Str(r.Kind.String()),
					}
					if err != nil {
						err = fmt.Errorf("inode %d: %w", t.in.Ino, err)
					}
					if !yield(row, err) {
						return
					}
				}
			}
		},
	}
}

// text writes the runs as filefrag -v does.
func (o *blocksOptions) text(w io.Writer, e *env, f *ext.FS, files []target) error {
	color := o.colored(e)
	for i, t := range files {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := fileText(w, e, f, t, color); err != nil {
			return err
		}
	}
	return nil
}

func fileText(w io.Writer, e *env, f *ext.FS, t target, color bool) error {
	size := uint64(f.BlockSize())
	count := t.in.Size() / size
	if t.in.Size()%size != 0 {
		count++
	}
	shown := report.Printable([]byte(t.arg))
	if t.path != nil {
		shown = report.Printable(t.path)
	}
	if _, err := fmt.Fprintf(w, "%s: inode %d, %s, %d bytes\n", shown, t.in.Ino, typeWord(t.in.Mode), t.in.Size()); err != nil {
		return err
	}
	if !f.HasMap(t.in) {
		_, err := fmt.Fprintf(w, "  no blocks: %s\n", unmapped(f, t.in))
		return err
	}
	kept := f.Storage(t.in)
	if depth, ok := f.ExtentDepth(t.in); ok {
		kept += fmt.Sprintf(", tree of depth %d", depth)
	}
	fmt.Fprintf(w, "  %s of %d bytes, mapped by %s\n", plural(count, "block", "blocks"), size, kept)
	// Wide enough for the largest numbers that can come.
	l, p := digitCount(max(count, 1)), digitCount(f.Super.BlocksCount)
	sum := map[ext.RunKind]uint64{}
	n := 0
	for r, err := range f.EveryRun(t.in) {
		if err != nil {
			e.damage(fmt.Errorf("inode %d: %w", t.in.Ino, err))
			continue
		}
		if n == 0 {
			fmt.Fprintf(w, "  %5s  %*s  %*s  %*s  %s\n", "RUN", max(2*l+2, 7), "LOGICAL", max(2*p+2, 8), "PHYSICAL", max(l, 6), "LENGTH", "STATE")
		}
		logical := fmt.Sprintf("%*d..%*d", l, r.Logical, l, r.Logical+r.Len-1)
		if r.Kind == ext.Index {
			logical = fmt.Sprintf("%*d..%*s", l, r.Logical, l, "")
		}
		physical := ""
		if r.Kind != ext.Hole {
			physical = fmt.Sprintf("%*d..%*d", p, r.Physical, p, uint64(r.Physical)+r.Len-1)
		}
		_, err := fmt.Fprintf(w, "  %5d  %*s  %*s  %*d  %s\n", n, max(2*l+2, 7), logical, max(2*p+2, 8), physical, max(l, 6), r.Len, runStyle(r.Kind).Wrap(r.Kind.String(), color))
		if err != nil {
			return err
		}
		sum[r.Kind] += r.Len
		n++
	}
	line := "  in all:"
	for _, k := range []ext.RunKind{ext.Data, ext.Unwritten, ext.Hole, ext.Index} {
		if sum[k] > 0 {
			line += fmt.Sprintf(" %d %s,", sum[k], k)
		}
	}
	if n == 0 {
		line = "  in all: none "
	}
	_, err := fmt.Fprintln(w, line[:len(line)-1])
	return err
}

// runStyle sets off what is not plain data.
func runStyle(k ext.RunKind) report.Style {
	switch k {
	case ext.Hole:
		return report.Dim
	case ext.Unwritten:
		return report.Warn
	case ext.Index:
		return report.Link
	}
	return report.None
}

// unmapped says why an inode has no map of blocks.
func unmapped(f *ext.FS, in *ext.Inode) string {
	switch {
	case in.HasInline():
		return "the contents lie in the inode (inline_data)"
	case in.IsSymlink():
		return "the target lies in the inode"
	case in.Mode == 0:
		return "the inode was never used"
	}
	switch in.Type() {
	case layout.ModeChar, layout.ModeBlock:
		return "a device has no contents"
	}
	return "a " + typeWord(in.Mode) + " has no contents"
}

// digitCount is how many digits a number takes.
func digitCount(n uint64) int { return len(strconv.FormatUint(n, 10)) }
