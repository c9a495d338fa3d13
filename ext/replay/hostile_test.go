package replay_test

import (
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// TestHostile holds what is made of damaged journals against what the kernel made of
// them: the tree where it mounted the file system, else that Failed says so.
func TestHostile(t *testing.T) {
	for _, name := range exttest.HostileJournalNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, known := exttest.HostileJournalOutcome(t, name)
			v := openBytes(t, exttest.HostileJournal(t, name), replay.Options{})
			for _, w := range v.Warnings {
				t.Logf("warning at %d: %s", w.Offset, w.Text)
			}
			t.Logf("%s: %d transactions, %d fast commits, applied: %t", v.Source, v.Transactions, v.FastCommits, v.Applied)
			if !known {
				return
			}
			refused := o.Kernel.Refused != ""
			if name == "log-map-hole" {
				// Where the map has a hole ext4_journal_bmap leaves the log's block
				// number for one of the device: the kernel reads another block.
				refused = true
			}
			if v.Failed != refused {
				t.Errorf("failed: %t; the kernel: %q %q", v.Failed, o.Kernel.Refused, o.Kernel.Said)
			}
			if v.Failed && len(v.Warnings) == 0 {
				t.Error("no warning says why")
			}
			if refused && strings.HasPrefix(v.Source, "backup") && v.Applied {
				t.Error("a log that the kernel does not come to is replayed")
			}
			if o.Kernel.Tree != "" {
				compareTree(t, v.FS, exttest.JournalTree(t, o.Kernel.Tree), fastTouched(v))
			}
		})
	}
}
