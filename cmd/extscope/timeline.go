package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // --tz works where the machine has no zones

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/timeline"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

type timelineOptions struct {
	evidence
	output
	paths        []string
	since, until string
	zone         string
	withJournal  bool
	scan         bool
	oddOnly      bool

	from, to time.Time
	in       *time.Location // nil for UTC
	events   uint64         // counted while they pass
	odd      uint64
}

func newTimelineCmd(e *env) *cobra.Command {
	o := &timelineOptions{}
	cmd := &cobra.Command{
		Use:   "timeline IMAGE...",
		Short: "Every time that inodes tell, in one order",
		Long: `Timeline lists when files were modified, accessed, changed, born and deleted, the oldest
first: of live files, orphans and deleted ones, and with --journal-versions of every state
of an inode that the journal still holds.

Columns: TIME is in UTC, or in --tz ZONE; MACBD says which times of the file it is (m
contents modified, a accessed, c inode changed, b born, d deleted); STATE is live,
orphan, deleted or journal; SOURCE is where the time was read. A file with several
names has a row for each. ODD tells what about the time a kernel, left alone, does not do,
and how sure that is; the reasons are what can be seen, not who did it.

The format body is the body file of The Sleuth Kit 3.x, in whole seconds, which mactime
reads.`,
		Example: `  extscope timeline disk.img --since 2026-01-31 --until 2026-02-01
  extscope timeline disk.img --path '/home/*' --journal-versions -f csv
  extscope timeline disk.img -f body | mactime -z UTC -d`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), e, o.imageOf(args)) },
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	f := cmd.Flags()
	f.Lookup("format").Usage += ", or body"
	f.StringSliceVar(&o.paths, "path", nil, "only files whose path matches this `GLOB`, in which * stands for / too")
	f.StringVar(&o.since, "since", "", "only what happened at `TIME` or later")
	f.StringVar(&o.until, "until", "", "only what happened at `TIME` or before")
	f.StringVar(&o.zone, "tz", "", "show times in this `ZONE`, as Europe/Oslo, in place of UTC")
	f.BoolVar(&o.withJournal, "journal-versions", false, "also the states of inodes that the journal holds")
	f.BoolVar(&o.scan, "scan", false, "scan all free space for deleted files, if it is more than 1 GiB too")
	f.BoolVar(&o.oddOnly, "odd", false, "only times about which something is odd")
	return cmd
}

func (o *timelineOptions) parse() error {
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", o.since, &o.from}, {"until", o.until, &o.to}} {
		if t.text == "" {
			continue
		}
		v, ok := history.ParseTime(t.text)
		if !ok {
			return usagef("--%s: %q is no time like 2026-01-31T12:00:00", t.flag, t.text)
		}
		*t.to = v
	}
	if o.zone != "" {
		in, err := time.LoadLocation(o.zone)
		if err != nil {
			return usagef("--tz: %v", err)
		}
		o.in = in
	}
	if o.format == "body" && (o.zone != "" || o.oddOnly || o.since != "" || o.until != "") {
		return usagef("--format body holds whole files: --since, --until, --odd and --tz are mactime's then")
	}
	return nil
}

func (o *timelineOptions) run(ctx context.Context, e *env, name string) error {
	if err := o.parse(); err != nil {
		return err
	}
	v, err := o.open(e, name)
	if err != nil {
		return err
	}
	defer v.Close()
	t, err := v.timeline(ctx, e, &o.output, timeline.Options{Since: o.from, Until: o.to}, o.withJournal, o.scan)
	if err != nil {
		return err
	}
	if o.format == "body" {
		return o.writeBody(ctx, e, v, t)
	}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{{Key: "events", Columns: timelineColumns(o.in), Rows: func(yield func(report.Row, error) bool) {
			var row report.Row
			for r := range o.filter(t.Events()) {
				if o.events++; len(r.Odd) > 0 {
					o.odd++
				}
				if row = appendTimelineRow(row[:0], r, o.in); !yield(row, nil) {
					return
				}
			}
		}}},
		Summary: func() report.Fields {
			return report.Fields{{Key: "events", Value: report.Uint(o.events)}, {Key: "odd", Value: report.Uint(o.odd)}}
		},
	})
}

// timeline gathers the times of all files, with bars on the way.
func (v *opened) timeline(ctx context.Context, e *env, out *output, opt timeline.Options, versions, scan bool) (*timeline.Timeline, error) {
	limit := undelete.Options{ScanLimit: scanLimit}
	if scan {
		limit.ScanLimit = 0
	}
	var err error
	if opt.Deleted == nil {
		if opt.Deleted, err = v.deleted(ctx, e, out, nil, limit); err != nil {
			return nil, err
		}
		if n := opt.Deleted.Unscanned; n > 0 {
			e.say(fmt.Sprintf("%s of free space were not scanned for deleted files: --scan does that", report.HumanSize(n)))
		}
	}
	if versions {
		if opt.Log, err = v.log(); err != nil {
			return nil, usagef("--journal-versions: %v", err)
		}
	}
	p := out.progress(e, "timeline")
	opt.Progress = p.set
	t, err := timeline.Build(ctx, v.fs, opt)
	p.end()
	if err != nil {
		return nil, err
	}
	list, more := t.Damage()
	for _, d := range list {
		e.damage(fmt.Errorf("inode %d: %w", d.Ino, d.Err))
	}
	e.damages += int(min(more, 1<<30))
	return t, nil
}

// filter picks the rows that --path and --odd ask for.
func (o *timelineOptions) filter(rows iter.Seq[*timeline.Row]) iter.Seq[*timeline.Row] {
	return func(yield func(*timeline.Row) bool) {
		for r := range rows {
			if o.oddOnly && len(r.Odd) == 0 || o.paths != nil && !slices.ContainsFunc(o.paths, func(p string) bool {
				g := glob{[]byte(p), false}
				return g.match(r.Path) || g.match([]byte(report.Printable(r.Path)))
			}) {
				continue
			}
			if !yield(r) {
				return
			}
		}
	}
}

func timelineColumns(in *time.Location) []report.Column {
	columns := []report.Column{
		{Key: "time", Title: "TIME"},
		{Key: "macbd", Title: "MACBD"},
		{Key: "size", Title: "SIZE", Right: true},
		{Key: "mode", Data: true},
		{Key: "type", Title: "TYPE"},
		{Key: "uid", Data: true},
		{Key: "gid", Data: true},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "generation", Data: true},
		{Key: "state", Title: "STATE", Style: timelineStyle},
		{Key: "path", Title: "PATH", Name: true},
		{Key: "target", Data: true, Name: true, Optional: true},
		{Key: "source", Title: "SOURCE"},
		{Key: "committed_at", Data: true, Optional: true},
		{Key: "grade", Data: true, Optional: true},
		{Key: "odd", Title: "ODD", Style: func(report.Value) report.Style { return report.Warn }},
	}
	if in != nil {
		columns = slices.Insert(columns, 1, report.Column{Key: "local_time", Title: "LOCAL TIME"})
		columns[0] = report.Column{Key: "time", Data: true}
	}
	return columns
}

func timelineStyle(v report.Value) report.Style {
	switch v.Text() {
	case "deleted":
		return report.Bad
	case "orphan":
		return report.Warn
	}
	return report.Dim
}

func appendTimelineRow(row report.Row, r *timeline.Row, in *time.Location) report.Row {
	row = append(row, report.Time(r.Time))
	if in != nil {
		row = append(row, report.Str(r.Time.In(in).Format("2006-01-02T15:04:05.000000000-07:00")))
	}
	var odd []report.Fields
	for _, x := range r.Odd {
		odd = append(odd, report.Fields{
			{Key: "marks", Value: report.Str(x.Marks.String())},
			{Key: "confidence", Value: report.Str(x.Confidence)},
			{Key: "reason", Value: report.Str(x.Reason)},
		})
	}
	return append(row,
		report.Str(r.Marks.String()), report.Size(r.Size), report.Mode(r.Mode), report.Str(typeWord(r.Mode)),
		report.Uint(uint64(r.UID)), report.Uint(uint64(r.GID)), number(uint64(r.Ino), r.Ino != 0), number(uint64(r.Gen), r.Ino != 0),
		report.Str(r.State.String()), report.Name(r.Path), path(r.Target), report.Str(r.Source), report.Time(r.Commit), word(string(r.Grade)),
		report.Objects(odd))
}

// writeBody writes a body file.
func (o *timelineOptions) writeBody(ctx context.Context, e *env, v *opened, t *timeline.Timeline) error {
	return o.output.to(ctx, e, v, func(w io.Writer, _ bool) error {
		out := bufio.NewWriterSize(w, 64<<10)
		var line []byte
		for r := range o.filter(t.Files()) {
			line = appendBody(line[:0], r)
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

// appendBody appends a line of a body file: MD5|name|inode|mode_as_string|UID|GID|size|atime|
// mtime|ctime|crtime, as The Sleuth Kit 3.x has it. What would break the line is escaped,
// "|" and newlines among it. Deletion has no field there, and is told by the name.
func appendBody(dst []byte, r *timeline.Row) []byte {
	name := report.Printable(r.Path)
	if r.Mode&layout.ModeMask == layout.ModeSymlink && r.Target != nil {
		name += " -> " + report.Printable(r.Target)
	}
	switch r.State {
	case timeline.Gone, timeline.Orphan:
		name += " (deleted)"
	case timeline.Version:
		name += " (" + r.Source + ")"
	}
	name = strings.ReplaceAll(name, "|", `\x7c`)
	letter := bodyLetters[r.Mode>>12]
	seconds := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.Unix()
	}
	mode := modeLetters(r.Mode)
	return fmt.Appendf(dst, "0|%s|%d|%c/%c%s|%d|%d|%d|%d|%d|%d|%d\n", name, r.Ino, letter, letter, mode[1:], r.UID, r.GID, r.Size,
		seconds(r.Times[1]), seconds(r.Times[0]), seconds(r.Times[2]), seconds(r.Times[3]))
}

// bodyLetters are The Sleuth Kit's letters for types, by the high bits of i_mode.
var bodyLetters = [16]byte{0: '-', 1: 'p', 2: 'c', 3: '-', 4: 'd', 5: '-', 6: 'b', 7: '-', 8: 'r', 9: '-', 10: 'l', 11: '-', 12: 's', 13: '-', 14: '-', 15: '-'}
