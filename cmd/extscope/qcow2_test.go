package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestSnapshot opens a state that is kept in the image.
func TestSnapshot(t *testing.T) {
	qemu, debugfs := exttest.Tool(t, "qemu-img"), exttest.Tool(t, "debugfs")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	dir := t.TempDir()
	raw, disk, next := exttest.Container(t, "raw.img"), filepath.Join(dir, "disk.qcow2"), filepath.Join(dir, "next.qcow2")
	run(qemu, "convert", "-f", "raw", "-O", "qcow2", raw, disk)
	run(qemu, "snapshot", "-c", "before", disk)
	run(debugfs, "-w", "-R", "rm /seq", raw)
	// What changed is written over the state that the snapshot keeps.
	run(qemu, "create", "-q", "-f", "qcow2", "-b", disk, "-F", "qcow2", next)
	run(qemu, "convert", "-n", "-f", "raw", "-O", "qcow2", raw, next)
	run(qemu, "commit", "-q", next)
	if got := call(t, "stat", disk, "/seq"); got.status != exitUsage {
		t.Errorf("now: %d, %s", got.status, got.err)
	}
	for _, s := range []string{"before", "1"} {
		if got := call(t, "cat", disk, "/seq", "--snapshot", s); got.status != exitDone || !strings.HasPrefix(got.out, "1\n2\n") {
			t.Errorf("snapshot %s: %d, %s", s, got.status, got.err)
		}
	}
	if got := call(t, "ls", disk, "--snapshot", "after"); got.status != exitUsage || !strings.Contains(got.err, `1 "before" of 20`) {
		t.Errorf("no such snapshot: %d, %s", got.status, got.err)
	}
	if got := call(t, "ls", raw, "--snapshot", "before"); got.status != exitUsage || !strings.Contains(got.err, "it has none") {
		t.Errorf("raw: %d, %s", got.status, got.err)
	}
}

// TestMetadataDump tells what a dump of e2image lacks, and calls none of it damage.
func TestMetadataDump(t *testing.T) {
	whole := exttest.Container(t, "raw.img")
	sparse := filepath.Join(t.TempDir(), "sparse")
	b, err := os.ReadFile(exttest.Container(t, "e2image/dump.raw"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(sparse)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += 4096 {
		if p := b[at : at+4096]; strings.Trim(string(p), "\x00") != "" {
			if _, err := f.WriteAt(p, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Truncate(int64(len(b))); err != nil {
		t.Fatal(err)
	}
	f.Close()
	dumps := []string{exttest.Container(t, "e2image/dump.qcow2")}
	if got := call(t, "cat", sparse, "/dir/file-01"); got.status == exitDone {
		t.Log("no holes in files of the temporary folder: the raw dump is left out")
	} else {
		dumps = append(dumps, sparse)
	}
	// One that was made with contents lacks only zeros.
	full := filepath.Join(t.TempDir(), "full")
	if out, err := exec.Command(exttest.Tool(t, "e2image"), "-Qa", whole, full).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range []string{"/seq", "/zeros", "/dir/file-07"} {
		if got, want := call(t, "cat", full, path), call(t, "cat", whole, path); got.status != exitDone || got.out != want.out {
			t.Errorf("%s of a dump with contents: %d, %s", path, got.status, got.err)
		}
	}
	for _, dump := range dumps {
		for _, args := range [][]string{{"audit"}, {"ls", "-lR"}, {"links"}} {
			got, want := call(t, append(args, dump)...), call(t, append(args, whole)...)
			if got.status != want.status || got.out != want.out {
				t.Errorf("%v: %d, %s\n%s\nwant %s", args, got.status, got.err, got.out, want.out)
			}
		}
		if got := call(t, "cat", dump, "/seq"); got.status != exitPartial || !strings.Contains(got.err, "not in ") {
			t.Errorf("contents: %d, %s", got.status, got.err)
		}
		if got := call(t, "cat", dump, "/seq", "/zeros"); got.status != exitPartial {
			t.Errorf("zeros that are not there: %d, %s", got.status, got.err)
		}
	}
}
