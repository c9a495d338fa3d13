package main

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// container unpacks testdata/containers/NAME.gz.
func container(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("../../testdata/containers", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestQcow2AsRaw holds what commands say of a qcow2 file against what they say of the raw
// image.
func TestQcow2AsRaw(t *testing.T) {
	raw := container(t, "raw.img")
	for _, name := range []string{"v1.qcow", "v2.qcow2", "v3.qcow2", "zlib.qcow2", "zstd.qcow2", "extended.qcow2"} {
		converted := container(t, "qcow2/"+name)
		for _, args := range [][]string{{"audit"}, {"ls", "-lR"}, {"deleted"}, {"cat", "", "/seq"}} {
			with := func(image string) result {
				a := append([]string(nil), args...)
				if len(a) > 1 && a[1] == "" {
					a[1] = image
				} else {
					a = append(a, image)
				}
				return call(t, a...)
			}
			if got, want := with(converted), with(raw); got != want {
				t.Errorf("%s %v: %d, %q\nwant %d, %q", name, args, got.status, got.err, want.status, want.err)
			}
		}
		to := t.TempDir()
		if got := call(t, "recover", "--all", "--to", filepath.Join(to, "out"), converted); got.status != exitDone {
			t.Errorf("%s: recover: %d, %s", name, got.status, got.err)
		}
	}
}

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
	raw, disk, next := container(t, "raw.img"), filepath.Join(dir, "disk.qcow2"), filepath.Join(dir, "next.qcow2")
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
	whole := container(t, "raw.img")
	sparse := filepath.Join(t.TempDir(), "sparse")
	b, err := os.ReadFile(container(t, "e2image/dump.raw"))
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
	dumps := []string{container(t, "e2image/dump.qcow2")}
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
