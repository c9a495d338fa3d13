// Package history tells what the log remembers of a file system, beyond what would be
// replayed: earlier versions of inodes, what directories held at some moment, which
// structure each logged block was, and names that are gone. It joins the copies that
// package jbd2 finds to the structures that package ext reads; bringing files back is
// left to others.
package history

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/replay"
)

// Ino and Block are layout's, named here so that callers need one import.
type (
	Ino   = layout.Ino
	Block = layout.Block
)

// A Log is a journal that is read for what it remembers. It is for one goroutine.
type Log struct {
	FS      *ext.FS // the file system as it is: the view that was opened
	View    *replay.View
	Journal *jbd2.Journal
	Archive *jbd2.Archive

	effect []bool            // of the transactions: whether they took effect
	newest []int32           // likewise: the last one up to it that did, or -1
	copies int               // that they have
	fast   []jbd2.FastCommit // that are whole, in the order of the log
	static []staticRun       // the file system's own metadata, by place
	claims *claims
	tree   *links.Tree   // a survey of FS, where somebody made one
	pasts  map[int]*Past // by transaction; few
	paths  map[dirKey][]byte

	pathPasts int            // moments that were opened for the sake of paths
	pathReads *ext.DirBudget // blocks read for them
	pathBytes int            // held in paths
	names     nameWork
	buf       []byte
	in        jbd2.Copy // the copy in buf
	held      bool      // there is one
}

// ErrNoJournal says that there is no journal that could be read.
var ErrNoJournal = errors.New("the file system has no journal that can be read")

// Open reads the whole log of a view. The error is ErrNoJournal where it has none.
func Open(v *replay.View) (*Log, error) {
	if v.Journal == nil {
		return nil, ErrNoJournal
	}
	l := &Log{FS: v.FS, View: v, Journal: v.Journal, Archive: v.Journal.Scan(), pasts: map[int]*Past{}, paths: map[dirKey][]byte{}, buf: make([]byte, v.Home.BlockSize())}
	l.effect = make([]bool, len(l.Archive.Transactions))
	l.newest = make([]int32, len(l.effect))
	newest := int32(-1)
	for i := range l.effect {
		if l.effect[i] = l.Archive.TookEffect(i); l.effect[i] {
			newest = int32(i)
		}
		l.newest[i] = newest
		l.copies += len(l.Archive.Transactions[i].Blocks)
	}
	l.pathReads = ext.DirBlocksBudget(maxPathReads)
	for _, fc := range v.Journal.FastCommits() {
		if fc.CRCOK && fc.Err == nil {
			l.fast = append(l.fast, fc)
		}
	}
	l.static = staticRuns(v.Home)
	return l, nil
}

// Transactions are all that the log holds, oldest first.
func (l *Log) Transactions() []jbd2.Transaction { return l.Archive.Transactions }

// TookEffect reports whether the changes of a transaction were made.
func (l *Log) TookEffect(i int) bool { return l.effect[i] }

// Sequence finds the transaction with a sequence number among those that took
// effect. Of one that damage left in parts it is the last.
func (l *Log) Sequence(n uint32) (i int, ok bool) {
	for k := range l.Archive.Transactions {
		if l.effect[k] && l.Archive.Transactions[k].Sequence == n {
			i, ok = k, true
		}
	}
	return i, ok
}

// A MomentError says why there is no such moment as was asked for.
type MomentError struct{ text string }

func (e *MomentError) Error() string { return e.text }

// When finds the transaction that a moment falls to, which is a sequence number or a
// time: of a time, the last transaction that was committed by then. The error is a
// *MomentError.
func (l *Log) When(moment string) (i int, err error) {
	bad := func(format string, args ...any) (int, error) { return 0, &MomentError{fmt.Sprintf(format, args...)} }
	first, last, any := l.span()
	if !any {
		return bad("the log holds no transaction")
	}
	oldest, newest := &l.Archive.Transactions[first], &l.Archive.Transactions[last]
	if n, err := strconv.ParseUint(moment, 10, 32); err == nil {
		if i, ok := l.Sequence(uint32(n)); ok {
			return i, nil
		}
		return bad("the log holds no transaction %d: it has %d to %d", n, oldest.Sequence, newest.Sequence)
	}
	at, ok := ParseTime(moment)
	if !ok {
		return bad("%q is neither a sequence number nor a time like 2026-01-31T12:00:00Z", moment)
	}
	found := -1
	for i := range l.Archive.Transactions {
		if t := &l.Archive.Transactions[i]; l.effect[i] && !t.CommitTime.IsZero() && !t.CommitTime.After(at) {
			found = i
		}
	}
	if found < 0 {
		return bad("the log goes back to %s only", oldest.CommitTime.UTC().Format(time.RFC3339Nano))
	}
	return found, nil
}

// timeForms are how a time may be written; without a zone it is UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02"}

// maxSecond is the end of the year 9999: far beyond it time.Time wraps around.
const maxSecond = 253402300799

// ParseTime reads a time as the command line takes it: RFC 3339 or parts of it, in UTC, or
// @ and seconds.
func ParseTime(s string) (time.Time, bool) {
	if seconds, ok := strings.CutPrefix(s, "@"); ok { // as date(1) takes it
		n, err := strconv.ParseInt(seconds, 10, 64)
		return time.Unix(n, 0).UTC(), err == nil && n >= -maxSecond && n <= maxSecond
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// span gives the oldest and the newest transaction that took effect.
func (l *Log) span() (first, last int, ok bool) {
	first = slices.Index(l.effect, true)
	for i, e := range l.effect {
		if e {
			last = i
		}
	}
	return first, last, first >= 0
}

// readCopy reads a copy into the log's buffer, which holds until the next call. The copy
// that was read last is not read again.
func (l *Log) readCopy(c jbd2.Copy) ([]byte, error) {
	if l.held && l.in == c {
		return l.buf, nil
	}
	l.held = false
	if err := l.Journal.ReadCopy(l.buf, c); err != nil {
		return nil, err
	}
	l.in, l.held = c, true
	return l.buf, nil
}

// beforeFast gives the transaction that fast commits of tid come behind: the last one
// that took effect and is older.
func (l *Log) beforeFast(tid uint32) (i int, ok bool) {
	i = sort.Search(len(l.effect), func(i int) bool {
		t := &l.Archive.Transactions[i]
		return t.Damage&jbd2.Ahead == 0 && int32(t.Sequence-tid) >= 0
	}) - 1
	if i >= 0 {
		i = int(l.newest[i])
	}
	return i, i >= 0
}
