package links

import (
	"sync"
	"sync/atomic"

	"github.com/extscope/extscope/ext/layout"
)

// What a survey knows of all inodes, a word of 64 bits each, since there are millions, and
// since entries of directories, in no order, ask for all of it:
//
//	63-60  the file type, as in a mode
//	59-51  state bits
//	50-42  i_links_count
//	41-32  directory entries that name the inode, "." and ".." included
//	31-0   the lowest-numbered directory that names it
//
// Counts that are more than fit stand in maps. Several workers write words while the
// survey runs.
type facts struct {
	words []uint64

	mu      sync.Mutex
	stored  map[Ino]uint16 // where the word has storedMost
	counted map[Ino]uint32 // what goes beyond countedMost
}

// State bits of an inode, beside its type in the high nibble.
const (
	stateEncrypt  = 1 << (iota + 3) // names or target are encrypted
	stateCasefold                   // a casefolded directory
	stateIndex                      // an indexed directory
	stateEA                         // an ea_inode: named by xattrs, not by directories
	stateInline                     // a directory kept in its inode
	stateMulti                      // a directory with more than one name
	stateReach                      // a directory that the root reaches
	stateSeen                       // scratch of the reachability walk
	stateLost                       // a directory that the root does not reach

	stateMask = 0xfff8
)

const (
	stateShift   = 48
	storedShift  = 42
	storedMost   = 1<<9 - 1
	countedShift = 32
	countedMost  = 1<<10 - 1
)

func newFacts(n int) facts {
	return facts{words: make([]uint64, n), stored: map[Ino]uint16{}, counted: map[Ino]uint32{}}
}

func (f *facts) word(ino Ino) uint64 { return atomic.LoadUint64(&f.words[ino]) }

// state gives the type and the state bits of an inode.
func (f *facts) state(ino Ino) uint16 { return uint16(f.word(ino)>>stateShift) & stateMask }

// linked reports whether an inode has a link count.
func (f *facts) linked(ino Ino) bool { return f.word(ino)&(storedMost<<storedShift) != 0 }

func (f *facts) parent(ino Ino) Ino { return Ino(uint32(f.word(ino))) }

// links gives i_links_count.
func (f *facts) links(ino Ino) uint32 {
	n := uint32(f.word(ino)>>storedShift) & storedMost
	if n == storedMost {
		f.mu.Lock()
		n = uint32(f.stored[ino])
		f.mu.Unlock()
	}
	return n
}

// names gives how many entries name an inode.
func (f *facts) names(ino Ino) uint32 {
	n := uint32(f.word(ino)>>countedShift) & countedMost
	if n == countedMost {
		f.mu.Lock()
		n += f.counted[ino]
		f.mu.Unlock()
	}
	return n
}

// set enters what an inode itself says. Nothing else is known of it yet.
func (f *facts) set(ino Ino, state, links uint16) {
	if links >= storedMost {
		f.setMany(ino, links)
		links = storedMost
	}
	f.words[ino] = uint64(state)<<stateShift | uint64(links)<<storedShift
}

func (f *facts) setMany(ino Ino, links uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored[ino] = links
}

// count enters one entry that names an inode. Unless dir is 0 it is also in that
// directory, and what was known as the parent until then, 0 for none, is given back.
func (f *facts) count(ino, dir Ino) (parent Ino) {
	for {
		old := f.word(ino)
		word := old
		parent = Ino(uint32(old))
		if dir != 0 && (parent == 0 || dir < parent) {
			word = word>>32<<32 | uint64(dir)
		}
		full := word>>countedShift&countedMost == countedMost
		if !full {
			word += 1 << countedShift
		}
		if word != old && !atomic.CompareAndSwapUint64(&f.words[ino], old, word) {
			continue
		}
		if full {
			f.countMore(ino)
		}
		return parent
	}
}

func (f *facts) countMore(ino Ino) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counted[ino]++
}

// plain reports whether an inode in use is nothing but what most are: no directory, no
// value of an xattr, and of as many names as its link count says.
func (f *facts) plain(ino Ino) bool {
	w := f.words[ino]
	links, names := w>>storedShift&storedMost, w>>countedShift&countedMost
	return links == names && links < storedMost && uint32(w) != 0 && w&(stateEA<<stateShift) == 0 &&
		w>>stateShift&layout.ModeMask != layout.ModeDir
}

// mark sets state bits, and unmark clears them, once the survey is over.
func (f *facts) mark(ino Ino, state uint64)   { f.words[ino] |= state << stateShift }
func (f *facts) unmark(ino Ino, state uint64) { f.words[ino] &^= state << stateShift }

// moveTo makes a directory the parent, likewise.
func (f *facts) moveTo(ino, parent Ino) {
	f.words[ino] = f.words[ino]>>32<<32 | uint64(parent)
}
