package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/image"
	"github.com/extscope/extscope/report"
)

type partitionsOptions struct {
	output
	sectorSize int
}

func newPartitionsCmd(e *env) *cobra.Command {
	o := &partitionsOptions{}
	cmd := &cobra.Command{
		Use:   "partitions IMAGE",
		Short: "List the partitions of an image and what each of them holds",
		Long: `Partitions shows how an image is divided, by MBR with logical partitions or by
GPT, and what lies in each slot, ext or not. An image without a table is one
volume that is the whole of it.

Columns: NR is what -p takes; START is in bytes from the start of the image; SIZE
is as the table says; TYPE is what the table says it holds, CONTENT what it does
hold; LABEL and UUID are those of the file system in it. What is odd about the
table is told on stderr.`,
		Example: `  extscope partitions disk.img
  extscope partitions disk.img -f json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeImage,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, args[0]) },
	}
	cmd.Flags().IntVar(&o.sectorSize, "sector-size", 0, "logical sector size in `BYTES` (default: found out)")
	o.output.addFlags(cmd)
	return cmd
}

func (o *partitionsOptions) run(ctx context.Context, e *env, name string) error {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return &usageError{err}
	}
	v := &evidence{sectorSize: o.sectorSize}
	im, err := v.openImage(e, name)
	if err != nil {
		return err
	}
	defer im.Close()
	if im.Size() == 0 {
		return &notExtError{fmt.Errorf("%s: the file is empty", im.Name())}
	}
	table, err := im.Partitions()
	if err != nil {
		return &notExtError{fmt.Errorf("%s: %w", im.Name(), err)}
	}
	for _, w := range table.Warnings {
		e.say("warning: " + w)
	}
	for _, p := range table.Partitions {
		if p.Available < p.Length {
			e.damage(fmt.Errorf("partition %d: truncated, %d of its %d bytes are missing", p.Number, p.Length-p.Available, p.Length))
		}
	}
	r := &report.Report{
		Head:   []report.Section{{Key: "image", Title: "Image", Fields: imageFields(im, table)}},
		Tables: []*report.Table{volumeTable(table, format)},
		Summary: func() report.Fields {
			ext := 0
			for _, p := range table.Partitions {
				if p.Content.IsExt {
					ext++
				}
			}
			return report.Fields{
				{Key: "volumes", Value: report.Int(int64(len(table.Partitions)))},
				{Key: "ext", Value: report.Int(int64(ext))},
			}
		},
	}
	// There may be no file system to tell of, as output.write would.
	return o.to(ctx, e, &opened{env: e, image: im}, func(w io.Writer, terminal bool) error {
		return report.Write(w, r, report.Options{
			Format: format,
			Color:  terminal && os.Getenv("NO_COLOR") == "",
			Width:  width(w, terminal),
		})
	})
}

func imageFields(im *image.Image, t *image.Table) report.Fields {
	var segments []report.Fields
	for _, s := range im.Segments() {
		segments = append(segments, report.Fields{
			{Key: "path", Value: report.Name([]byte(s.Name))},
			{Key: "offset", Value: report.Int(s.Offset)},
			{Key: "size", Value: report.Size(uint64(s.Size))},
			{Key: "missing", Value: report.Bool(s.Missing)},
		})
	}
	f := report.Fields{
		{Key: "path", Value: report.Name([]byte(im.Name()))},
		{Key: "format", Value: report.Str(im.Format())},
		{Key: "size", Value: report.Size(uint64(im.Size()))},
		{Key: "scheme", Value: report.Str(t.Scheme)},
		{Key: "disk_id", Value: word(t.DiskID)},
		{Key: "sector_size", Value: report.Int(int64(t.SectorSize))},
	}
	if len(segments) > 1 {
		f = append(f, report.Field{Key: "segments", Value: report.Objects(segments)})
	}
	var details report.Fields
	for _, d := range im.Details() {
		details = append(details, report.Field{Key: d.Key, Value: report.Bytes([]byte(d.Value))})
	}
	if len(details) > 0 {
		f = append(f, report.Field{Key: "details", Value: report.Object(details)})
	}
	if digests := storedDigests(im.Digests()); len(digests) > 0 {
		f = append(f, report.Field{Key: "digests", Value: report.Object(digests)})
	}
	return f
}

// word is a string, null where it is empty.
func word(s string) report.Value {
	if s == "" {
		return report.Null()
	}
	return report.Str(s)
}

// volumeTable lists the volumes: what each holds is an object in JSON, and
// columns elsewhere.
func volumeTable(t *image.Table, format report.Format) *report.Table {
	columns := []report.Column{
		{Key: "number", Title: "NR", Right: true},
		{Key: "parent", Data: true},
		{Key: "scheme", Data: true},
		{Key: "kind", Title: "KIND"},
		{Key: "bootable", Title: "BOOT"},
		{Key: "start", Title: "START", Right: true},
		{Key: "length", Title: "SIZE", Right: true},
		{Key: "available", Data: true},
		{Key: "type_code", Data: true},
		{Key: "type_name", Title: "TYPE"},
		{Key: "name", Title: "NAME", Name: true},
		{Key: "uuid", Data: true},
	}
	content := contentCells
	if format == report.JSON || format == report.NDJSON {
		content = contentObject
		columns = append(columns, report.Column{Key: "content"})
	} else {
		columns = append(columns,
			report.Column{Key: "content", Title: "CONTENT", Style: contentStyle},
			report.Column{Key: "label", Title: "LABEL", Name: true},
			report.Column{Key: "content_uuid", Title: "UUID"},
			report.Column{Key: "ext", Data: true})
	}
	return &report.Table{Key: "volumes", Columns: columns, Rows: func(yield func(report.Row, error) bool) {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			boot := report.Null()
			if p.Kind != "whole" {
				boot = report.Bool(p.Bootable)
			}
			typeName := word(p.TypeName)
			if p.TypeName == "" && format == report.TableFormat {
				typeName = word(p.TypeCode)
			}
			row := report.Row{
				report.Int(int64(p.Number)), number(uint64(p.Parent), p.Parent != 0), report.Str(p.Scheme), report.Str(p.Kind),
				boot, report.Int(p.Start), report.Size(uint64(p.Length)), report.Size(uint64(p.Available)),
				word(p.TypeCode), typeName, word(p.Name), word(p.UUID),
			}
			if !yield(append(row, content(p.Content)...), nil) {
				return
			}
		}
	}}
}

func contentCells(c image.Content) report.Row {
	return report.Row{report.Str(c.Type), word(c.Label), word(c.UUID), report.Bool(c.IsExt)}
}

func contentObject(c image.Content) report.Row {
	return report.Row{report.Object(report.Fields{
		{Key: "type", Value: report.Str(c.Type)},
		{Key: "detail", Value: word(c.Detail)},
		{Key: "label", Value: word(c.Label)},
		{Key: "uuid", Value: word(c.UUID)},
		{Key: "ext", Value: report.Bool(c.IsExt)},
	})}
}

// contentStyle sets off what can be looked into.
func contentStyle(v report.Value) report.Style {
	switch v.Text() {
	case "ext2", "ext3", "ext4":
		return report.Good
	case "zeros", "unknown data":
		return report.Dim
	}
	return report.None
}
