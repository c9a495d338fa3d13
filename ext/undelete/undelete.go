// Package undelete finds deleted files: what is left of their inodes, names and maps,
// in the journal, in freed blocks and in inodes themselves, how each piece is proved,
// and whether the contents are still there. It writes nothing; whoever calls it does.
//
// A deleted file is an incarnation: an inode number with a generation. Each source of
// evidence is a file of this package, from the strongest (an orphan, whose blocks are
// still its own) to the weakest.
package undelete

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

// Ino and Block are layout's, named here so that callers need one import.
type (
	Ino   = layout.Ino
	Block = layout.Block
)

// A Grade says how far contents can be trusted.
type Grade string

// The grades.
const (
	Intact      Grade = "intact"      // proved: an authentic map, and blocks that nothing has used since
	Unproven    Grade = "unproven"    // nothing contradicts it, and something is missing of the proof
	Partial     Grade = "partial"     // part of the contents is gone, or how long they are is not known
	Overwritten Grade = "overwritten" // nothing of the contents is left
	Carved      Grade = "carved"      // found by what contents look like
	Listed      Grade = "listed"      // a name, or a file without contents: a device, say
)

// Grades lists all grades.
func Grades() []Grade { return []Grade{Intact, Unproven, Partial, Overwritten, Carved, Listed} }

// A Technique names the source of a file's map.
type Technique string

// The techniques.
const (
	Orphan       Technique = "orphan"            // deleted while open: all of it is still in place
	InodeHome    Technique = "inode"             // the inode in the inode table still has it
	InodeJournal Technique = "journal-inode"     // a copy of the inode in the journal
	InodeFast    Technique = "fast-commit-inode" // a record of a fast commit
	IndexResidue Technique = "index-residue"     // slots of the extent tree that deletion left
	OldVersion   Technique = "version"           // an earlier state of a file that was cut short before it was deleted, or lives
	FreedSet     Technique = "freed-set"         // the blocks that its deletion freed
	StrayTree    Technique = "stray-tree"        // a node of its map that nothing leads to
	Carving      Technique = "carving"           // what the contents look like
	NameOnly     Technique = "name"              // a name that is gone, of a file that lives or of which nothing else is left
)

// A Candidate is a deleted file, or an earlier version of one, and what is known of it.
type Candidate struct {
	Ino  Ino
	Gen  uint32
	In   *ext.Inode // the state that the contents are of, nil where no inode is known
	Type uint16     // one of layout.Mode*

	Size      uint64
	SizeKnown bool // false: Size is as far as blocks are mapped
	Target    []byte
	Inline    []byte    // contents, where they were kept in the inode
	Runs      []ext.Run // Data runs of the contents, by logical block; the rest is zeros

	Path      []byte   // as of last, nil where not known
	Name      []byte   // its last part; known where the directory is not
	Others    [][]byte // other paths that it had, the newest first
	Links     uint16   // names that it had at once, as its inode said; 0 where that is not known
	Live      bool     // the file lives under another name, or is a version of one that does
	MovedTo   []byte   // a path of it then
	DeletedAt time.Time
	Sequence  uint32 // of the transaction that deleted it, 0 where that is not known

	Technique Technique
	Ext       string   // file name extension, with its dot, where the contents tell it
	Evidence  []string // in words
	Grade     Grade
	Coverage  Coverage

	// Below is the path from a directory whose own is not known, as "@12/a/b", where
	// Path is nil.
	Below []byte

	from     state  // what In is read from
	inUse    bool   // it was in use: of a former file system
	tx       moment // the transaction that In is of; latest for home
	gone     moment // the one that deleted it, 0 where that is not known
	fast     bool
	orphan   bool
	damage   []string // what is wrong with the map
	complete bool     // the whole map could be read
	nodes    []Block  // of the map
	unsure   []Block  // those of them that may have been written since
	residue  bool     // the map is what deletion left of it

	unseen    bool // its blocks may have been used in between without a trace
	loose     bool // the time of In is not known
	unsettled bool // written to shortly before it was deleted
	changed   bool // In may not be its last state
	doubled   bool // of a block of its contents one transaction has two copies that differ
}

// Place is the path of a candidate, or else where it lay below the last directory that is
// known above it, as Below says; nil where neither is known.
func (c *Candidate) Place() []byte {
	if c.Path == nil {
		return c.Below
	}
	return c.Path
}

// HardLinks are the paths that a file had beside Path when it was deleted: the newest of
// Others, as many as it had names.
func (c *Candidate) HardLinks() [][]byte {
	if c.Links < 2 || c.Type != layout.ModeRegular || c.Path == nil {
		return nil
	}
	return c.Others[:min(len(c.Others), int(c.Links)-1)]
}

// Recoverable reports whether there is anything to write.
func (c *Candidate) Recoverable() bool {
	switch c.Grade {
	case Intact, Unproven, Partial, Carved:
		return c.Type == layout.ModeRegular || c.Type == layout.ModeSymlink || c.Type == layout.ModeDir
	}
	return false
}

// Options says what to look for.
type Options struct {
	Versions bool // also earlier versions of files that live
	Carve    bool // also by what contents look like
	// ScanLimit is how many bytes of free space may be scanned for stray metadata:
	// where there are more, none is. 0 scans whatever there is.
	ScanLimit uint64
	Former    *Former // the file system is a former one; ScanLimit does not count then
	Progress  func(what string, done, total int)
}

// A finder joins the evidence.
type finder struct {
	o       Options
	view    *replay.View
	fs      *ext.FS
	log     *history.Log // nil without a journal
	csum    bool
	running bool // the file system was in use when the image was taken
	fates   *fates

	clock        time.Duration // of the times of inodes, once tick was asked
	mounts       []int         // the first transactions of mounts, by the gap in sequence numbers ahead of them
	dataLogged   bool          // the log holds contents of files
	journalsData bool          // files say that it does
	lives        lives
	full         map[lifeKey]state   // the newest that is not empty, of those whose best is
	older        map[lifeKey][]state // with Options.Versions
	writes       table[written]
	keep         keep
	copies       copyReader
	today        generations // of the inodes in use today
	names        names
	now          nowNames
	dirsNow      []Ino // directories that are there, until their names are read
	telling      sync.Mutex
	told         map[string]bool // bounds that were met
	said         map[saying]string
	hidden       map[int]bool       // transactions in which blocks may have been taken and freed, unseen
	dirs         map[lifeKey][]byte // paths of directories, nil where there is none
	pathBytes    int                // that they take
	stray        strayEvidence
	probe        []byte            // of zeros
	probes       int64             // bytes that it may still read
	freed        map[int]*freedSet // by transaction; nil until they are needed
	shrunk       map[int]bool      // transactions in which a file that went on lost blocks
	former       formerWork
	hints        []ext.Run           // runs that were freed together: files begin and end with them
	xattrs       map[uint32][]uint32 // blocks of the log that nothing covers, by the seed of their xattr checksum; nil until they are needed
	result       *Result
}

// Find lists everything that was deleted. The error is ctx's.
func Find(ctx context.Context, v *replay.View, o Options) (*Result, error) {
	f, err := search(ctx, v, o)
	if err != nil {
		return nil, err
	}
	f.release()
	f.result.sort()
	return f.result, nil
}

func search(ctx context.Context, v *replay.View, o Options) (*finder, error) {
	seed := maphash.MakeSeed()
	f := &finder{o: o, view: v, fs: v.FS, running: inUse(v), csum: v.FS.Super.MetadataCsum(), lives: lives{seed: seed}, full: map[lifeKey]state{}, older: map[lifeKey][]state{},
		dirs: map[lifeKey][]byte{}, today: generations{}, names: names{seed: seed}, now: nowNames{seed: seed}, told: map[string]bool{}, said: map[saying]string{}, shrunk: map[int]bool{}, former: newFormerWork(&o), result: &Result{}}
	l, err := history.Open(v)
	switch {
	case err == nil:
		f.log = l
	case !errors.Is(err, history.ErrNoJournal):
		return nil, err
	}
	f.result.f = f
	f.fates = newFates(f.fs, f.log)
	for _, step := range []func(context.Context) error{f.gatherHome, f.gatherLog, f.settle, f.inUse, f.gatherNames, f.strays, f.lostNames, f.build, f.strayFiles, f.carve} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// release lets go of all but what candidates need.
func (f *finder) release() {
	f.lives, f.full, f.older, f.writes, f.names, f.now, f.today = lives{}, nil, nil, table[written]{}, names{}, nowNames{}, nil
	f.dirs, f.stray, f.freed, f.hints, f.result.pack.dirs.ids, f.result.pack.words.ids = nil, strayEvidence{}, nil, nil, nil, nil
}

// inUse reports whether an image was taken of a file system that was mounted: without a
// journal the state tells.
func inUse(v *replay.View) bool {
	return v.NeedsRecover || v.Journal == nil && v.FS.Super.State&layout.StateValid == 0
}

// fail keeps what goes with the result as a warning. Several goroutines may call it.
func (f *finder) fail(err error) {
	f.telling.Lock()
	defer f.telling.Unlock()
	f.warn(err)
}

func (f *finder) warn(err error) {
	const most = 1000
	if err != nil && len(f.result.Warnings) < most {
		f.result.Warnings = append(f.result.Warnings, err)
	}
}

// limit tells, once, that a bound was met which keeps the work finite whatever the bytes.
// Several goroutines may call it.
func (f *finder) limit(format string, args ...any) {
	f.telling.Lock()
	defer f.telling.Unlock()
	if !f.told[format] {
		f.told[format] = true
		f.warn(fmt.Errorf(format, args...))
	}
}
