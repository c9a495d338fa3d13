package replay_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// TestMount has the kernel replay the journal of a copy of each crash case: objects
// are compared with what it shows, and bitmaps, counts and findings with what it
// leaves on disk.
func TestMount(t *testing.T) {
	exttest.Root(t)
	for _, name := range exttest.Some(4, exttest.CrashCases(t)) {
		t.Run(name, func(t *testing.T) {
			image, device := exttest.CrashImage(t, name)
			before, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			options := "rw,noatime,noinit_itable"
			if device != "" {
				options += ",journal_path=" + loop(t, device)
			}
			v := openCrash(t, name, replay.Options{})
			m, err := exttest.MountImage(image, options)
			if err != nil {
				t.Fatal(err)
			}
			compareTree(t, v.FS, exttest.Walk(t, m.Dir), fastTouched(v))
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(before, after) {
				t.Fatal("the kernel has replayed nothing")
			}
			if strings.Contains(name, "orphan") || name == "journal/ext3" {
				return // the kernel has deleted the orphans
			}
			kernel := openBytes(t, after, replay.Options{})
			compareGroups(t, v.FS, kernel.FS)
			compareFindings(t, v.FS, kernel.FS)
		})
	}
}

// loop makes a file a loop device.
func loop(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command("losetup", "-f", "--show", file).CombinedOutput()
	if err != nil {
		t.Fatalf("losetup: %v: %s", err, out)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", dev).CombinedOutput(); err != nil {
			t.Errorf("losetup -d %s: %v: %s", dev, err, out)
		}
	})
	return dev
}

func compareGroups(t *testing.T, got, want *ext.FS) {
	t.Helper()
	if a, b := got.Super, want.Super; a.FreeBlocks != b.FreeBlocks || a.FreeInodes != b.FreeInodes {
		t.Errorf("superblock: %d free blocks and %d free inodes, want %d and %d", a.FreeBlocks, a.FreeInodes, b.FreeBlocks, b.FreeInodes)
	}
	for n, g := range want.Groups() {
		h := got.Group(n)
		if h.State != ext.GroupGood || g.State != ext.GroupGood {
			t.Errorf("group %d: %v, %v", n, h.State, g.State)
		}
		if h.GroupDesc != g.GroupDesc {
			t.Errorf("group %d: %+v, want %+v", n, h.GroupDesc, g.GroupDesc)
		}
		a, _, err := got.BlockBitmap(n)
		b, _, err2 := want.BlockBitmap(n)
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("group %d: block bitmap (%v, %v): %s", n, err, err2, bits(a, b))
		}
		a, err = got.InodeBitmap(n)
		b, err2 = want.InodeBitmap(n)
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("group %d: inode bitmap (%v, %v): %s", n, err, err2, bits(a, b))
		}
	}
}

// bits lists where two bitmaps differ.
func bits(got, want []byte) string {
	var s strings.Builder
	for i := range len(got) * 8 {
		if a, b := got[i/8]>>(i%8)&1, want[i/8]>>(i%8)&1; a != b {
			fmt.Fprintf(&s, " %d: %d want %d", i, a, b)
		}
	}
	return s.String()
}

func compareFindings(t *testing.T, got, want *ext.FS) {
	t.Helper()
	count := func(f *ext.FS) map[string]int {
		r, err := audit.Run(context.Background(), f, audit.Options{Skip: func(k audit.Kind) bool { return k == audit.OddTime }})
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]int{}
		for _, x := range r.Findings {
			m[fmt.Sprintf("%s of inode %d, group %d: %s", x.Kind, x.Ino, x.Group, x.Detail)]++
		}
		return m
	}
	a, b := count(got), count(want)
	for k, n := range a {
		if b[k] != n {
			t.Errorf("audit finds %d times, in what the kernel leaves %d times: %s", n, b[k], k)
		}
	}
	for k, n := range b {
		if a[k] != n {
			t.Errorf("audit finds %d times, in what the kernel leaves %d times: %s", a[k], n, k)
		}
	}
}
