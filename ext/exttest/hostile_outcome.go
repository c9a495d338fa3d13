package exttest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A JournalOutcome is what came of a hostile journal when it was given to the kernel
// and to e2fsck.
type JournalOutcome struct {
	Name   string       `json:"name"`
	Base   string       `json:"base"` // the crash case it was made from
	Kernel ReplayResult `json:"kernel"`
	// E2fsck is that of e2fsck -y -E journal_only, which checks and mends everything
	// nevertheless where it finds fault with the journal or with the superblock.
	E2fsck ReplayResult `json:"e2fsck"`
}

// A ReplayResult is what came of a replay.
type ReplayResult struct {
	// Refused is the mount's error, or e2fsck's exit status if it is more than 1.
	// The kernel may have replayed a part nevertheless: it checks copies as it goes.
	Refused string `json:"refused,omitempty"`
	// Start and Sequence are s_start and s_sequence of the journal's superblock
	// afterwards. Where the log was replayed Start is 0, and Sequence the number
	// of the first transaction not replayed, plus one; where e2fsck makes a new
	// superblock, any number.
	Start    uint32 `json:"s_start"`
	Sequence uint32 `json:"s_sequence"`
	// Tree names what was shown then, for JournalTree. Times of directories are
	// left out.
	Tree string `json:"tree,omitempty"`
	// Unreadable is the error that ended the walk of the tree, where there is no Tree.
	Unreadable string   `json:"unreadable,omitempty"`
	Said       []string `json:"said,omitempty"` // by the kernel while mounting, or by e2fsck
}

// HostileJournalOutcome returns what was recorded of a hostile journal, false for
// those that the kernel and e2fsck never come to the end of.
func HostileJournalOutcome(t testing.TB, name string) (JournalOutcome, bool) {
	t.Helper()
	f, err := os.Open(filepath.Join(hostileRoot(t), "outcomes.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for dec := json.NewDecoder(f); ; {
		var o JournalOutcome
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return o, false
		} else if err != nil {
			t.Fatal(err)
		}
		if o.Name == name {
			return o, true
		}
	}
}

// JournalTree returns a tree that a ReplayResult names, ordered by path.
func JournalTree(t testing.TB, tree string) []Object {
	t.Helper()
	objs, err := ReadTruth(filepath.Join(hostileRoot(t), "trees", tree+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return objs
}

func hostileRoot(t testing.TB) string {
	t.Helper()
	return filepath.Join(Testdata(t), "journal", "hostile")
}
