package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestFormerGrown takes the first MiB of a volume of one group, in which files grew from
// transaction to transaction and were removed: the log has lost its beginning, and copies
// of the inode table lie in the rest. Nothing shorter than a file was is called intact.
func TestFormerGrown(t *testing.T) {
	exttest.Root(t)
	v := &lostVolume{image: filepath.Join(t.TempDir(), "image")}
	if err := os.WriteFile(v.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(v.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	tool(t, exttest.Tool(t, "mke2fs"), "-t", "ext4", "-b", "4096", "-q", "-F", v.image)
	last := map[uint64]string{}
	v.mounted(t, func(dir string) {
		if err := os.MkdirAll(filepath.Join(dir, "var/log/app"), 0o755); err != nil {
			t.Fatal(err)
		}
		var files []*os.File
		for i := range 12 {
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("var/log/app/%d.log", i)))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			files = append(files, f)
		}
		for round := range 8 {
			for i, f := range files {
				if _, err := f.Write(bytes.Repeat(fmt.Appendf(nil, "file %d in round %d\n", i, round), 300)); err != nil {
					t.Fatal(err)
				}
			}
			tool(t, "sync", "-f", dir)
		}
		for _, f := range files {
			b, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b)
			last[info.Sys().(*syscall.Stat_t).Ino] = hex.EncodeToString(sum[:])
		}
	})
	v.mounted(t, func(dir string) {
		if err := os.RemoveAll(filepath.Join(dir, "var")); err != nil {
			t.Fatal(err)
		}
	})
	v.zero(t, 0, 1<<20)
	to := filepath.Join(t.TempDir(), "out")
	if r := call(t, "recover", v.image, "--all", "--to", to); r.status != exitPartial || !strings.Contains(r.err, "all of it is read") {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	raw, err := os.ReadFile(filepath.Join(to, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Files []struct {
			Inode  uint64
			Grade  string
			SHA256 string
		}
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	met := 0
	for _, f := range m.Files {
		want, ok := last[f.Inode]
		if !ok {
			continue
		}
		met++
		if f.Grade == "intact" && f.SHA256 != want {
			t.Errorf("inode %d is called intact, and is not what it was", f.Inode)
		}
	}
	if met == 0 {
		t.Errorf("none of the files came back: %.2000s", raw)
	}
}
