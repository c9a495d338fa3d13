package jbd2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

// TestScanFindsLive holds the archive's live transactions against those to be
// replayed.
func TestScanFindsLive(t *testing.T) {
	for _, name := range crashes(t) {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			var live []jbd2.Transaction
			for _, tx := range c.j.Scan().Transactions {
				if tx.State == jbd2.Live {
					live = append(live, tx)
				}
			}
			want := c.j.Recoverable().Transactions
			if len(live) != len(want) {
				t.Fatalf("%d live, %d to be replayed", len(live), len(want))
			}
			for i := range live {
				// Checksum v1 judges copies only where the whole is known.
				for k := range live[i].Blocks {
					if c.j.Format().CommitSum {
						live[i].Blocks[k].Checksum = want[i].Blocks[k].Checksum
					}
				}
				if got, want := fmt.Sprintf("%+v", live[i]), fmt.Sprintf("%+v", want[i]); got != want {
					t.Fatalf("live %s\nwant %s", got, want)
				}
			}
		})
	}
}

// TestScanLogdump holds the archive against debugfs, which lists old transactions
// from the start of the log to the first break. It goes round for ever in a log
// that wrapped, so only clean journals are shown to it.
func TestScanLogdump(t *testing.T) {
	told := 0
	for _, name := range crashes(t) {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			if c.j.Facts().Dirty {
				t.Skip("dirty")
			}
			out := exttest.Debugfs(t, file(t, c.image), "logdump -aO")
			have := map[string]bool{}
			for _, tx := range c.j.Scan().Transactions {
				for _, b := range tx.Blocks {
					have[fmt.Sprintf("FS block %d logged at journal block %d", b.FS, b.Log)] = true
				}
			}
			lines := pick(out, `  FS block \d+ logged at journal block \d+ .*`)
			for _, line := range lines {
				line = strings.TrimSpace(flags.ReplaceAllString(line, ""))
				if !have[line] {
					t.Errorf("missing: %s", line)
				}
			}
			t.Logf("%d copies, debugfs %d", len(have), len(lines))
			told += len(lines)
		})
	}
	if told == 0 {
		t.Error("debugfs told of no copy of any clean log")
	}
}

// TestScanUnchecked scans logs with checksums as if they had none: no copy it
// takes may be one that its checksum rules out.
func TestScanUnchecked(t *testing.T) {
	for _, name := range crashes(t) {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			if c.j.Format().Csum == 0 {
				t.Skip("no checksums")
			}
			sure := map[string]bool{}
			for _, tx := range c.j.Scan().Transactions {
				for _, b := range tx.Blocks {
					if b.Checksum == jbd2.Good {
						sure[fmt.Sprint(tx.Sequence, b.FS, b.Log, b.Escaped)] = true
					}
				}
			}
			n := 0
			for _, tx := range jbd2.ScanUnchecked(c.j).Transactions {
				for _, b := range tx.Blocks {
					n++
					if !sure[fmt.Sprint(tx.Sequence, b.FS, b.Log, b.Escaped)] {
						t.Errorf("transaction %d: block %d in log block %d is taken", tx.Sequence, b.FS, b.Log)
					}
				}
			}
			t.Logf("%d of %d copies without checksums", n, len(sure))
		})
	}
}

// TestHistory looks for the recorded changes: each was one commit, so each inode
// table block has as many versions as it had changes, ending in what it holds now.
func TestHistory(t *testing.T) {
	for _, name := range []string{"history", "history-ext3"} {
		t.Run(name, func(t *testing.T) {
			c := openCrash(t, name)
			if n := len(c.j.Scan().Transactions); n < 40 {
				t.Errorf("%d transactions, with 40 changes made", n)
			}
			page := make([]byte, c.fs.BlockSize())
			home := make([]byte, c.fs.BlockSize())
			blocks := map[layout.Block]bool{}
			for _, tx := range c.j.Scan().Transactions {
				for _, b := range tx.Blocks {
					blocks[b.FS] = true
				}
			}
			for b := range blocks {
				versions := c.j.Versions(b)
				if !slices.IsSortedFunc(versions, func(x, y jbd2.Version) int { return int(int32(x.Sequence - y.Sequence)) }) {
					t.Errorf("block %d: versions out of order", b)
				}
				last := versions[len(versions)-1]
				if err := c.j.ReadCopy(page, last.Copy); err != nil {
					t.Fatal(err)
				}
				copy(home, c.image[c.fs.BlockOffset(b):])
				// After a clean unmount all but the superblock is what was logged
				// last, and data blocks that were directories once.
				if b != layout.Block(layout.SuperblockOffset/c.fs.BlockSize()) && string(page) != string(home) && !freed(c, b) {
					t.Errorf("block %d is not what the last of %d versions says", b, len(versions))
				}
			}
		})
	}
}

// freed reports whether a transaction gave the block up after its last copy.
func freed(c *crashed, b layout.Block) bool {
	for _, tx := range c.j.Scan().Transactions {
		if slices.Contains(tx.Revokes, b) {
			return true
		}
	}
	return false
}
