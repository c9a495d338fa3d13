package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// A transcript is what the shell showed of one step: by command, what it
// printed.
func transcript(t *testing.T, step string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(exttest.Testdata(t), step, "facts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for part := range strings.SplitSeq("\n"+string(b), "\n$ ") {
		command, output, _ := strings.Cut(part, "\n")
		said[command] = strings.TrimSuffix(strings.TrimSuffix(output, "\n"), "\n")
	}
	return said
}

var statLine = regexp.MustCompile(`: inode (\d+), (\d+) link\(s\), (\d+) bytes, `)

// TestTutorial runs the commands over each step of the tutorial and checks what
// a person would check with ls -li, stat, readlink and cat.
func TestTutorial(t *testing.T) {
	for _, step := range exttest.Some(4, exttest.Cases(t, "links-tutorial")) {
		t.Run(filepath.Base(step), func(t *testing.T) {
			image := exttest.Image(t, step)
			states := symlinkStatesOf(t, image)
			for command, output := range transcript(t, step) {
				tool, name, _ := strings.Cut(command, " ")
				path := "/" + name
				switch tool {
				case "stat":
					checkStat(t, image, path, output)
				case "readlink":
					if got := call(t, "readlink", image, path); got.out != output+"\n" || got.status != exitDone {
						t.Errorf("readlink %s: %q, want %q", path, got.out, output)
					}
				case "cat":
					checkCat(t, image, path, output)
					checkState(t, states, path, output)
				}
			}
			if got := call(t, "audit", image, "--kinds", "-rotten-link,-symlink-loop"); got.status != exitDone {
				t.Errorf("audit finds fault with what a kernel made:\n%s%s", got.out, got.err)
			}
			checkHardLinks(t, image, step)
		})
	}
}

func checkStat(t *testing.T, image, path, output string) {
	t.Helper()
	want := statLine.FindStringSubmatch(output)
	if want == nil {
		return
	}
	got := call(t, "stat", image, path, "-f", "json")
	var r struct {
		Inodes []struct {
			Inode, Links, Size uint64
			Paths              []string
		}
	}
	if err := json.Unmarshal([]byte(got.out), &r); err != nil || len(r.Inodes) != 1 {
		t.Fatalf("stat %s: %v\n%s", path, err, got.out)
	}
	in := r.Inodes[0]
	if have := fmt.Sprint(in.Inode, in.Links, in.Size); have != strings.Join(want[1:], " ") {
		t.Errorf("stat %s: inode, links and size are %s, want %s", path, have, strings.Join(want[1:], " "))
	}
	if in.Links > 1 && strings.Contains(output, "regular file") && len(in.Paths) != int(in.Links) {
		t.Errorf("stat %s: %d links and the paths %q", path, in.Links, in.Paths)
	}
}

// checkCat compares contents, and what keeps them from being read: that is the
// caller's error, and told.
func checkCat(t *testing.T, image, path, output string) {
	t.Helper()
	got := call(t, "cat", image, path)
	for _, reason := range []string{"No such file or directory", "Too many levels of symbolic links", "Is a directory"} {
		if strings.HasPrefix(output, "cat: ") && strings.HasSuffix(output, reason) {
			if got.status != exitUsage || got.out != "" || !strings.Contains(strings.ToLower(got.err), strings.ToLower(reason)) {
				t.Errorf("cat %s: status %d, %q, want %q", path, got.status, got.err, reason)
			}
			return
		}
	}
	if got.status != exitDone || strings.TrimSuffix(got.out, "\n") != output {
		t.Errorf("cat %s: status %d, %q, want %q", path, got.status, got.out, output)
	}
}

// symlinkStatesOf gives the state of every symlink by path.
func symlinkStatesOf(t *testing.T, image string) map[string]string {
	t.Helper()
	got := call(t, "symlinks", image, "-f", "json")
	var r struct {
		Symlinks []struct{ Path, State string }
	}
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, s := range r.Symlinks {
		states[s.Path] = s.State
	}
	return states
}

// checkState compares the state of a symlink with what cat made of it.
func checkState(t *testing.T, states map[string]string, path, output string) {
	t.Helper()
	state, ok := states[path]
	if !ok {
		return
	}
	want := "ok"
	switch {
	case !strings.HasPrefix(output, "cat: "):
	case strings.HasSuffix(output, "No such file or directory"):
		want = "rotten"
	case strings.HasSuffix(output, "Too many levels of symbolic links"):
		want = "loop"
	}
	if state != want {
		t.Errorf("%s is %s, and cat says %q", path, state, output)
	}
}

// checkHardLinks compares the names of every file with those the kernel showed for
// its inode.
func checkHardLinks(t *testing.T, image, step string) {
	t.Helper()
	want := map[uint64][]string{}
	for _, o := range exttest.Truth(t, step) {
		if o.Type != "directory" {
			want[o.Ino] = append(want[o.Ino], string(o.Path))
		}
	}
	got := call(t, "links", image, "-f", "json")
	var r struct {
		Links []struct {
			Inode, Stored, Counted uint64
			Paths                  []string
			Mismatch               bool
		}
	}
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Links {
		if l.Mismatch || l.Stored != uint64(len(want[l.Inode])) || fmt.Sprint(l.Paths) != fmt.Sprint(want[l.Inode]) {
			t.Errorf("links: %+v, want %q", l, want[l.Inode])
		}
		delete(want, l.Inode)
	}
	for ino, paths := range want {
		if len(paths) > 1 {
			t.Errorf("links leaves out inode %d with %q", ino, paths)
		}
	}
}

// TestTutorialLinkCounts follows the link count of one file through the steps.
func TestTutorialLinkCounts(t *testing.T) {
	for _, tt := range []struct {
		step, path, links string
	}{
		{"01-create", "/home/file", "1"},
		{"01-create", "/home", "2"}, // a new directory: its name and its own "."
		{"02-hard-link", "/home/file", "2"},
		{"02-hard-link", "/home/hard", "2"},
		{"03-symlink-same-directory", "/home/file", "2"},
		{"04-symlink-other-directory", "/desk", "2"},
		{"05-move-target", "/home/moved", "2"},
		{"07-delete-target", "/home/hard", "1"}, // and it still reads
	} {
		t.Run(tt.step+tt.path, func(t *testing.T) {
			image := exttest.Image(t, "links-tutorial/"+tt.step)
			got := call(t, "find", image, "--path", tt.path, "--links", tt.links)
			if got.out != tt.path+"\n" {
				t.Errorf("find --links %s: %q %q", tt.links, got.out, got.err)
			}
		})
	}
}
