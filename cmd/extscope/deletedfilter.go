package main

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

// A deletedFilter picks deleted files.
type deletedFilter struct {
	paths, grades, types []string
	since, until         string
}

func (d *deletedFilter) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&d.paths, "path", nil, "only files whose path matches this `GLOB`, in which * stands for / too")
	f.StringSliceVar(&d.grades, "grade", nil, "only files of these `GRADES`")
	f.StringSliceVar(&d.types, "type", nil, "only these `TYPES`: file, directory, symlink, …")
	f.StringVar(&d.since, "since", "", "only what was deleted at `TIME` or later")
	f.StringVar(&d.until, "until", "", "only what was deleted at `TIME` or before")
}

// filter makes the test.
func (d *deletedFilter) filter() (func(*undelete.Candidate) bool, error) {
	for _, g := range d.grades {
		if !slices.Contains(undelete.Grades(), undelete.Grade(g)) {
			return nil, usagef("--grade: there is no grade %q", g)
		}
	}
	var since, until time.Time
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", d.since, &since}, {"until", d.until, &until}} {
		if t.text == "" {
			continue
		}
		v, ok := history.ParseTime(t.text)
		if !ok {
			return nil, usagef("--%s: %q is no time like 2026-01-31T12:00:00", t.flag, t.text)
		}
		*t.to = v
	}
	return func(c *undelete.Candidate) bool {
		switch {
		case d.grades != nil && !slices.Contains(d.grades, string(c.Grade)),
			d.types != nil && !slices.Contains(d.types, typeWord(c.Type)),
			!since.IsZero() && c.DeletedAt.Before(since),
			!until.IsZero() && (c.DeletedAt.IsZero() || c.DeletedAt.After(until)):
			return false
		}
		return d.paths == nil || slices.ContainsFunc(d.paths, func(g string) bool { return d.match(g, c) })
	}, nil
}

func (d *deletedFilter) match(pattern string, c *undelete.Candidate) bool {
	for _, p := range append([][]byte{c.Place()}, c.Others...) {
		if g := (glob{[]byte(pattern), false}); p != nil && (g.match(p) || g.match([]byte(report.Printable(p)))) {
			return true
		}
	}
	return false
}
