package main

import (
	"fmt"
	"strings"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

const (
	manifestName = "manifest.json"
	journalName  = ".extscope-recover.ndjson"
)

// An action is what is done about one of the files that were picked.
type action uint8

const (
	listIt action = iota // in the manifest only
	writeFile
	writeLink
	makeFolder
)

// A recoverItem is one of the files that were picked.
type recoverItem struct {
	job    undelete.Job
	action action
	notes  []string
	done   *undelete.Restored // nil while it is not written
	failed bool
	kept   bool // by an earlier run
}

// A recoverPlan says what becomes of all that were picked.
type recoverPlan struct {
	items   []recoverItem
	result  *undelete.Result
	placing *undelete.Placement
	dryRun  bool
	told    bool   // the manifest was written
	stopped string // why it ended early
}

// plan works out what to write, and where. It goes by the evidence and the flags only,
// so that the same call gives the same names.
func (o *recoverOptions) plan(r *undelete.Result, picked []*undelete.Candidate) *recoverPlan {
	var placed []*undelete.Candidate
	actions := make([]action, len(picked))
	for i, c := range picked {
		if actions[i] = o.action(c); actions[i] != listIt {
			placed = append(placed, c)
		}
	}
	p := &recoverPlan{items: make([]recoverItem, len(picked)), result: r, dryRun: o.dryRun}
	p.placing = undelete.NewPlacement(placed, manifestName, journalName)
	keys, folders, index := map[string]int{}, map[string]*recoverItem{}, map[*undelete.Candidate]*recoverItem{}
	for i, c := range picked {
		it := &p.items[i]
		index[c] = it
		it.action, it.job.Candidate, it.job.Key = actions[i], c, c.Key()
		if keys[it.job.Key]++; keys[it.job.Key] > 1 {
			it.job.Key += fmt.Sprintf("-%d", keys[it.job.Key])
		}
		if it.action == makeFolder {
			it.job.Output = p.placing.Directory(c)
			if other := folders[it.job.Output]; other != nil {
				it.note("the same folder as inode %d", other.job.Candidate.Ino)
				other.note("the same folder as inode %d", c.Ino)
			}
			folders[it.job.Output] = it
		}
	}
	for i := range p.items {
		it := &p.items[i]
		c := it.job.Candidate
		switch it.action {
		case writeFile:
			it.job.Contents = r.Contents(c, o.reused)
			it.contentNotes()
		case writeLink:
		default:
			continue
		}
		var other *undelete.Candidate
		it.job.Output, other = p.placing.File(c)
		if o := index[other]; other != nil && o != it {
			it.note("its name was taken by inode %d, written to %s", other.Ino, o.job.Output)
			o.note("inode %d had this name too, written to %s", c.Ino, it.job.Output)
		}
	}
	return p
}

// action says what can be done about a candidate.
func (o *recoverOptions) action(c *undelete.Candidate) action {
	switch {
	case c.Type == layout.ModeDir && c.Path != nil && c.Grade != undelete.Listed:
		return makeFolder
	case c.Type == layout.ModeRegular && c.Recoverable():
		return writeFile
	case c.Type == layout.ModeSymlink && c.Recoverable() && len(c.Target) > 0 && o.symlinks:
		return writeLink
	}
	return listIt
}

// maxNotes bounds what is told of one file.
const maxNotes = 16

func (it *recoverItem) note(format string, args ...any) {
	if len(it.notes) < maxNotes {
		it.notes = append(it.notes, fmt.Sprintf(format, args...))
	}
}

func (it *recoverItem) contentNotes() {
	c, what := it.job.Candidate, &it.job.Contents
	if what.Left > 0 {
		it.note("%s left out: something else uses them by now", plural(what.Left, "block", "blocks"))
	}
	if what.Cut {
		it.note("cut at the last block that is mapped; its size was %d", c.Size)
	}
	if what.Size == 0 && !c.SizeKnown {
		it.note("its size is not known, and nothing of it is mapped")
	}
}

// empty reports whether a file is written without contents though it may have had some.
func (it *recoverItem) empty() bool {
	return it.job.Contents.Size == 0 && !(it.job.Candidate.SizeKnown && it.job.Candidate.Size == 0)
}

// allNotes are the notes of the plan and of the writing.
func (it *recoverItem) allNotes() []string {
	notes := it.notes
	if it.done != nil {
		notes = append(notes[:len(notes):len(notes)], it.done.Notes...)
		if it.done.Err != nil {
			notes = append(notes, "unreadable, zeros in its place: "+it.done.Err.Error())
		}
	}
	return notes
}

// A recoverSum counts what became of all.
type recoverSum struct {
	written, empty, directories, symlinks, listed, failed int
	bytes                                                 uint64
	grades                                                map[undelete.Grade]int
}

func (p *recoverPlan) sum() recoverSum {
	s := recoverSum{grades: map[undelete.Grade]int{}}
	for i := range p.items {
		it := &p.items[i]
		s.grades[it.job.Candidate.Grade]++
		switch {
		case it.action == listIt:
			s.listed++
		case it.done == nil && !p.dryRun:
			s.failed++
		case it.action == makeFolder:
			s.directories++
		case it.action == writeLink:
			s.symlinks++
		case it.empty():
			s.empty++
		default:
			s.written++
			s.bytes += it.job.Contents.Size
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
		{Key: "target", Data: true, Name: true}}, common...)
	folders := append([]report.Column{{Key: "grade", Title: "GRADE", Style: gradeStyle}, {Key: "technique", Title: "TECHNIQUE"},
		{Key: "inode", Title: "INODE", Right: true}, {Key: "output", Title: "OUTPUT", Name: true}, {Key: "path", Title: "PATH", Name: true},
		{Key: "generation", Data: true}}, common...)
	rows := func(folders bool, row func(*recoverItem) report.Row) func(func(report.Row, error) bool) {
		return func(yield func(report.Row, error) bool) {
			for i := range p.items {
				if it := &p.items[i]; (it.job.Candidate.Type == layout.ModeDir) == folders && !yield(row(it), nil) {
					return
				}
			}
		}
	}
	return &report.Report{Tables: []*report.Table{
		{Key: "files", Columns: files, Rows: rows(false, p.fileRow)},
		{Key: "directories", Columns: folders, Rows: rows(true, p.folderRow)},
	}, Summary: p.summary}
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
	f = append(f, report.Fields{
		{Key: "written", Value: report.Int(int64(s.written))}, {Key: "bytes", Value: report.Size(s.bytes)},
		{Key: "empty", Value: report.Int(int64(s.empty))}, {Key: "directories", Value: report.Int(int64(s.directories))},
		{Key: "symlinks", Value: report.Int(int64(s.symlinks))}, {Key: "without_output", Value: report.Int(int64(s.listed))},
		{Key: "not_written", Value: report.Int(int64(s.failed))},
	}...)
	for _, g := range undelete.Grades() {
		f = append(f, report.Field{Key: string(g), Value: report.Int(int64(s.grades[g]))})
	}
	return f
}

// outcome gives output, size and sum of an item.
func (p *recoverPlan) outcome(it *recoverItem) (output, size, sum report.Value) {
	output, size, sum = report.Null(), report.Size(it.job.Candidate.Size), report.Null()
	switch {
	case it.done != nil:
		output = report.Name([]byte(it.done.Output))
		size = report.Size(it.done.Size)
		if it.done.SHA256 != "" {
			sum = report.Str(it.done.SHA256)
		}
	case p.dryRun && it.action != listIt:
		output = report.Name([]byte(it.job.Output))
		if it.action == writeFile {
			size = report.Size(it.job.Contents.Size)
		}
	}
	return output, size, sum
}

func (p *recoverPlan) fileRow(it *recoverItem) report.Row {
	c := it.job.Candidate
	output, size, sum := p.outcome(it)
	v := &c.Coverage
	return append(report.Row{
		report.Str(string(c.Grade)), report.Str(string(c.Technique)), report.Str(typeWord(c.Type)), size, number(uint64(c.Ino), c.Ino != 0),
		output, path(c.Path), number(uint64(c.Gen), c.Ino != 0), sum,
		report.Object(report.Fields{
			{Key: "own", Value: report.Uint(v.Own)}, {Key: "free", Value: report.Uint(v.Free)}, {Key: "loose", Value: report.Uint(v.Loose)},
			{Key: "reused", Value: report.Uint(v.Reused)}, {Key: "lost", Value: report.Uint(v.Lost)},
		}),
		path(c.Target),
	}, commonCells(it)...)
}

func (p *recoverPlan) folderRow(it *recoverItem) report.Row {
	c := it.job.Candidate
	output, _, _ := p.outcome(it)
	return append(report.Row{
		report.Str(string(c.Grade)), report.Str(string(c.Technique)), number(uint64(c.Ino), c.Ino != 0),
		output, path(c.Path), number(uint64(c.Gen), c.Ino != 0),
	}, commonCells(it)...)
}

func commonCells(it *recoverItem) report.Row {
	c := it.job.Candidate
	mtime, mode, uid, gid := report.Null(), report.Null(), report.Null(), report.Null()
	if c.In != nil {
		mtime, mode, uid, gid = report.Time(c.In.Mtime), report.Mode(c.In.Mode), report.Uint(uint64(c.In.UID)), report.Uint(uint64(c.In.GID))
	}
	return report.Row{report.Str(strings.Join(c.Evidence, "; ")), report.Time(c.DeletedAt), mode, uid, gid, mtime, nameOf(c), strs(it.allNotes())}
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
