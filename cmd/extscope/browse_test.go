package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// What wrong calls say, and how they end.
func TestBrowseUsage(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		say    string
	}{
		{[]string{"ls"}, exitUsage, "requires at least 1 arg"},
		{[]string{"ls", "no-such-image"}, exitUsage, "no-such-image"},
		{[]string{"ls", demo, "/nope"}, exitUsage, "/nope: no such file"},
		{[]string{"ls", demo, "@9999"}, exitUsage, "inode 9999 does not exist"},
		{[]string{"ls", "-f", "xml", demo}, exitUsage, "xml"},
		{[]string{"ls", "-z", demo}, exitUsage, "extscope ls --help"},
		{[]string{"ls", "-o", demo, "--force", demo}, exitUsage, "evidence"},
		{[]string{"ls", "browse_test.go"}, exitNotExt, "browse_test.go"},
		{[]string{"tree", "-L", "0", demo}, exitUsage, "--level"},
		{[]string{"find", "--type", "x", demo}, exitUsage, "--type x"},
		{[]string{"find", "--links", "many", demo}, exitUsage, "--links many"},
		{[]string{"find", "--size", "1T", demo}, exitUsage, "--size 1T"},
		{[]string{"find", "--newer", "/nope", demo}, exitUsage, "/nope"},
		{[]string{"find", "-0", "-f", "json", demo}, exitUsage, "--print0"},
		{[]string{"find", "--mindepth", "-1", demo}, exitUsage, "negative"},
		{[]string{"cat", demo}, exitUsage, "requires at least 2 arg"},
		{[]string{"cat", demo, "/etc"}, exitUsage, "/etc: is a directory"},
		{[]string{"cat", demo, "/dev/null"}, exitUsage, "chardev"},
		{[]string{"cat", demo, "/home/ana/ping"}, exitUsage, "symbolic links"},
		{[]string{"readlink", demo, "/etc"}, exitUsage, "/etc: not a symbolic link"},
		{[]string{"readlink", "--canonicalize", demo, "/home/ana/ping"}, exitUsage, "symbolic links"},
	} {
		got := call(t, tt.args...)
		if got.status != tt.status || !strings.Contains(got.err, tt.say) || got.out != "" {
			t.Errorf("%v: status %d, stdout %q, stderr %q; want %d and %q", tt.args, got.status, got.out, got.err, tt.status, tt.say)
		}
	}
}

// What exists is shown beside what does not.
func TestBrowsePartly(t *testing.T) {
	got := call(t, "cat", demo, "/nope", "/etc", "/etc/app.conf", "/nope2")
	if got.status != exitUsage || got.out != call(t, "cat", demo, "@34").out && !strings.Contains(got.out, "rotate = weekly") {
		t.Errorf("%+v", got)
	}
	if n := strings.Count(got.err, "\n"); n != 3 {
		t.Errorf("%d lines on stderr: %s", n, got.err)
	}
}

// A deleted file's inode gives what it still maps.
func TestCatDeleted(t *testing.T) {
	got := call(t, "cat", demo, "@38")
	if got.status != exitDone || got.out != "A first draft, soon thrown away.\n" || !strings.Contains(got.err, "inode 38 is not in use") {
		t.Errorf("%+v", got)
	}
}

// Of an image that was cut off, what is left is shown, and the rest is named.
func TestBrowseTruncated(t *testing.T) {
	whole := exttest.Bytes(t, "matrix/ext4-1k")
	short := filepath.Join(t.TempDir(), "short.img")
	if err := os.WriteFile(short, whole[:len(whole)/12], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ls", "-R", short}, {"ls", "-lR", short}, {"tree", short}, {"find", short, "--size", "+0"}, {"ls", "-R", "-f", "ndjson", short}} {
		got := call(t, args...)
		if got.status != exitPartial || got.out == "" || !strings.Contains(got.err, "past the end of the image") {
			t.Errorf("%v: status %d, %d bytes, stderr %.300q", args, got.status, len(got.out), got.err)
		}
	}
}

// The commands end, and panic at nothing.
func TestBrowseHostile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		file := filepath.Join(dir, "image")
		if err := os.WriteFile(file, exttest.HostileImage(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"ls", "-laiR", "--deleted", file}, {"ls", "-aR", "-f", "json", "--deleted", file}, {"tree", "--deleted", file},
			{"find", file, "--empty", "--deleted"}, {"readlink", "--canonicalize", file, "/", "@12", "@13"}, {"cat", file, "@13", "@14"},
		} {
			var errs bytes.Buffer
			got := result{status: runContext(context.Background(), args, nil, &limited{n: 64 << 20}, &errs)}
			if got.status == exitFlagged {
				t.Errorf("%s: %v: status %d", name, args, got.status)
			}
		}
	}
}

// A limited writer takes n bytes, then its pipe is closed.
type limited struct{ n int }

func (l *limited) Write(p []byte) (int, error) {
	if l.n -= len(p); l.n < 0 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// A pipe closed early ends a command quietly.
func TestBrowsePipe(t *testing.T) {
	image := exttest.Image(t, "matrix/large-dir")
	for _, args := range [][]string{{"ls", "-lR", image}, {"ls", "-R", "-f", "json", image}, {"tree", image}, {"find", image}, {"cat", demo, "/var/log/app.log"}} {
		var errs bytes.Buffer
		status := runContext(context.Background(), args, nil, &limited{n: 10}, &errs)
		if status != exitDone || errs.Len() > 0 {
			t.Errorf("%v: status %d, stderr %q", args, status, errs.String())
		}
	}
}

// An interrupted command says so.
func TestBrowseInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"ls", "-R", demo}, {"find", demo, "--name", "nothing"}, {"tree", demo}, {"cat", demo, "/var/log/app.log"}} {
		if status := runContext(ctx, args, nil, io.Discard, io.Discard); status != exitInterrupted {
			t.Errorf("%v: status %d", args, status)
		}
	}
}
