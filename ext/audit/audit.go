// Package audit holds a file system against itself: link counts against names,
// names against inodes, symlinks against what they lead to, checksums against
// contents. It reads all metadata once, on all cores, and gives what does not
// agree as findings of fixed kinds. Reading the structures is left to package
// ext, and relating names to inodes to package links.
package audit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// A Kind names what is wrong. Kinds are stable: scripts depend on them.
type Kind string

// The kinds of finding, the gravest first; see Meaning.
const (
	BadSuperblock     Kind = "bad-superblock"
	BadJournal        Kind = "bad-journal"
	BadChecksum       Kind = "bad-checksum"
	BadExtent         Kind = "bad-extent"
	BadBlockPointer   Kind = "bad-block-pointer"
	SharedBlock       Kind = "shared-block"
	BadSize           Kind = "bad-size"
	BadBlocksCount    Kind = "bad-blocks-count"
	BadSymlink        Kind = "bad-symlink"
	BadXattr          Kind = "bad-xattr"
	BadHtree          Kind = "bad-htree"
	BadInode          Kind = "bad-inode"
	BadEntry          Kind = "bad-entry"
	DanglingEntry     Kind = "dangling-entry"
	WrongFiletype     Kind = "wrong-filetype"
	DirectoryHardLink Kind = "directory-hard-link"
	LinkCount         Kind = "link-count"
	BitmapMismatch    Kind = "bitmap-mismatch"
	FreeCount         Kind = "free-count"
	BadQuota          Kind = "bad-quota"
	UnattachedInode   Kind = "unattached-inode"
	OrphanListed      Kind = "orphan-listed"
	RottenLink        Kind = "rotten-link"
	SymlinkLoop       Kind = "symlink-loop"
	OddTime           Kind = "odd-time"
)

// Kinds lists all kinds, the gravest first.
func Kinds() []Kind {
	return []Kind{BadSuperblock, BadJournal, BadChecksum, BadExtent, BadBlockPointer, SharedBlock, BadSize, BadBlocksCount,
		BadSymlink, BadXattr, BadHtree, BadInode, BadEntry, DanglingEntry, WrongFiletype, DirectoryHardLink, LinkCount,
		UnattachedInode, BitmapMismatch, FreeCount, BadQuota, OrphanListed, RottenLink, SymlinkLoop, OddTime}
}

// meanings says in a line what each kind of finding means.
var meanings = map[Kind]string{
	BadSuperblock:     `the superblock, a copy of it, the descriptors or a list of the superblock`,
	BadJournal:        `the journal's inode or superblock, or what the superblock says of it`,
	BadChecksum:       `a metadata checksum that does not match`,
	BadExtent:         `an extent tree that breaks its own rules`,
	BadBlockPointer:   `a pointer out of range, met before, or into the file system's own metadata`,
	SharedBlock:       `a block that is claimed more than once, though it may not be shared`,
	BadSize:           `i_size that does not agree with the blocks mapped`,
	BadBlocksCount:    `i_blocks that is not the number of blocks counted`,
	BadSymlink:        `a target that cannot be read, or is not as long as i_size says`,
	BadXattr:          `extended attributes that cannot be right`,
	BadHtree:          `a directory index that breaks its own rules`,
	BadInode:          `another field of an inode that cannot be right`,
	BadEntry:          `a malformed directory entry or block, a wrong "." or "..", a bad name`,
	DanglingEntry:     `a name for an inode that is not in use, reserved or out of range`,
	WrongFiletype:     `the entry's file type is not the inode's`,
	DirectoryHardLink: `a directory with more than one name`,
	LinkCount:         `i_links_count differs from the names counted`,
	BitmapMismatch:    `a group's block or inode bitmap that is not what inodes use`,
	FreeCount:         `a count of free blocks or inodes, or of directories, that bitmaps do not give`,
	BadQuota:          `a quota file that is malformed, or not what the inodes of a user, group or project use`,
	UnattachedInode:   `in use, and no name reaches it from the root`,
	OrphanListed:      `on the superblock's orphan list or in the orphan file`,
	RottenLink:        `a symlink that leads nowhere`,
	SymlinkLoop:       `a symlink that leads through too many others`,
	OddTime:           `an impossible or suspicious time`,
}

// Meaning says in a line what findings of a kind mean.
func (k Kind) Meaning() string { return meanings[k] }

// A Severity tells how much a finding matters.
type Severity string

const (
	Error   Severity = "error"   // the file system contradicts itself
	Warning Severity = "warning" // it is unfinished, or leads nowhere
	Info    Severity = "info"    // it is odd
)

// Severity is how much findings of a kind matter.
func (k Kind) Severity() Severity {
	switch k {
	case OrphanListed, RottenLink, SymlinkLoop:
		return Warning
	case OddTime:
		return Info
	}
	return Error
}

// A Finding is one thing that does not agree. Fields that do not apply are zero.
type Finding struct {
	Kind   Kind
	Ino    ext.Ino // whose it is: of a finding about an entry, the directory's
	Path   []byte  // the first path of Ino; of an entry, the entry's
	Detail string  // in plain words

	HasBlock, HasGroup bool // Block applies, or Group does
	HasID              bool // ID applies
	Counts             bool // Stored and Counted apply
	Entry              bool // a finding about a directory entry: Dir, Target and Name apply

	Block           ext.Block
	Group           uint32
	Target          ext.Ino
	Offset          int64 // the byte of the file system where the field to blame lies, 0 for none
	Stored, Counted uint64
	Name            []byte
	Inodes          []ext.Ino // all inodes that are to blame, where there are several
	What            string    // what a bitmap or count is of: block, inode or directory; of a quota, space or inode
	ID              uint32    // of the user, group or project whose quota it is about
}

// Options says what to look for; the zero value looks for everything.
type Options struct {
	// Skip leaves out the kinds for which it gives true; nil leaves out none.
	Skip func(Kind) bool
	// MountedAt is where the file system was mounted, see links.SymlinkOptions.
	MountedAt string
	// Past tells what became of the missing names of rotten links; nil without a journal.
	Past links.Past
	// Progress gets how much of how many steps is done, now and then.
	Progress func(done, total int)
}

// A Result is what an audit found.
type Result struct {
	Findings   []*Finding // by kind, then by inode
	Counts     map[Kind]uint64
	Unreadable []error // what could not be read, and so not be judged
	Tree       *links.Tree
}

// keepLimit bounds how many findings of one kind are kept; all are counted.
const keepLimit = 200_000

// An auditor is one audit under way.
type auditor struct {
	fs      *ext.FS
	o       Options
	skipped map[Kind]bool
	tree    *links.Tree
	workers []*worker
	targets []*ext.TargetReader // of the workers
	dirs    []dirInfo           // all directories in use that take more than a look, by number
	nodes   *ext.NodeBudget
	claims  *claims
	quotas  []layout.QuotaType // that the file system keeps

	listed      map[ext.Ino]bool  // on a list of orphans
	fileOrphans bool              // the orphan file lists some
	orphanACLs  map[ext.Block]int // how many of those refer to a block of attributes
	doubtful    *bitSet           // inodes whose type cannot be believed
	unusable    *bitSet           // inodes that lie in bad blocks, nil without such
	valued      links.Set         // inodes that an attribute refers to
	lacks       layout.InodeFlags // flags that mean nothing here
	firstFile   ext.Ino           // numbers from here on are none that the superblock names
	pending     bool              // recovery is
	thorough    bool              // no inode is left to a glance
	oddTimes    bool              // are looked for
	blockBits   uint              // log2 of the block size in bytes
	bigTimes    bool              // times of the superblock are later than inode numbers

	mu         sync.Mutex
	findings   []*Finding // there are many, and they are large
	counts     map[Kind]uint64
	unreadable []error
}

// Run audits a file system. The error is ctx's; damage becomes findings.
func Run(ctx context.Context, f *ext.FS, o Options) (*Result, error) {
	return newAuditor(f, o).run(ctx)
}

func (a *auditor) run(ctx context.Context) (*Result, error) {
	a.super()
	a.journal()
	a.descriptors()
	a.resizeInode()
	a.backups()
	a.groups(ctx)
	a.badBlocks()
	a.orphans()
	a.orphanFile()
	var plain func(int, ext.Ino, []byte) bool
	surveyed := func(t *links.Tree) { a.tree = t; a.gatherDirs() }
	if g := newGlance(a); g != nil && !a.thorough {
		plain = g.plain
		surveyed = func(t *links.Tree) { g.flush(); a.tree = t; a.gatherDirs() }
	}
	t, err := links.Survey(ctx, a.fs, links.Hooks{
		Plain:     plain,
		Inode:     func(w int, in *ext.Inode) { a.workers[w].inode(in) },
		Surveyed:  surveyed,
		Block:     func(w int, b links.Block) { a.workers[w].block(&b) },
		BlockDone: func(w int, b *links.Block, err error) { a.workers[w].blockDone(b, err) },
		Entry:     a.entry,
		Progress:  a.o.Progress,
		Symlinks:  !a.skip(RottenLink) || !a.skip(SymlinkLoop),
		Targets:   a.targets,
	})
	if err != nil {
		return nil, err
	}
	a.damage()
	// Both of these are work for one core, in part.
	var judging sync.WaitGroup
	var judged error
	judging.Go(func() { judged = a.symlinks(ctx) })
	err = a.settle(ctx)
	a.claims, a.dirs, a.workers, a.targets = nil, nil, nil, nil // judging takes longer, and room
	judging.Wait()
	if err == nil {
		err = judged
	}
	if err != nil {
		return nil, err
	}
	if err := a.named(ctx); err != nil {
		return nil, err
	}
	a.sort()
	return &Result{a.findings, a.counts, a.unreadable, t}, nil
}

// settle judges what the survey counted, by names, blocks and groups.
func (a *auditor) settle(ctx context.Context) error {
	a.rootDir()
	a.dotdots()
	a.indexes()
	for _, step := range []func(context.Context) error{a.xattrBlocks, a.owners, a.orphanBlocks, a.quota, a.unattached} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	a.bitmaps()
	a.lacking()
	a.linkCounts()
	return nil
}

func newAuditor(f *ext.FS, o Options) *auditor {
	a := &auditor{fs: f, o: o, counts: map[Kind]uint64{}, nodes: f.NewNodeBudget(), claims: newClaims(f),
		listed: map[ext.Ino]bool{}, orphanACLs: map[ext.Block]int{}, doubtful: newBitSet(uint64(f.InodesCount()) + 1)}
	if o.Skip != nil {
		a.skipped = map[Kind]bool{}
		for _, k := range Kinds() {
			a.skipped[k] = o.Skip(k)
		}
	}
	a.oddTimes = !a.skip(OddTime)
	a.quotas = a.quotaTypes()
	for range ext.Workers() {
		w := &worker{a: a, targets: f.NewTargetReader()}
		w.walk.a, w.walk.block, w.walk.budget = a, w.take, a.nodes
		a.workers, a.targets = append(a.workers, w), append(a.targets, w.targets)
	}
	s := f.Super
	a.lacks = lackingFlags(s)
	a.firstFile = f.FirstIno()
	for _, own := range []ext.Ino{s.JournalInum, s.OrphanFileInum, s.UserQuotaInum, s.GroupQuotaInum, s.ProjectQuotaInum, s.SnapshotInum} {
		a.firstFile = max(a.firstFile, own, own+1)
	}
	a.blockBits = uint(bits.TrailingZeros(uint(f.BlockSize())))
	a.pending = s.Incompat&layout.IncompatRecover != 0
	a.bigTimes = true
	for _, t := range []time.Time{s.WriteTime, s.MountTime, s.MkfsTime} {
		if low := uint32(t.Unix()); !t.IsZero() && low != 0 && low < s.InodesCount {
			a.bigTimes = false
		}
	}
	return a
}

// add enters a finding; it may be called from several goroutines.
func (a *auditor) add(f Finding) {
	if a.skip(f.Kind) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts[f.Kind]++; a.counts[f.Kind] <= keepLimit {
		a.findings = append(a.findings, &f)
	}
}

func (a *auditor) skip(k Kind) bool { return a.skipped[k] }

// lost notes what could not be read.
func (a *auditor) lost(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.unreadable) < keepLimit {
		a.unreadable = append(a.unreadable, err)
	}
}

func (a *auditor) sort() {
	rank := map[Kind]int{}
	for i, k := range Kinds() {
		rank[k] = i
	}
	slices.SortFunc(a.findings, func(x, y *Finding) int {
		if x.Kind == y.Kind && x.Group == y.Group && x.Ino != y.Ino {
			return cmp.Compare(x.Ino, y.Ino) // as nearly always
		}
		return cmp.Or(
			cmp.Compare(rank[x.Kind], rank[y.Kind]),
			cmp.Compare(x.Group, y.Group),
			cmp.Compare(x.Ino, y.Ino),
			cmp.Compare(x.Offset, y.Offset),
			bytes.Compare(x.Path, y.Path),
			bytes.Compare(x.Name, y.Name),
			cmp.Compare(x.Target, y.Target),
			cmp.Compare(x.Detail, y.Detail))
	})
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
