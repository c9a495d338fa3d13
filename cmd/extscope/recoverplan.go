package main

import (
	"fmt"

	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/undelete"
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
	was     *formerState
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
	case c.Type == layout.ModeDir && (c.Path != nil || c.Below != nil) && c.Grade != undelete.Listed:
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
	if what.Same > 0 {
		it.note("%s left out: mapped at another place of the file already", plural(what.Same, "block", "blocks"))
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
