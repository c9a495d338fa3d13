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
	evidence
}

func newPartitionsCmd(e *env) *cobra.Command {
	o := &partitionsOptions{}
	cmd := &cobra.Command{
		Use:   "partitions IMAGE...",
		Short: "List the partitions and volumes of an image and what each of them holds",
		Long: `Partitions shows how an image is divided, by MBR with logical partitions or by
GPT, and what lies in each slot, ext or not. An image without a table is one
volume that is the whole of it. Volumes of LVM2 and Linux RAID (1, linear, 0) are
listed below what they lie in; the images of further disks they need follow IMAGE.
LUKS is locked unless --key-file opens it: nothing is asked.

Columns: NR is what -p takes, which takes NAME, LABEL and UUID, too; START is in bytes
from the start of the image, "-" where a volume is not one range of it; SIZE
is as the table says; TYPE is what the table says it holds, or the kind of volume,
CONTENT what it does hold; LABEL and UUID are those of the file system in it. What is
odd about the table or a volume is told on stderr.`,
		Example: `  extscope partitions disk.img
  extscope partitions disk.img -f json
  extscope partitions disk1.img disk2.img
  extscope ls disk1.img --with disk2.img -p vg0/root /etc`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	cmd.Flags().IntVar(&o.sectorSize, "sector-size", 0, "logical sector size in `BYTES` (default: found out)")
	o.addWith(cmd)
	o.addUnpacking(cmd)
	o.addSnapshot(cmd)
	o.key.addFlags(cmd)
	o.output.addFlags(cmd)
	return cmd
}

func (o *partitionsOptions) run(ctx context.Context, e *env, name string) error {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return &usageError{err}
	}
	im, err := o.openImage(e, name, o.with...)
	if err != nil {
		return err
	}
	defer im.Close()
	if im.Size() == 0 {
		return &notExtError{fmt.Errorf("%s: the file is empty", im.Name())}
	}
	table, err := await(ctx, im.Partitions)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &notExtError{fmt.Errorf("%s: %w", im.Name(), err)}
	}
	for _, w := range table.Warnings {
		e.say("warning: " + w)
	}
	for i := range table.Partitions {
		p := &table.Partitions[i]
		for _, w := range p.Warnings {
			e.say(fmt.Sprintf("warning: %s: %s", volumeName(p), w))
		}
		switch {
		case p.State == image.StateUnsupported, p.State == image.StateDamaged:
			// What it is says so.
		case p.State == image.StateIncomplete:
			e.damage(fmt.Errorf("%s: incomplete, %d of its %d bytes are missing", volumeName(p), p.Length-p.Available, p.Length))
		case p.Available < p.Length:
			e.damage(fmt.Errorf("partition %d: truncated, %d of its %d bytes are missing", p.Number, p.Length-p.Available, p.Length))
		}
	}
	r := &report.Report{
		Head:   []report.Section{{Key: "image", Title: "Image", Fields: imageFields(im, table)}},
		Tables: []*report.Table{volumeTable(table, format, len(im.With()) > 0)},
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
	err = o.to(ctx, e, &opened{env: e, image: im}, func(w io.Writer, terminal bool) error {
		return report.Write(w, r, report.Options{
			Format: format,
			Color:  terminal && os.Getenv("NO_COLOR") == "",
			Width:  width(w, terminal),
		})
	})
	if err != nil {
		return err
	}
	return o.key.fits(table)
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
func volumeTable(t *image.Table, format report.Format, several bool) *report.Table {
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
	people := format == report.TableFormat || format == report.Markdown
	content := func(p *image.Partition) report.Row { return contentCells(p, people) }
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
	columns = append(columns,
		report.Column{Key: "state", Data: true, Optional: true},
		report.Column{Key: "members", Data: true, Optional: true},
		report.Column{Key: "image", Title: "IMAGE", Data: !several, Optional: true, Name: true})
	return &report.Table{Key: "volumes", Columns: columns, Rows: func(yield func(report.Row, error) bool) {
		order, indent := treeOrder(t.Partitions, people)
		for i, p := range order {
			boot := report.Null()
			if p.Scheme == "mbr" || p.Scheme == "gpt" {
				boot = report.Bool(p.Bootable)
			}
			typeName := word(p.TypeName)
			if p.TypeName == "" && format == report.TableFormat {
				typeName = word(p.TypeCode)
			}
			row := report.Row{
				report.Int(int64(p.Number)), number(uint64(p.Parent), p.Parent != 0), report.Str(p.Scheme), report.Str(indent[i] + p.Kind),
				boot, startOf(p), report.Size(uint64(p.Length)), report.Size(uint64(p.Available)),
				word(p.TypeCode), typeName, word(p.Name), word(p.UUID),
			}
			row = append(row, content(p)...)
			if !yield(append(row, stateCells(p)...), nil) {
				return
			}
		}
	}}
}

func contentCells(p *image.Partition, people bool) report.Row {
	c := p.Content
	what := c.Type
	if people && p.State != "" && p.State != image.StateUnsupported {
		what += ", " + p.State
	}
	return report.Row{report.Str(what), word(c.Label), word(c.UUID), report.Bool(c.IsExt)}
}

func contentObject(p *image.Partition) report.Row {
	c := p.Content
	return report.Row{report.Object(report.Fields{
		{Key: "type", Value: report.Str(c.Type)},
		{Key: "detail", Value: word(c.Detail)},
		{Key: "label", Value: word(c.Label)},
		{Key: "uuid", Value: word(c.UUID)},
		{Key: "ext", Value: report.Bool(c.IsExt)},
	})}
}

// stateCells are what few volumes have.
func stateCells(p *image.Partition) report.Row {
	members := report.Null()
	if len(p.Members) > 1 {
		var list []report.Value
		for _, m := range p.Members {
			list = append(list, report.Int(int64(m)))
		}
		members = report.List(list)
	}
	return report.Row{word(p.State), members, word(p.Image)}
}

// startOf is where a volume begins in its image, null where it is not one range of it.
func startOf(p *image.Partition) report.Value {
	if p.Start < 0 {
		return report.Null()
	}
	return report.Int(p.Start)
}

// volumeName is what messages call a volume.
func volumeName(p *image.Partition) string {
	if p.Parent != 0 && p.Name != "" {
		return p.Name
	}
	return fmt.Sprintf("partition %d", p.Number)
}

// treeOrder gives the volumes in the order of their numbers, or for people each behind
// the one it lies in, with what to indent it by.
func treeOrder(parts []image.Partition, people bool) (order []*image.Partition, indent []string) {
	below := map[int][]*image.Partition{}
	for i := range parts {
		p := &parts[i]
		if !people {
			order, indent = append(order, p), append(indent, "")
			continue
		}
		below[p.Parent] = append(below[p.Parent], p)
	}
	var walk func(parent int, before string)
	walk = func(parent int, before string) {
		for i, p := range below[parent] {
			branch, next := treeBranch, treeLine
			if i == len(below[parent])-1 {
				branch, next = treeEnd, treeBlank
			}
			if parent == 0 {
				branch, next = "", ""
			}
			order, indent = append(order, p), append(indent, before+branch)
			walk(p.Number, before+next)
		}
	}
	walk(0, "")
	return order, indent
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
