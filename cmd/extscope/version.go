package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/report"
)

type versionOptions struct{ output }

func newVersionCmd(e *env) *cobra.Command {
	o := &versionOptions{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the Go version and the build",
		Long: `Version prints which extscope this is: the module's version or "devel", the
commit it was built from, the Go version and the platform.`,
		Example: `  extscope version
  extscope version -f json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), e) },
	}
	o.output.addFlags(cmd)
	return cmd
}

func (o *versionOptions) run(ctx context.Context, e *env) error {
	info, _ := debug.ReadBuildInfo() // nil where there is none
	b := buildOf(info)
	r := &report.Report{Text: b.text}
	if o.format == string(report.JSON) {
		r.Head = []report.Section{{Key: "version", Fields: b.fields()}}
	} else {
		t := &report.Table{Key: "version"}
		var row report.Row
		for _, f := range b.fields() {
			t.Columns = append(t.Columns, report.Column{Key: f.Key, Title: f.Key})
			row = append(row, f.Value)
		}
		t.Rows = func(yield func(report.Row, error) bool) { yield(row, nil) }
		r.Tables = []*report.Table{t}
	}
	return o.write(ctx, e, nil, r)
}

// A build is what the linker noted of the program.
type build struct {
	version  string
	revision string // commit, "" if unknown
	time     string // of that commit
	modified bool   // there were changes beyond it
}

func buildOf(info *debug.BuildInfo) build {
	b := build{version: "devel"}
	if info == nil {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.time":
			b.time = s.Value
		case "vcs.modified":
			b.modified = s.Value == "true"
		}
	}
	return b
}

func (b build) fields() report.Fields {
	revision, at := report.Null(), report.Null()
	if b.revision != "" {
		revision = report.Str(b.revision)
	}
	if t, err := time.Parse(time.RFC3339, b.time); err == nil {
		at = report.Time(t)
	}
	return report.Fields{
		{Key: "version", Value: report.Str(b.version)},
		{Key: "revision", Value: revision},
		{Key: "revision_time", Value: at},
		{Key: "modified", Value: report.Bool(b.modified)},
		{Key: "go", Value: report.Str(runtime.Version())},
		{Key: "platform", Value: report.Str(runtime.GOOS + "/" + runtime.GOARCH)},
	}
}

func (b build) text(w io.Writer) error {
	commit := ""
	if b.revision != "" {
		commit = fmt.Sprintf(" (commit %.12s", b.revision)
		if b.modified {
			commit += ", modified"
		}
		commit += ")"
	}
	_, err := fmt.Fprintf(w, "extscope %s%s\n%s %s/%s\n", b.version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
