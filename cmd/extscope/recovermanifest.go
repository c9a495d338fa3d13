package main

import (
	"encoding/hex"
	"iter"
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

// A recoverSum counts what became of all.
type recoverSum struct {
	written, empty, directories, symlinks, links, listed, failed int
	bytes                                                        uint64
	grades                                                       map[undelete.Grade]int
}

func (p *recoverPlan) sum() recoverSum {
	s := recoverSum{grades: map[undelete.Grade]int{}}
	for i := range p.items {
		it := &p.items[i]
		s.grades[it.grade]++
		switch {
		case it.action == listIt:
			s.listed++
		case !it.done && !p.dryRun:
			s.failed++
			continue
		case it.action == makeFolder:
			s.directories++
		case it.action == writeLink:
			s.symlinks++
		case it.blank:
			s.empty++
		default:
			s.written++
			s.bytes += it.size
		}
		s.links += len(p.further(int32(i)))
		if p.unlinked(int32(i)) {
			s.failed++
		}
	}
	return s
}

// report is the manifest, or what it would be.
func (p *recoverPlan) report() *report.Report {
	common := []report.Column{{Key: "evidence", Data: true}, {Key: "deleted_at", Data: true}, {Key: "mode", Data: true}, {Key: "uid", Data: true},
		{Key: "gid", Data: true}, {Key: "mtime", Data: true}, {Key: "name", Data: true, Name: true}, {Key: "notes", Data: true}}
	files := append([]report.Column{
		{Key: "grade", Title: "GRADE", Style: gradeStyle}, {Key: "technique", Title: "TECHNIQUE"}, {Key: "type", Title: "TYPE"},
		{Key: "size", Title: "SIZE", Right: true}, {Key: "inode", Title: "INODE", Right: true}, {Key: "output", Title: "OUTPUT", Name: true},
		{Key: "path", Title: "PATH", Name: true}, {Key: "generation", Data: true}, {Key: "sha256", Data: true}, {Key: "coverage", Data: true},
		{Key: "target", Data: true, Name: true}, {Key: "other_paths", Data: true}}, common...)
	files = append(files, report.Column{Key: "links", Data: true})
	folders := append([]report.Column{{Key: "grade", Title: "GRADE", Style: gradeStyle}, {Key: "technique", Title: "TECHNIQUE"},
		{Key: "inode", Title: "INODE", Right: true}, {Key: "output", Title: "OUTPUT", Name: true}, {Key: "path", Title: "PATH", Name: true},
		{Key: "generation", Data: true}}, common...)
	return &report.Report{Tables: []*report.Table{
		{Key: "files", Columns: files, Rows: p.rows(false, p.fileRow)},
		{Key: "directories", Columns: folders, Rows: p.rows(true, p.folderRow)},
	}, Summary: p.summary}
}

// rows gives the rows of folders, or of all else.
func (p *recoverPlan) rows(folders bool, row func(int32) report.Row) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for _, r := range ext.InOrder(len(p.items), func(i int) report.Row {
			if p.items[i].folder != folders {
				return nil
			}
			return row(int32(i))
		}) {
			if r != nil && !yield(r, nil) {
				return
			}
		}
	}
}

func (p *recoverPlan) summary() report.Fields {
	s := p.sum()
	stopped := report.Null()
	if p.stopped != "" {
		stopped = report.Str(p.stopped)
	}
	var f report.Fields
	if !p.dryRun {
		f = report.Fields{{Key: "complete", Value: report.Bool(s.failed == 0)}, {Key: "stopped", Value: stopped}}
	}
	f = append(f, p.was.fields()...)
	f = append(f, report.Fields{
		{Key: "written", Value: report.Int(int64(s.written))}, {Key: "bytes", Value: report.Size(s.bytes)},
		{Key: "empty", Value: report.Int(int64(s.empty))}, {Key: "directories", Value: report.Int(int64(s.directories))},
		{Key: "symlinks", Value: report.Int(int64(s.symlinks))}, {Key: "links", Value: report.Int(int64(s.links))}, {Key: "without_output", Value: report.Int(int64(s.listed))},
		{Key: "not_written", Value: report.Int(int64(s.failed))},
	}...)
	for _, g := range undelete.Grades() {
		f = append(f, report.Field{Key: string(g), Value: report.Int(int64(s.grades[g]))})
	}
	return f
}

// outcome gives output, size and sum of an item.
func (p *recoverPlan) outcome(n int32, c *undelete.Candidate) (output, size, sum report.Value) {
	it := &p.items[n]
	output, size, sum = report.Null(), report.Size(c.Size), report.Null()
	switch {
	case it.done:
		output = report.Name([]byte(p.written(n)))
		size = report.Size(it.size)
		if s := p.sums[n]; s != [32]byte{} {
			sum = report.Str(hex.EncodeToString(s[:]))
		}
	case p.dryRun && it.action != listIt:
		output = report.Name([]byte(it.output))
		if it.action == writeFile {
			size = report.Size(it.size)
		}
	}
	return output, size, sum
}

// rowCells is how many cells the longest row has.
const rowCells = 21

func (p *recoverPlan) fileRow(n int32) report.Row {
	c := p.result.At(int(p.items[n].place))
	output, size, sum := p.outcome(n, c)
	row := append(make(report.Row, 0, rowCells),
		report.Str(string(c.Grade)), report.Str(string(c.Technique)), report.Str(typeWord(c.Type)), size, number(uint64(c.Ino), c.Ino != 0),
		output, path(c.Place()), number(uint64(c.Gen), c.Ino != 0), sum,
		coverageOf(c),
		path(c.Target), pathList(c.Others))
	return append(p.commonCells(row, n, c), p.linkList(n))
}

func (p *recoverPlan) folderRow(n int32) report.Row {
	c := p.result.At(int(p.items[n].place))
	output, _, _ := p.outcome(n, c)
	row := append(make(report.Row, 0, rowCells),
		report.Str(string(c.Grade)), report.Str(string(c.Technique)), number(uint64(c.Ino), c.Ino != 0),
		output, path(c.Place()), number(uint64(c.Gen), c.Ino != 0))
	return p.commonCells(row, n, c)
}

// commonCells appends what files and folders both have.
func (p *recoverPlan) commonCells(row report.Row, n int32, c *undelete.Candidate) report.Row {
	mtime, mode, uid, gid := report.Null(), report.Null(), report.Null(), report.Null()
	if c.In != nil {
		mtime, mode, uid, gid = report.Time(c.In.Mtime), report.Mode(c.In.Mode), report.Uint(uint64(c.In.UID)), report.Uint(uint64(c.In.GID))
	}
	return append(row, report.Str(strings.Join(c.Evidence, "; ")), report.Time(c.DeletedAt), mode, uid, gid, mtime, nameOf(c), strs(p.allNotes(n)))
}

// linkList are the further names that a file was, or would be, given.
func (p *recoverPlan) linkList(n int32) report.Value {
	var names [][]byte
	for _, output := range p.further(n) {
		names = append(names, []byte(output))
	}
	return pathList(names)
}

// further are the further names of item n: those given, or of a dry run those to be given.
func (p *recoverPlan) further(n int32) []string {
	if p.dryRun {
		return p.links[n]
	}
	return p.linked[n]
}

// unlinked reports whether a file was written and the run ended before its further names.
func (p *recoverPlan) unlinked(n int32) bool {
	return !p.dryRun && p.items[n].done && p.links[n] != nil && !p.items[n].linked
}

// nameOf is the last part of a candidate's path.
func nameOf(c *undelete.Candidate) report.Value {
	switch {
	case c.Name != nil:
		return report.Name(c.Name)
	case c.Path != nil:
		return report.Name(c.Path[strings.LastIndexByte(string(c.Path), '/')+1:])
	}
	return report.Null()
}
