package links

import (
	"cmp"
	"errors"
	"sync/atomic"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// What a survey knows of all inodes, a word of 32 bits each, since there are millions, and
// since entries of directories, in no order, ask for all of it:
//
//	31-28  the file type, as in a mode
//	27     whether it is an ea_inode
//	26-23  i_links_count
//	22-19  directory entries that name the inode
//	18-0   the lowest-numbered directory that names it, by its place in dirs and 1 more
//
// Counts that are more than fit stand in pages. Of a directory the word has the type and
// its place in dirs, where all else stands: they are few. Several workers write while the
// survey runs.
type facts struct {
	words []uint32
	pages []atomic.Pointer[[pageInodes]counts]
	dirs  []dirFacts // by number, all that have the type, in use or not
	// parents is nil unless there are more directories than fit a word: what would stand
	// there stands here.
	parents []uint32
	parts   [][]dirFacts // by worker, until all are known
}

// counts are what does not fit a word.
type counts struct {
	stored  uint16 // where the word has countMost
	counted uint32 // what goes beyond countMost
}

// dirFacts is what is known of a directory.
type dirFacts struct {
	ino, parent Ino
	counted     uint32
	stored      uint16
	state       uint16
}

// State bits of a directory.
const (
	stateEncrypt  = 1 << iota // names are encrypted
	stateCasefold             // casefolded
	stateIndex                // indexed
	stateEA                   // also a value of xattrs
	stateMulti                // has more than one name
	stateReach                // the root reaches it
	stateSeen                 // scratch of the reachability walk
	stateLost                 // the root does not reach it
)

const (
	typeShift    = 28
	wordEA       = 1 << 27
	storedShift  = 23
	countedShift = 19
	countMost    = 1<<4 - 1
	parentMost   = 1<<19 - 1
	dirsMost     = 1 << typeShift

	pageInodes = 512
	modeShift  = 12 // of the file type in a mode

	isDirectory = layout.ModeDir >> modeShift
)

func newFacts(n, workers int) facts {
	return facts{words: make([]uint32, n), pages: make([]atomic.Pointer[[pageInodes]counts], n/pageInodes+1), parts: make([][]dirFacts, workers)}
}

var errTooManyDirs = errors.New("directory left out: there are too many")

// set enters what an inode itself says; states are of a directory, but for stateEA.
func (f *facts) set(w int, ino Ino, kind, state, links uint16) {
	word := uint32(kind>>modeShift) << typeShift
	if word>>typeShift == isDirectory {
		f.words[ino] = word
		f.parts[w] = ext.Push(f.parts[w], dirFacts{ino: ino, stored: links, state: state})
		return
	}
	if state&stateEA != 0 {
		word |= wordEA
	}
	if links >= countMost {
		f.many(ino).stored = links
		links = countMost
	}
	f.words[ino] = word | uint32(links)<<storedShift
}

// gather is called when all inodes are set, before any name is counted. Of more than most
// directories it gives those that there is no room for, and forgets them.
func (f *facts) gather(most int) (tooMany []dirFacts) {
	f.dirs = ext.SortParts(f.parts, func(a, b dirFacts) int { return cmp.Compare(a.ino, b.ino) })
	f.parts = nil
	if len(f.dirs) > most {
		f.dirs, tooMany = f.dirs[:most], f.dirs[most:]
		for _, d := range tooMany {
			f.words[d.ino] = 0
		}
	}
	for i, d := range f.dirs {
		f.words[d.ino] |= uint32(i)
	}
	if len(f.dirs) > parentMost {
		f.parents = make([]uint32, len(f.words))
	}
	return tooMany
}

// many gives the counts of an inode that do not fit its word.
func (f *facts) many(ino Ino) *counts {
	p := &f.pages[ino/pageInodes]
	page := p.Load()
	if page == nil {
		p.CompareAndSwap(nil, new([pageInodes]counts))
		page = p.Load()
	}
	return &page[ino%pageInodes]
}

// dir gives what is known of a directory, nil where the inode is none.
func (f *facts) dir(ino Ino) *dirFacts { return f.dirOf(atomic.LoadUint32(&f.words[ino])) }

func (f *facts) dirOf(word uint32) *dirFacts {
	if word>>typeShift != isDirectory {
		return nil
	}
	return &f.dirs[word%dirsMost]
}

// kind gives the file type of an inode, as in a mode.
func (f *facts) kind(ino Ino) uint16 {
	return wordKind(atomic.LoadUint32(&f.words[ino]))
}

func wordKind(word uint32) uint16 { return uint16(word>>typeShift) << modeShift }

// state gives the state bits of a directory, and of others whether they are an ea_inode.
func (f *facts) state(ino Ino) uint16 {
	word := atomic.LoadUint32(&f.words[ino])
	if d := f.dirOf(word); d != nil {
		return d.state
	}
	if word&wordEA != 0 {
		return stateEA
	}
	return 0
}

// linked reports whether an inode has a link count.
func (f *facts) linked(ino Ino) bool { return f.linkedBy(atomic.LoadUint32(&f.words[ino])) }

func (f *facts) linkedBy(word uint32) bool {
	if d := f.dirOf(word); d != nil {
		return d.stored != 0
	}
	return word>>storedShift&countMost != 0
}

// used gives the inodes of up to 64 words as bits: those that are linked, and the
// directories among them.
func (f *facts) used(words []uint32) (used, dirs uint64) {
	for i, word := range words {
		switch {
		case word>>typeShift == isDirectory:
			if f.dirs[word%dirsMost].stored != 0 {
				used |= 1 << i
				dirs |= 1 << i
			}
		case word>>storedShift&countMost != 0:
			used |= 1 << i
		}
	}
	return used, dirs
}

// links gives i_links_count.
func (f *facts) links(ino Ino) uint32 {
	word := atomic.LoadUint32(&f.words[ino])
	if d := f.dirOf(word); d != nil {
		return uint32(d.stored)
	}
	n := word >> storedShift & countMost
	if n == countMost {
		n = uint32(f.many(ino).stored)
	}
	return n
}

// names gives how many entries name an inode, "." and ".." included.
func (f *facts) names(ino Ino) uint32 {
	word := atomic.LoadUint32(&f.words[ino])
	if d := f.dirOf(word); d != nil {
		return atomic.LoadUint32(&d.counted)
	}
	n := word >> countedShift & countMost
	if n == countMost {
		n += atomic.LoadUint32(&f.many(ino).counted)
	}
	return n
}

// parent gives the lowest-numbered directory that names an inode, 0 for none.
func (f *facts) parent(ino Ino) Ino {
	word := atomic.LoadUint32(&f.words[ino])
	if d := f.dirOf(word); d != nil {
		return Ino(atomic.LoadUint32((*uint32)(&d.parent)))
	}
	place := word & parentMost
	if f.parents != nil {
		place = atomic.LoadUint32(&f.parents[ino])
	}
	return f.placed(place)
}

// placed gives the directory that stands at a place, as words have it.
func (f *facts) placed(place uint32) Ino {
	if place == 0 {
		return 0
	}
	return f.dirs[place-1].ino
}

// place is where a directory stands, as words have it; 0 for none.
func (f *facts) place(dir Ino) uint32 {
	if word := f.words[dir]; word>>typeShift == isDirectory {
		return word%dirsMost + 1
	}
	return 0
}

// count enters one entry that names an inode. Unless place is 0 it is also in the directory
// there, and what was known as the parent until then, 0 for none, is given back.
func (f *facts) count(ino Ino, place uint32) (parent Ino) {
	word := &f.words[ino]
	old := atomic.LoadUint32(word)
	if d := f.dirOf(old); d != nil {
		atomic.AddUint32(&d.counted, 1)
		return Ino(lower((*uint32)(&d.parent), uint32(f.placed(place))))
	}
	if f.parents != nil {
		parent, place = f.placed(lower(&f.parents[ino], place)), 0
	}
	for {
		now, was := old, old&parentMost
		if place != 0 && (was == 0 || place < was) {
			now += place - was
		}
		full := now>>countedShift&countMost == countMost
		if !full {
			now += 1 << countedShift
		}
		if now == old || atomic.CompareAndSwapUint32(word, old, now) {
			if full {
				atomic.AddUint32(&f.many(ino).counted, 1)
			}
			if f.parents != nil {
				return parent
			}
			return f.placed(was)
		}
		old = atomic.LoadUint32(word)
	}
}

// lower makes what is at p the lower of it and n, where 0 is none, and gives what was there.
func lower(p *uint32, n uint32) (was uint32) {
	for {
		was = atomic.LoadUint32(p)
		if n == 0 || was != 0 && was <= n || atomic.CompareAndSwapUint32(p, was, n) {
			return was
		}
	}
}

// plain reports whether an inode is nothing but what most are: not in use, or no directory,
// no value of an xattr, and of as many names as its link count says.
func (f *facts) plain(ino Ino) bool {
	word := f.words[ino]
	if word>>typeShift == isDirectory {
		return f.dirs[word%dirsMost].stored == 0
	}
	links, names := word>>storedShift&countMost, word>>countedShift&countMost
	switch {
	case links == 0:
		return true
	case links != names || links == countMost || word&wordEA != 0:
		return false
	case f.parents != nil:
		return f.parents[ino] != 0
	}
	return word&parentMost != 0
}

// mark sets state bits of a directory, and unmark clears them, once the survey is over.
func (f *facts) mark(ino Ino, state uint16) {
	if d := f.dir(ino); d != nil {
		d.state |= state
	}
}

func (f *facts) unmark(ino Ino, state uint16) {
	if d := f.dir(ino); d != nil {
		d.state &^= state
	}
}

// moveTo makes a directory the parent of another, likewise.
func (f *facts) moveTo(dir, parent Ino) {
	if d := f.dir(dir); d != nil {
		d.parent = parent
	}
}
