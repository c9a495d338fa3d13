package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/extscope/extscope/ext"
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

// A recoverItem is one of the files that were picked. There may be millions.
type recoverItem struct {
	place  int32 // of the candidate
	twin   int32 // how many before it have the same key
	key    [16]byte
	output string         // where it is to be written
	size   uint64         // of what is written
	data   uint64         // bytes of that which are read
	first  undelete.Block // where they begin on the disk
	grade  undelete.Grade
	action action
	folder bool // it was a directory
	blank  bool // it is written without contents though it may have had some
	done   bool // it is written
	linked bool // its further names were seen to
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
	reused  bool
	told    bool   // the manifest was written
	stopped string // why it ended early

	mu   sync.Mutex
	sums [][32]byte // of what was written, in full; zeros for none
	// Of few items, by number: what is told of them, what writing them told, and where
	// they were written, if not where they were to be.
	notes, after map[int32][]string
	moved        map[int32]string
	links        map[int32][]string // where their further names are to go
	linked       map[int32][]string // and where they went
}

// plan works out what to write, and where. It goes by the evidence and the flags only,
// so that the same call gives the same names.
func (o *recoverOptions) plan(r *undelete.Result, picked []int32) *recoverPlan {
	p := &recoverPlan{items: make([]recoverItem, len(picked)), result: r, dryRun: o.dryRun, reused: o.reused,
		notes: map[int32][]string{}, after: map[int32][]string{}, moved: map[int32]string{}, links: map[int32][]string{}, linked: map[int32][]string{}}
	if !o.dryRun {
		p.sums = make([][32]byte, len(picked))
	}
	keys, folders := map[[16]byte]int32{}, map[string]int32{}
	onCores(len(picked), func(n int) {
		it, c := &p.items[n], r.Outline(int(picked[n]))
		it.place, it.action, it.grade, it.folder, it.key = picked[n], o.action(c), c.Grade, c.Type == layout.ModeDir, c.Key()
	})
	for n := range p.items {
		it := &p.items[n]
		it.twin = keys[it.key]
		keys[it.key]++
	}
	p.placing = undelete.NewPlacement(func(yield func(*undelete.Candidate) bool) {
		for _, c := range p.outlines(func(a action) bool { return a != listIt }) {
			if !yield(c) {
				return
			}
		}
	}, manifestName, journalName)
	for k := range p.items {
		it, n := &p.items[k], int32(k)
		if it.action != makeFolder {
			continue
		}
		c := r.Outline(int(it.place))
		it.output = p.placing.Directory(c)
		if other, there := folders[it.output]; there {
			p.note(n, "the same folder as inode %d", p.outline(other).Ino)
			p.note(other, "the same folder as inode %d", c.Ino)
		}
		folders[it.output] = n
	}
	var several []int32 // files of more names than one
	for k, c := range p.outlines(func(a action) bool { return a == writeFile || a == writeLink }) {
		it, n := &p.items[k], int32(k)
		if it.action == writeFile {
			what := r.Contents(c, o.reused)
			it.size, it.data, it.blank = what.Size, what.Data, what.Size == 0 && !(c.SizeKnown && c.Size == 0)
			if len(what.Runs) > 0 {
				it.first = what.Runs[0].Physical
			}
			p.contentNotes(n, c, &what)
			if len(c.HardLinks()) > 0 {
				several = append(several, n)
			}
		}
		var other int32
		if it.output, other = p.placing.File(c, n); other >= 0 && other != n {
			p.note(n, "its name was taken by inode %d, written to %s", p.outline(other).Ino, p.items[other].output)
			p.note(other, "inode %d had this name too, written to %s", c.Ino, it.output)
		}
	}
	for _, n := range several { // once all files have theirs
		c := p.outline(n)
		for _, other := range c.HardLinks() {
			p.links[n] = append(p.links[n], p.placing.Link(c, other, n))
		}
	}
	return p
}

// outlines gives the candidates of the items with some actions, and the items' numbers.
func (p *recoverPlan) outlines(with func(action) bool) iter.Seq2[int, *undelete.Candidate] {
	return func(yield func(int, *undelete.Candidate) bool) {
		for k, c := range ext.InOrder(len(p.items), func(i int) *undelete.Candidate {
			if !with(p.items[i].action) {
				return nil
			}
			return p.outline(int32(i))
		}) {
			if c != nil && !yield(k, c) {
				return
			}
		}
	}
}

// onCores does something for each of 0 to n-1, on all cores.
func onCores(n int, do func(i int)) {
	const batch = 64
	_ = ext.Parallel(context.Background(), (n+batch-1)/batch, func(int) func(int) { // nothing ends it
		return func(k int) {
			for i := k * batch; i < min((k+1)*batch, n); i++ {
				do(i)
			}
		}
	})
}

// outline gives the candidate of item n.
func (p *recoverPlan) outline(n int32) *undelete.Candidate {
	return p.result.Outline(int(p.items[n].place))
}

// job makes what is to be done about item n.
func (p *recoverPlan) job(n int32) *undelete.Job {
	it := &p.items[n]
	j := &undelete.Job{Candidate: p.result.At(int(it.place)), Output: it.output, Key: it.name()}
	if it.action == writeFile {
		p.mu.Lock()
		defer p.mu.Unlock()
		j.Contents = p.result.Contents(j.Candidate, p.reused)
	}
	return j
}

// name is what the item is known by in the journal.
func (it *recoverItem) name() string {
	name := hex.EncodeToString(it.key[:])
	if it.twin > 0 {
		name += fmt.Sprintf("-%d", it.twin+1)
	}
	return name
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

func (p *recoverPlan) note(n int32, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.notes[n]) < maxNotes {
		p.notes[n] = append(p.notes[n], fmt.Sprintf(format, args...))
	}
}

func (p *recoverPlan) contentNotes(n int32, c *undelete.Candidate, what *undelete.Contents) {
	if what.Left > 0 {
		p.note(n, "%s left out: something else uses them by now", plural(what.Left, "block", "blocks"))
	}
	if what.Same > 0 {
		p.note(n, "%s left out: mapped at another place of the file already", plural(what.Same, "block", "blocks"))
	}
	if what.Cut {
		p.note(n, "cut at the last block that is mapped; its size was %d", c.Size)
	}
	if what.Size == 0 && !c.SizeKnown {
		p.note(n, "its size is not known, and nothing of it is mapped")
	}
}

// finish notes what came of item n.
func (p *recoverPlan) finish(n int32, done *undelete.Restored) {
	p.mu.Lock()
	defer p.mu.Unlock()
	it := &p.items[n]
	it.done, it.size = true, done.Size
	if done.Output != it.output {
		p.moved[n] = done.Output
	}
	if sum, err := hex.DecodeString(done.SHA256); err == nil && len(sum) == len(p.sums[n]) {
		p.sums[n] = [32]byte(sum)
	}
	notes := done.Notes
	if done.Err != nil {
		notes = append(notes[:len(notes):len(notes)], "unreadable, zeros in its place: "+done.Err.Error())
	}
	if notes != nil {
		p.after[n] = notes
	}
}

// written gives where item n was written.
func (p *recoverPlan) written(n int32) string {
	if moved, is := p.moved[n]; is {
		return moved
	}
	return p.items[n].output
}

// allNotes are the notes of the plan and of the writing.
func (p *recoverPlan) allNotes(n int32) []string {
	return slices.Concat(p.notes[n], p.after[n])
}
