package ext_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// TestQuotaDebugfs reads quota files as debugfs's list_quota does.
func TestQuotaDebugfs(t *testing.T) {
	tool := exttest.Tool(t, "debugfs")
	for _, name := range []string{"matrix/quota", "matrix/everything"} {
		image := exttest.Bytes(t, name)
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []layout.QuotaType{layout.QuotaUser, layout.QuotaGroup, layout.QuotaProject} {
			said, err := exec.Command(tool, "-R", "list_quota "+kind.String(), path).Output()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for i, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
				if i > 0 { // what the columns are
					want = append(want, strings.Join(strings.Fields(line), " "))
				}
			}
			q, err := f.Quota(kind)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for e, err := range q.Entries() {
				if err != nil {
					t.Error(err)
				}
				if id := binary.LittleEndian.Uint32(image[e.Offset:]); id != e.ID {
					t.Errorf("%s: at byte %d is %d", name, e.Offset, id)
				}
				got = append(got, fmt.Sprint(e.ID, e.Space, e.BlockSoftLimit*1024, e.BlockHardLimit*1024, e.Inodes, e.InodeSoftLimit, e.InodeHardLimit))
			}
			slices.Sort(got)
			slices.Sort(want)
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s %s: got %q, want %q", name, kind, got, want)
			}
		}
	}
}

// A quotaEdit changes blocks of the user quota file of matrix/quota, which has users 0,
// 1000, 65534, 65536 and 4000000000 in block 5, and its tree in blocks 1 to 4 and 6 to 12.
func quotaEdit(t testing.TB, image []byte, change func(block func(int) []byte)) []byte {
	t.Helper()
	image = bytes.Clone(image)
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := f.Inode(layout.UserQuotaIno)
	if err != nil {
		t.Fatal(err)
	}
	file := f.File(in)
	change(func(n int) []byte {
		return image[file.Place(int64(n)*layout.QuotaBlockSize):][:layout.QuotaBlockSize]
	})
	return image
}

func readQuota(image []byte) (ids []uint32, faults []string) {
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		return nil, []string{err.Error()}
	}
	q, err := f.Quota(layout.QuotaUser)
	if err != nil {
		return nil, []string{err.Error()}
	}
	for e, err := range q.Entries() {
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		ids = append(ids, e.ID)
	}
	return ids, faults
}

func TestQuotaDamage(t *testing.T) {
	good := exttest.Bytes(t, "matrix/quota")
	all := "[0 1000 65534 65536 4000000000]"
	for _, tt := range []struct {
		what   string
		change func(block func(int) []byte)
		ids    string
		fault  string // a part of the first, "" for none
	}{
		{"nothing", func(func(int) []byte) {}, all, ""},
		{"another magic", func(b func(int) []byte) { b(0)[0]++ }, "[]", "dqh_magic is 0xd9c01f12"},
		{"more blocks than the file", func(b func(int) []byte) { b(0)[0x14] = 200 }, "[]", "dqi_blocks is 0xc8"},
		{"no block", func(b func(int) []byte) { b(0)[0x14] = 1 }, "[]", "dqi_blocks is 0x1"},
		{"a free block that is the root", func(b func(int) []byte) { b(0)[0x18] = 1 }, "[]", "dqi_free_blk is 0x1"},
		{"a free block that is of entries", func(b func(int) []byte) { b(0)[0x18] = 5 }, all, "list of free blocks"},
		{"room behind the end", func(b func(int) []byte) { b(0)[0x1c] = 13 }, "[]", "dqi_free_entry is 0xd"},
		{"a reference to the root", func(b func(int) []byte) { b(2)[0] = 1 }, all, "reference to a block that it has not, which is 0x1"},
		{"a reference behind the end", func(b func(int) []byte) { b(1)[0] = 13 }, all, "reference to a block that it has not, which is 0xd"},
		{"a ring", func(b func(int) []byte) { b(3)[0] = 2 }, all, "further reference to a block of its tree, which is 0x2"},
		{"a node for entries", func(b func(int) []byte) { b(4)[0] = 3 }, all, "further reference to a block of its tree, which is 0x3"},
		{"a reference to no entry", func(b func(int) []byte) { b(4)[4] = 5 }, all, "reference for an id whose entry is not there, which is 0x1"},
		{"an entry without a reference", func(b func(int) []byte) { b(4)[0] = 0 }, all, "dqb_id of an entry that its tree does not lead to is 0x0"},
		{"an id twice", func(b func(int) []byte) { copy(b(5)[16+72:], b(5)[16:16+4]) }, "[0 0 65534 65536 4000000000]", "dqb_id of an entry"},
		{"another count", func(b func(int) []byte) { b(5)[8] = 4 }, all, "dqdh_entries is 0x4"},
		{"a list of blocks with room that ends nowhere", func(b func(int) []byte) { b(5)[0] = 77 }, all, "dqdh_next_free is 0x4d"},
	} {
		ids, faults := readQuota(quotaEdit(t, good, tt.change))
		if got := fmt.Sprint(ids); got != tt.ids {
			t.Errorf("%s: ids %s, want %s", tt.what, got, tt.ids)
		}
		if tt.fault == "" && faults != nil || tt.fault != "" && (len(faults) == 0 || !strings.Contains(faults[0], tt.fault)) {
			t.Errorf("%s: %q, want %q", tt.what, faults, tt.fault)
		}
	}
}

// FuzzQuota changes words of the file, by the number of each.
func FuzzQuota(f *testing.F) {
	good := exttest.Bytes(f, "matrix/quota")
	f.Add([]byte{0x14 / 4, 0, 1, 0, 0, 0, 0, 1, 12, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		readQuota(quotaEdit(t, good, func(block func(int) []byte) {
			for ; len(data) >= 6; data = data[6:] {
				word := int(data[0]) | int(data[1])<<8
				copy(block(word / 256 % 16)[word%256*4:], data[2:6])
			}
		}))
	})
}
