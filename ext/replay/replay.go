// Package replay opens a file system as it would be after its journal was
// replayed, fast commits included, and keeps the home blocks beside it. It is
// where packages ext and jbd2 meet: it finds the journal by the superblock, lays
// an overlay over the image, and applies fast commits to the overlay in memory.
// Nothing is ever written to the image.
//
// Times that the kernel sets to the moment of replay, as it does in directories
// and inodes whose names a fast commit changes, stay as they were: the view
// depends on the image alone.
package replay

import (
	"errors"
	"fmt"
	"io"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// Options says how to open a file system with its journal; the zero value replays
// what the kernel would replay.
type Options struct {
	Ext          ext.Options
	Off          bool        // look at the home blocks
	External     io.ReaderAt // the device or file that holds an external journal, or nil
	ExternalSize int64       // its size in bytes
}

// A View is an opened file system with its journal.
type View struct {
	FS      *ext.FS // what to look at: as after replay, or the home blocks
	Home    *ext.FS // the home blocks
	Journal *jbd2.Journal
	Source  string // where the journal lies: "inode 8", "external device"; "" without a journal
	// Recovery is what replaying the journal does, or would do if it were to be
	// done; nil without a journal.
	Recovery     *jbd2.Recovery
	Overlay      *jbd2.Overlay // what FS reads from; nil where nothing is replayed
	NeedsRecover bool          // the superblock asks for replay, or replay is done without being asked
	Applied      bool          // FS differs from Home
	Transactions int           // that are replayed, or would be without Options.Off
	FastCommits  int           // likewise
	Records      int           // of the fast commits
	// Failed says that the kernel refuses to mount the file system over its journal.
	// FS is then what replay gets to, or the home blocks where it changes none.
	Failed   bool
	Warnings []Warning

	byBackup bool       // Journal was found by the superblock's backup of its map
	fastDirs []ext.Ino  // directories that fast commits touch
	runs     []jbd2.Run // where the journal lies in the image, by place
}

// A Warning tells of something wrong with the journal, or of what keeps it from
// being replayed.
type Warning struct {
	Offset int64 // byte of the image, or of the journal device; -1 where no byte is to blame
	Text   string
	Note   bool // nothing is damaged: something was not given that nothing waits for
}

// Open opens the file system in r, of which size bytes are there, and replays its
// journal in memory where the kernel would. Neither reader is closed. The error is
// as ext.Open gives it; a journal that cannot be used is a warning, and the view is
// that of the home blocks then.
func Open(r io.ReaderAt, size int64, o Options) (*View, error) {
	home, err := ext.Open(r, size, o.Ext)
	if err != nil {
		return nil, err
	}
	v := &View{FS: home, Home: home}
	v.find(ext.Metadata(r), o)
	if v.Journal == nil {
		return v, nil
	}
	v.features()
	blocks := max(home.Super.BlocksCount, uint64(size)/uint64(home.BlockSize()))
	v.Recovery = v.Journal.Within(blocks).Recoverable()
	if !v.asked() {
		return v, nil
	}
	fast := v.pendingFast()
	if o.Off {
		return v, nil
	}
	if err := v.replay(r, size, o, fast); err != nil {
		v.FS, v.Overlay, v.Applied, v.Failed = home, nil, false, true
		v.warn(-1, "the journal is not replayed: %v", err)
	}
	return v, nil
}

// asked decides whether the journal is replayed, and counts what it holds.
func (v *View) asked() bool {
	f := v.Journal.Facts()
	flag := v.Home.Super.Incompat&layout.IncompatRecover != 0
	backup := v.Home.SuperOffset != layout.SuperblockOffset
	switch {
	case flag:
	case f.Start == 0:
		return false
	case backup:
		// Backups never have the flag: e2fsck replays then (PR_0_JOURNAL_RUN_DEFAULT).
		v.warn(f.Offset, "the journal has data and the superblock in use is a backup, which cannot tell: replayed")
	default:
		// The kernel wipes the journal (jbd2_journal_wipe).
		v.warn(f.Offset+0x1c, "the journal has data but needs_recovery is not set in the superblock: not replayed")
		return false
	}
	v.NeedsRecover = true
	if v.byBackup {
		v.warn(f.Offset, "the journal is reached only by the superblock's backup of its map, which the kernel does not follow: not replayed")
		return false
	}
	r := v.Recovery
	for _, w := range r.Warnings {
		v.warn(w.Offset, "%s", w.String())
	}
	v.Failed = v.Failed || r.Failed
	if r.Refused != nil {
		return false
	}
	v.Transactions = len(r.Transactions)
	v.intoLog()
	return true
}

// features tells of a journal that lacks what the kernel then fails to add
// (ext4_load_and_init_journal): version 1 has room for no features.
func (v *View) features() {
	f, s := v.Journal.Facts(), v.Home.Super
	if f.Version == 1 && (s.Incompat&layout.Incompat64Bit != 0 || s.MetadataCsum()) {
		v.warn(f.Offset+0x4, "the journal superblock is of version 1, which cannot say that the file system has 64bit or metadata_csum")
		v.Failed = true
	}
}

// intoLog tells of copies of blocks that are the log's own: where replay overwrites
// what it has yet to read, the kernel fails.
func (v *View) intoLog() {
	if len(v.runs) == 0 {
		return
	}
	bs := int64(v.Home.BlockSize())
	i := 0
	for _, c := range v.Recovery.Blocks { // both are in order
		off := v.Home.BlockOffset(c.FS)
		for i < len(v.runs) && v.runs[i].Start+int64(v.runs[i].Len)*bs <= off {
			i++
		}
		if i == len(v.runs) {
			return
		}
		run := v.runs[i]
		if off < run.Start {
			continue
		}
		n := run.First + uint32((off-run.Start)/bs)
		v.warn(v.Journal.Log().Offset(c.Log), "the journal has a copy of block %d, which is its own block %d", c.FS, n)
		if n == 0 || v.live(n) {
			v.Failed = true
		}
	}
}

// live reports whether a log block is part of what is replayed: transactions that
// follow each other in the log.
func (v *View) live(n uint32) bool {
	list := v.Recovery.Transactions
	if len(list) == 0 {
		return false
	}
	start, end := list[0].Start, list[len(list)-1].End
	if start < end {
		return n >= start && n < end
	}
	return n >= start || n < end
}

// replay makes the view after replay.
func (v *View) replay(r io.ReaderAt, size int64, o Options, fast []jbd2.FastCommit) error {
	overlay := v.Journal.Overlay(r, v.Recovery.Blocks)
	err := overlay.MarkRecovered(v.Journal.Facts().Errno != 0)
	var corrupt *layout.CorruptError
	if err != nil && !(errors.As(err, &corrupt) && v.Home.SuperOffset != layout.SuperblockOffset) {
		return err
	}
	fs, err := ext.Open(overlay, size, o.Ext)
	if err != nil {
		return fmt.Errorf("after replay: %w", err)
	}
	e := newEditor(v, fs, overlay)
	if len(fast) > 0 {
		if err := e.fastCommits(fast); err != nil {
			return fmt.Errorf("fast commits: %w", err)
		}
	}
	if changed, err := e.totals(); err != nil {
		v.warn(-1, "%v", err)
	} else if changed || len(fast) > 0 {
		if fs, err = ext.Open(overlay, size, o.Ext); err != nil {
			return fmt.Errorf("after fast commits: %w", err)
		}
	}
	v.FS, v.Overlay, v.Applied = fs, overlay, true
	return nil
}

// pendingFast gives the fast commits that are to be replayed.
func (v *View) pendingFast() []jbd2.FastCommit {
	for _, w := range v.Recovery.Warnings {
		if w.Kind == jbd2.WarnOutside {
			return nil // the kernel gives up before it comes to them
		}
	}
	list := v.Journal.FastCommits()
	n := 0
	for n < len(list) && list[n].Valid && v.fits(&list[n]) {
		v.Records += len(list[n].Records)
		n++
	}
	v.FastCommits = n
	return list[:n]
}

// fits reports whether no inode in a fast commit is longer than inodes are here,
// where the kernel ends (ext4_fc_value_len_isvalid).
func (v *View) fits(fc *jbd2.FastCommit) bool {
	for i := range fc.Records {
		if r := &fc.Records[i]; len(r.Inode) > v.Home.InodeSize() {
			v.warn(r.Offset, "fast commit: inode %d has %d bytes, the file system's have %d; replay ends before this fast commit", r.Ino, len(r.Inode), v.Home.InodeSize())
			return false
		}
	}
	return true
}

// maxWarnings bounds what is said of one journal.
const maxWarnings = 200

func (v *View) warn(off int64, format string, args ...any) {
	switch {
	case len(v.Warnings) < maxWarnings:
		v.Warnings = append(v.Warnings, Warning{Offset: off, Text: fmt.Sprintf(format, args...)})
	case len(v.Warnings) == maxWarnings:
		v.Warnings = append(v.Warnings, Warning{Offset: -1, Text: "more was wrong than is told here"})
	}
}
