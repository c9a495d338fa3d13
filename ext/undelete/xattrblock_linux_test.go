package undelete

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// bigXattr is larger than what an inode has room for.
func bigXattr(name string) []byte { return bytes.Repeat([]byte(name+" "), 3000/(len(name)+1)) }

// putXattrs gives files, which are made where they are not there, a block of attributes
// each.
func putXattrs(t *testing.T, dir, prefix string, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("%s%02d", prefix, i)
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			write(t, filepath.Join(dir, name), []byte(name+"'s contents"))
		}
		if err := syscall.Setxattr(filepath.Join(dir, name), "user.big", bigXattr(name), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// wipeDescriptors takes the descriptors of a clean log away: what they covered lies there
// still.
func wipeDescriptors(t *testing.T, image string) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for at := 0; at < len(b); at += 4096 {
		if binary.BigEndian.Uint64(b[at:]) == 0xC03B3998_00000001 {
			clear(b[at:][:8])
			n++
		}
	}
	if n == 0 {
		t.Fatal("no descriptors")
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestXattrBlocks deletes files with a block of attributes, of which some are taken by
// other files' then.
func TestXattrBlocks(t *testing.T) {
	const files = 8
	debugfs, fsck := exttest.Tool(t, "debugfs"), exttest.Tool(t, "e2fsck")
	reuse := func(t *testing.T, image string) {
		mounted(t, image, func(dir string) {
			putXattrs(t, dir, "new", 64)
			_ = os.WriteFile(filepath.Join(dir, "new00"), make([]byte, 64<<20), 0o600) // as much as there is room for
		})
	}
	all := make([]string, files)
	for i := range all {
		all[i] = fmt.Sprintf("old%02d", i)
	}
	remove := func(t *testing.T, image string) { // as libext2fs does: the inode stays as it was
		for _, name := range all {
			run(t, debugfs, "-w", "-R", "rm "+name, image)
		}
		_ = exec.Command(fsck, "-fy", image).Run() // debugfs does not free the block
	}
	for _, tt := range []struct {
		name, mkfs string
		remove     []string
		after      func(t *testing.T, image string)
		doubt      error
		none       bool
		taken      bool // only blocks that were
	}{
		{"never taken since", "-t ext4 -b 4096", all, nil, nil, false, false},
		{"taken, and in the log", "-t ext4 -b 4096", all, reuse, nil, false, true},
		{"taken, and in the log, without checksums", "-t ext4 -b 4096 -O ^metadata_csum", all, reuse, nil, false, true},
		{"taken, and in the log where nothing covers it", "-t ext4 -b 4096", all, func(t *testing.T, image string) {
			reuse(t, image)
			wipeDescriptors(t, image)
		}, errXattrsStray, false, true},
		{"taken since an inode that still has it", "-t ext4 -b 4096", nil, func(t *testing.T, image string) {
			remove(t, image)
			reuse(t, image)
		}, errXattrsReused, true, true},
		{"free, and no log", "-t ext4 -b 4096 -O ^has_journal", nil, remove, errXattrsFree, false, false},
		{"taken, and no log", "-t ext4 -b 4096 -O ^has_journal", nil, func(t *testing.T, image string) {
			remove(t, image)
			reuse(t, image)
		}, errXattrsReused, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The new files are there before, without attributes: they take no inodes then.
			r, _ := (&recipe{mkfs: tt.mkfs, remove: tt.remove, after: tt.after, make: func(t *testing.T, dir string, put func(string, int)) {
				putXattrs(t, dir, "old", files)
				for i := range 64 {
					put(fmt.Sprintf("new%02d", i), 100)
				}
			}}).deleted(t)
			seen := 0
			for c := range r.All() {
				name := string(c.Name)
				if c.In == nil || c.In.FileACL == 0 || !strings.HasPrefix(name, "old") && name != "" {
					continue
				}
				if tt.taken && r.f.fates.of(c.In.FileACL, c.tx.tx()) != fateReused {
					continue
				}
				attrs, err := r.Xattrs(c)
				if tt.none != (len(attrs) == 0) || fmt.Sprint(err) != fmt.Sprint(tt.doubt) {
					t.Errorf("inode %d, %s: %d attributes, %v; want %v", c.Ino, name, len(attrs), err, tt.doubt)
				}
				for _, x := range attrs {
					if want := bigXattr(name); x.Name != "user.big" || name != "" && !bytes.Equal(x.Value, want) || !bytes.HasPrefix(x.Value, []byte("old")) {
						t.Errorf("%s: %s is %.20q", name, x.Name, x.Value)
					}
				}
				seen++
			}
			if seen == 0 {
				t.Error("no deleted file with a block of attributes was found")
			}
			t.Logf("%d files", seen)
		})
	}
}
