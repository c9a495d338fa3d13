package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestOutputToPipe writes into what keeps its place, as /dev/null does: it is not
// replaced by a file, --force or not.
func TestOutputToPipe(t *testing.T) {
	image, dir := exttest.Image(t, "small"), t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	want := call(t, "ls", image).out
	for _, force := range []string{"--force=false", "--force"} {
		read := make(chan string)
		go func() {
			b, _ := os.ReadFile(pipe)
			read <- string(b)
		}()
		got := call(t, "ls", image, "-o", pipe, force)
		if info, err := os.Lstat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Fatalf("%s: the pipe is gone: %v", force, info)
		}
		if through := <-read; got.status != exitDone || through != want || through == "" {
			t.Errorf("%s: status %d, %d bytes through the pipe, want %d; %s", force, got.status, len(through), len(want), got.err)
		}
	}
	if got := call(t, "ls", image, "-o", dir, "--force"); got.status != exitUsage || !strings.Contains(got.err, "no regular file") {
		t.Errorf("onto a folder: status %d, %s", got.status, got.err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
