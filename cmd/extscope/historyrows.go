package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/report"
)

// versionColumns are those of the versions of an inode; names of a directory show
// where one of them is.
func versionColumns(versions []history.InodeVersion) []report.Column {
	dirs := slices.ContainsFunc(versions, func(v history.InodeVersion) bool { return v.In.IsDir() })
	return []report.Column{
		{Key: "version", Title: "SEQUENCE", Right: true},
		{Key: "commit_time", Title: "COMMITTED"},
		{Key: "generation", Title: "GENERATION", Right: true},
		{Key: "mode_letters", Title: "MODE"},
		{Key: "links", Title: "LINKS", Right: true},
		{Key: "uid", Title: "UID", Right: true},
		{Key: "gid", Title: "GID", Right: true},
		{Key: "size", Title: "SIZE", Right: true},
		{Key: "mtime", Title: "MODIFIED"},
		{Key: "changed_words", Title: "CHANGED"},
		{Key: "names", Title: "NAMES", Data: !dirs},
		{Key: "inode", Data: true},
		{Key: "sequence", Data: true},
		{Key: "last_sequence", Data: true},
		{Key: "fast_commit", Data: true},
		{Key: "source", Data: true},
		{Key: "state", Data: true},
		{Key: "type", Data: true},
		{Key: "mode", Data: true},
		{Key: "atime", Data: true},
		{Key: "ctime", Data: true},
		{Key: "crtime", Data: true},
		{Key: "dtime", Data: true},
		{Key: "flags", Data: true},
		{Key: "file_acl", Data: true},
		{Key: "target", Data: true, Name: true},
		{Key: "runs", Data: true},
		{Key: "changed", Data: true},
		{Key: "deleted", Data: true},
		{Key: "now", Data: true},
		{Key: "names_added", Data: true},
		{Key: "names_removed", Data: true},
		{Key: "names_known", Data: true},
		{Key: "checksum_ok", Data: true},
		{Key: "log_block", Data: true},
		{Key: "offset", Data: true},
	}
}

func versionRows(ctx context.Context, l *history.Log, versions []history.InodeVersion) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for i := range versions {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			var before *history.InodeVersion
			if i > 0 {
				before = &versions[i-1]
			}
			if !yield(versionRow(l, before, &versions[i]), nil) {
				return
			}
		}
	}
}

func versionRow(l *history.Log, before, v *history.InodeVersion) report.Row {
	in := v.In
	now := v.Source == history.FromNow
	var names []history.NameChange
	known := false
	if before != nil {
		names, known = l.NameChanges(before, v)
	}
	added, removed := nameLists(names)
	dtime := report.Null()
	if in.Links == 0 && in.Dtime != 0 {
		dtime = report.Time(in.DtimeTime())
	}
	symlink := report.Null()
	if b, ok := l.Target(v); ok {
		symlink = report.Name(b)
	}
	source := report.Str(v.Source.String())
	return report.Row{
		report.Str(versionName(v)), report.Time(v.Time), report.Uint(uint64(in.Generation)), report.Str(modeLetters(in.Mode)),
		report.Uint(uint64(in.Links)), report.Uint(uint64(in.UID)), report.Uint(uint64(in.GID)), report.Size(in.Size()), report.Time(in.Mtime),
		report.Str(changedWords(before, v)), report.Str(nameWords(names)),
		report.Uint(uint64(in.Ino)), number(uint64(v.Sequence), !now), number(uint64(v.Last), !now), number(uint64(v.Fast), v.Fast != 0), source,
		report.Str(v.State.String()), report.Str(typeWord(in.Mode)), report.Mode(in.Mode),
		report.Time(in.Atime), report.Time(in.Ctime), report.Time(in.Crtime), dtime, strs(in.Flags.Names()),
		number(uint64(in.FileACL), in.FileACL != 0), symlink, versionRuns(l.FS, in), strs(v.Changed.Names()),
		report.Bool(v.Deleted()), report.Bool(v.Now), added, removed, report.Bool(known), report.Bool(in.ChecksumOK),
		number(uint64(v.Log), !now), report.Int(v.Offset),
	}
}

// versionName names a version by its transaction, and a fast commit by its place ahead
// of one.
func versionName(v *history.InodeVersion) string {
	switch v.Source {
	case history.FromNow:
		return "now"
	case history.FromFast:
		return fmt.Sprintf("%d+%d", v.Sequence-1, v.Fast)
	}
	return fmt.Sprint(v.Sequence)
}

func changedWords(before, v *history.InodeVersion) string {
	var words []string
	switch {
	case before == nil:
		words = append(words, "oldest known")
	case v.Created() && v.Deleted():
		words = append(words, "another file, deleted")
	case before.Deleted() && !v.Deleted() || v.Created():
		words = append(words, "created")
	case !before.Deleted() && v.Deleted():
		words = append(words, "deleted")
	}
	if before != nil && !v.Created() && !slices.Contains(words, "created") {
		words = append(words, (v.Changed &^ (ext.FieldVersion | ext.FieldDtime)).Names()...)
	}
	text := strings.Join(words, ", ")
	if v.Now && v.Source != history.FromNow {
		text += " (as it is now)"
	}
	return text
}

// maxNameWords bounds the names of a line of the table.
const maxNameWords = 8

func nameWords(list []history.NameChange) string {
	var words []string
	for i, n := range list {
		if i == maxNameWords {
			words = append(words, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		sign := "+"
		if n.Removed {
			sign = "-"
		}
		words = append(words, sign+report.Printable(n.Name))
	}
	return strings.Join(words, " ")
}

func nameLists(list []history.NameChange) (added, removed report.Value) {
	a, r := []report.Value{}, []report.Value{}
	for _, n := range list {
		if n.Removed {
			r = append(r, report.Name(n.Name))
		} else {
			a = append(a, report.Name(n.Name))
		}
	}
	return report.List(a), report.List(r)
}

// versionRuns are the runs that a version's own i_block maps: nodes further down may
// be another file's by now.
func versionRuns(f *ext.FS, in *ext.Inode) report.Value {
	if !f.HasMap(in) || !f.ShallowMap(in) {
		return report.Null()
	}
	var runs []report.Fields
	for r, err := range f.EveryRun(in) {
		if err == nil {
			runs = append(runs, runFields(r))
		}
	}
	return report.Objects(runs)
}
