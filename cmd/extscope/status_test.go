package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestExitStatus pins the exit status, and on which stream what is said.
func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small := exttest.Bytes(t, "small")
	xfs := make([]byte, 1<<16)
	copy(xfs, "XFSB")
	for _, tt := range []struct {
		name   string
		status int
		err    string // a part of what stderr says; "" where it says nothing
		args   []string
	}{
		{"no command", exitDone, "", nil},
		{"help", exitDone, "", []string{"audit", "--help"}},
		{"unknown command", exitUsage, "unknown command", []string{"frobnicate"}},
		{"unknown flag", exitUsage, "unknown flag: --frob", []string{"audit", demo, "--frob"}},
		{"no image", exitUsage, "arg", []string{"audit"}},
		{"no such image", exitUsage, "no such file", []string{"audit", filepath.Join(dir, "none.img")}},
		{"bad format", exitUsage, "yaml", []string{"links", demo, "-f", "yaml"}},
		{"bad kind", exitUsage, "no kind", []string{"audit", demo, "--kinds", "rust"}},
		{"no such path", exitUsage, "no such file or directory", []string{"stat", demo, "/none"}},
		{"no such inode", exitUsage, "does not exist", []string{"stat", demo, "@999999"}},
		{"clean", exitDone, "", []string{"audit", exttest.Image(t, "links-tutorial/01-create")}},
		{"findings", exitFlagged, "", []string{"audit", demo}},
		{"findings left out", exitDone, "", []string{"audit", demo, "--kinds", "bad-checksum"}},
		{"rotten links", exitDone, "", []string{"symlinks", demo}},
		{"rotten links by status", exitFlagged, "", []string{"symlinks", demo, "--exit-code"}},
		{"orphans by status", exitFlagged, "", []string{"orphans", demo, "--exit-code"}},
		{"links by status", exitDone, "", []string{"links", demo, "--exit-code"}},
		{"directory", exitNotExt, "directory", []string{"audit", dir}},
		{"empty", exitNotExt, "empty", []string{"audit", file("empty.img", nil)}},
		{"short", exitNotExt, "short", []string{"audit", file("short.img", make([]byte, 700))}},
		{"zeros", exitNotExt, "zeros", []string{"audit", file("zeros.img", make([]byte, 1<<20))}},
		{"xfs", exitNotExt, "xfs", []string{"audit", file("xfs.img", xfs)}},
		{"truncated", exitPartial, "missing", []string{"ls", file("cut.img", small[:len(small)*3/4])}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := call(t, tt.args...)
			if got.status != tt.status {
				t.Errorf("exit status %d, want %d; stderr: %s", got.status, tt.status, got.err)
			}
			if tt.err == "" && got.err != "" || !strings.Contains(strings.ToLower(got.err), tt.err) {
				t.Errorf("stderr is %q, want %q", got.err, tt.err)
			}
			if tt.status == exitNotExt && strings.Count(got.err, "\n") != 1 {
				t.Errorf("stderr has %d lines, want 1: %q", strings.Count(got.err, "\n"), got.err)
			}
			for line := range strings.Lines(got.err) {
				if !strings.HasPrefix(line, "extscope: ") {
					t.Errorf("stderr line %q", line)
				}
			}
		})
	}
}

// TestOutputFile checks what --output writes, and what it will not overwrite.
func TestOutputFile(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "evidence.img")
	if err := os.WriteFile(image, exttest.Bytes(t, "demo.img"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.json")
	want := call(t, "links", image, "-f", "json").out
	if got := call(t, "links", image, "-f", "json", "-o", out); got.status != exitDone || got.out != "" {
		t.Fatalf("%+v", got)
	}
	if b, _ := os.ReadFile(out); string(b) != want {
		t.Errorf("the file holds %q", b)
	}
	if got := call(t, "links", image, "-o", out); got.status != exitUsage || !strings.Contains(got.err, "--force") {
		t.Errorf("onto a file that is there: %+v", got)
	}
	if got := call(t, "links", image, "-f", "csv", "-o", out, "--force"); got.status != exitDone {
		t.Errorf("--force: %+v", got)
	}
	if b, _ := os.ReadFile(out); !strings.HasPrefix(string(b), "inode,") {
		t.Errorf("--force left %q", b)
	}
	link := filepath.Join(dir, "alias.img")
	if err := os.Symlink(image, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{image, link} {
		if got := call(t, "links", image, "-o", name, "--force"); got.status != exitUsage || !strings.Contains(got.err, "evidence") {
			t.Errorf("onto the evidence: %+v", got)
		}
	}
	if b, _ := os.ReadFile(image); !bytes.Equal(b, exttest.Bytes(t, "demo.img")) {
		t.Error("the evidence was changed")
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 3 {
		t.Errorf("left in the folder: %v", entries)
	}
}

// TestInterrupted checks that a cancelled run says so and leaves no file.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := filepath.Join(t.TempDir(), "out.txt")
	for _, args := range [][]string{{"audit", demo}, {"ls", "-R", demo}, {"symlinks", demo, "-o", out}, {"find", demo}, {"links", demo}, {"orphans", demo}, {"owner", demo, "60"}} {
		var stdout, stderr bytes.Buffer
		if status := runContext(ctx, args, nil, &stdout, &stderr); status != exitInterrupted || stdout.Len() > 0 {
			t.Errorf("%v: exit status %d, %q %q", args, status, stdout.String(), stderr.String())
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an output file was left")
	}
}

// TestSameBytes checks that the same evidence gives the same bytes, however
// the work falls on the cores.
func TestSameBytes(t *testing.T) {
	for _, name := range []string{"demo.img", "matrix/ext4-1k", "matrix/inline-data"} {
		image := exttest.Image(t, name)
		for _, command := range []string{"audit", "links", "symlinks", "orphans", "ls"} {
			args := []string{command, image, "-f", "json"}
			if command == "ls" {
				args = append(args, "-R")
			}
			want := call(t, args...)
			for range 3 {
				if got := call(t, args...); got != want {
					t.Errorf("%v: differs from run to run", args)
				}
			}
		}
	}
}
