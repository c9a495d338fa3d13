package exttest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A Change is one recorded change to a file system, and what the kernel showed of
// the inode afterwards.
type Change struct {
	Number int      `json:"change"` // from 1
	Time   [2]int64 `json:"time"`   // just before, by the wall clock
	Op     string   `json:"op"`
	Path   string   `json:"path"`
	Other  string   `json:"other_path"` // the second name of a link or rename

	Sequence uint32 `json:"sequence"`  // of the transaction that holds it
	LogBlock uint32 `json:"log_block"` // where its commit block is
	// FastCommitOf is the transaction that the change would have been in, had it
	// not gone into a fast commit. Sequence is 0 then.
	FastCommitOf uint32 `json:"fast_commit_of"`

	InodeFacts             // as of afterwards; none after the last name was removed
	Removed    *InodeFacts `json:"removed"` // what lost a name, just before
}

// InodeFacts is what stat(2) and its like tell of an inode.
type InodeFacts struct {
	Ino        uint64            `json:"inode"`
	Type       string            `json:"type"`
	Mode       string            `json:"mode"` // octal
	UID        uint32            `json:"uid"`
	GID        uint32            `json:"gid"`
	Size       int64             `json:"size"`
	Links      uint64            `json:"links"`
	Blocks512  int64             `json:"blocks_512"`
	Atime      [2]int64          `json:"atime"` // seconds, nanoseconds
	Mtime      [2]int64          `json:"mtime"`
	Ctime      [2]int64          `json:"ctime"`
	Generation uint32            `json:"generation"` // not of symlinks
	Target     string            `json:"target"`
	SHA256     string            `json:"sha256"`
	Xattrs     map[string]string `json:"xattrs"` // values in hex
}

// Changes returns the changes recorded of a case, as "journal/history", in the order
// they were made.
func Changes(t testing.TB, name string) []Change {
	t.Helper()
	return readLines[Change](t, name, "changes.json")
}

// A RottenLink is a symlink, and what became of its target.
type RottenLink struct {
	Path       string   `json:"path"`
	Target     string   `json:"target"`
	Cause      string   `json:"cause"` // deleted, renamed, never (there was no such name) or none (not broken)
	How        string   `json:"how"`
	Name       string   `json:"name"`  // the path whose last name is missing
	Ino        uint32   `json:"inode"` // what it named
	Generation uint32   `json:"generation"`
	MovedTo    []string `json:"moved_to"` // all names of that inode today
}

// RottenLinks returns the symlinks of a case, as "journal/rot".
func RottenLinks(t testing.TB, name string) []RottenLink {
	t.Helper()
	return readLines[RottenLink](t, name, "causes.json")
}

func readLines[T any](t testing.TB, name, file string) (all []T) {
	t.Helper()
	f, err := os.Open(filepath.Join(Testdata(t), filepath.FromSlash(name), file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for dec := json.NewDecoder(f); ; {
		var v T
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		all = append(all, v)
	}
}
