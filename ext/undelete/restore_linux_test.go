package undelete

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// TestRestoreSymlinkTimes gives a link its own times, and what it leads to none.
func TestRestoreSymlinkTimes(t *testing.T) {
	r, dir, _ := restorer(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := &ext.Inode{Ino: 12}
	in.Mode, in.Atime, in.Mtime = layout.ModeSymlink|0o777, time.Unix(1e9, 7).UTC(), time.Unix(1e9+1, 5).UTC()
	for _, tt := range []struct {
		name, target string
		in           *ext.Inode
		atime, mtime time.Time // zero: those of now
	}{
		{"to-file", outside, in, in.Atime, in.Mtime},
		{"d/rotten", "nowhere", in, in.Atime, in.Mtime},
		{"no-inode", outside, nil, time.Time{}, time.Time{}},
	} {
		c := &Candidate{Ino: 12, Type: layout.ModeSymlink, In: tt.in, Target: []byte(tt.target), Grade: Intact}
		got, err := r.Symlink(&Job{Candidate: c, Output: tt.name, Key: fmt.Sprintf("%x", c.Key())})
		if err != nil || got.Notes != nil {
			t.Fatalf("%s: %v, notes %q", tt.name, err, got.Notes)
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(filepath.Join(dir, tt.name), &st); err != nil {
			t.Fatal(err)
		}
		atime, mtime := time.Unix(st.Atim.Unix()).UTC(), time.Unix(st.Mtim.Unix()).UTC()
		if tt.in == nil && time.Since(mtime) > time.Hour || tt.in != nil && (!atime.Equal(tt.atime) || !mtime.Equal(tt.mtime)) {
			t.Errorf("%s: atime %v, mtime %v", tt.name, atime, mtime)
		}
	}
	if info, err := os.Stat(outside); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("what the link leads to was touched: %v, %v", info.ModTime(), err)
	}
}
