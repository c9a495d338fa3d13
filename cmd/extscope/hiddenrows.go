package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/hidden"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/report"
)

// hiddenHelp explains --hidden.
func hiddenHelp() string {
	var names []string
	for _, k := range hidden.Kinds() {
		names = append(names, string(k))
	}
	return `--hidden lists the places that can hold bytes no file shows, those that are not all
zeros, with how many bytes are not; --zeros lists the others too. They are
` + wrap(strings.Join(names, ", "), 80) + `.
"blocks --range" and "cat --slack" write out what they hold.`
}

// wrap breaks a list at commas.
func wrap(text string, width int) string {
	var b strings.Builder
	line := 0
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
		case line+1+len(word) > width:
			b.WriteByte('\n')
			line = 0
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += len(word)
	}
	return b.String()
}

// listHidden lists the places where bytes can be hidden.
func (o *auditOptions) listHidden(ctx context.Context, e *env, v *opened) error {
	p := o.progress(e, "audit")
	r, err := hidden.Find(ctx, v.fs, hidden.Options{Zeros: o.zeros, Progress: p.set})
	p.end()
	if err != nil {
		return err
	}
	for _, err := range r.Unreadable {
		e.damage(err)
	}
	if r.More > 0 {
		e.damage(fmt.Errorf("and %d more places that could not be read", r.More))
	}
	names, err := o.hiddenNames(ctx, e, v, r.Places)
	if err != nil {
		return err
	}
	return o.write(ctx, e, v, &report.Report{
		Tables:  []*report.Table{hiddenTable(v.fs, r.Places, names), checkedTable(r)},
		Summary: func() report.Fields { return hiddenSummary(r) },
	})
}

// hiddenNames surveys the names of the inodes that hide something, nil for none.
func (o *auditOptions) hiddenNames(ctx context.Context, e *env, v *opened, places []hidden.Place) (*links.Names, error) {
	var want []ext.Ino
	for _, p := range places {
		if p.Ino != 0 && p.Ino != layout.RootIno && !v.fs.Reserved(p.Ino) {
			want = append(want, p.Ino)
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	p := o.progress(e, "names")
	defer p.end()
	return v.names(ctx, want, p)
}

func hiddenTable(f *ext.FS, places []hidden.Place, names *links.Names) *report.Table {
	return &report.Table{Key: "hidden", Columns: []report.Column{
		{Key: "kind", Title: "KIND"},
		{Key: "block", Title: "BLOCK", Right: true},
		{Key: "offset", Title: "BYTE", Right: true},
		{Key: "size", Title: "SIZE", Right: true},
		{Key: "not_zero", Title: "NOT ZERO", Right: true},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "path", Title: "PATH", Name: true},
		{Key: "zeros", Data: true},
	}, Rows: func(yield func(report.Row, error) bool) {
		for _, p := range places {
			row := report.Row{
				report.Str(string(p.Kind)), report.Uint(uint64(p.Offset) / uint64(f.BlockSize())), report.Int(p.Offset), report.Size(uint64(p.Len)),
				report.Uint(uint64(p.NotZero)), number(uint64(p.Ino), p.Ino != 0), path(hiddenPath(names, p.Ino)), report.Bool(p.NotZero == 0),
			}
			if !yield(row, nil) {
				return
			}
		}
	}}
}

func hiddenPath(names *links.Names, ino ext.Ino) []byte {
	switch {
	case ino == layout.RootIno:
		return []byte("/")
	case ino == 0 || names == nil:
		return nil
	}
	return names.First(ino)
}

// checkedTable has for each kind how many places were looked at, and how many bytes in
// them are not zero.
func checkedTable(r *hidden.Result) *report.Table {
	return &report.Table{Key: "checked", Columns: []report.Column{
		{Key: "kind", Title: "LOOKED AT"},
		{Key: "places", Title: "PLACES", Right: true},
		{Key: "bytes", Title: "SIZE", Right: true},
		{Key: "not_zero", Title: "NOT ZERO", Right: true},
	}, Rows: func(yield func(report.Row, error) bool) {
		for _, k := range hidden.Kinds() {
			if r.Checked[k] > 0 && !yield(report.Row{report.Str(string(k)), report.Uint(r.Checked[k]), report.Size(r.Bytes[k]), report.Uint(r.NotZero[k])}, nil) {
				return
			}
		}
	}}
}

func hiddenSummary(r *hidden.Result) report.Fields {
	total := uint64(0)
	for _, n := range r.NotZero {
		total += n
	}
	return report.Fields{{Key: "not_zero", Value: report.Uint(total)}}
}
