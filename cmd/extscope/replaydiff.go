package main

import (
	"context"

	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/report"
)

// replayDiff lists what differs between the home blocks and the view after replay.
func (o *auditOptions) replayDiff(ctx context.Context, e *env, v *opened) error {
	if o.noReplay {
		return usagef("--replay-diff compares with what --no-replay leaves out")
	}
	var changes uint64
	table := &report.Table{Key: "differences", Columns: []report.Column{
		{Key: "kind", Title: "KIND"},
		{Key: "inode", Title: "INODE", Right: true},
		{Key: "type", Title: "TYPE"},
		{Key: "fields", Title: "FIELDS"},
		{Key: "home_path", Title: "BEFORE", Name: true},
		{Key: "replayed_path", Title: "AFTER REPLAY", Name: true},
		{Key: "dir", Data: true},
	}, Rows: func(yield func(report.Row, error) bool) {
		for c, err := range replay.Diff(ctx, v.view) {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			changes++
			row := report.Row{
				report.Str(c.Kind.String()), report.Uint(uint64(c.Ino)), report.Str(typeWord(c.Type)), strs(c.Fields.Names()),
				path(c.Home), path(c.Replayed), number(uint64(c.Dir), c.Dir != 0),
			}
			if !yield(row, nil) {
				return
			}
		}
	}}
	return o.write(ctx, e, v, &report.Report{
		Tables: []*report.Table{table},
		Summary: func() report.Fields {
			return report.Fields{
				{Key: "differences", Value: report.Uint(changes)},
				{Key: "transactions", Value: report.Uint(uint64(v.view.Transactions))},
				{Key: "fast_commits", Value: report.Uint(uint64(v.view.FastCommits))},
			}
		},
	})
}
