package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// tmpfs mounts a file system of so many bytes.
func tmpfs(t *testing.T, size string) (dir string) {
	t.Helper()
	exttest.Root(t)
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		exttest.Skip(t, "tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestRecoverFull writes to a folder that gets full, and goes on when there is room.
func TestRecoverFull(t *testing.T) {
	dir := tmpfs(t, "1m")
	image, contents := many(t, 200)
	to := filepath.Join(dir, "to")
	got := call(t, "recover", image, "--to", to, "--all")
	if got.status != exitUsage || !strings.Contains(got.err, "bytes are to be written") || len(files(t, dir)) != 0 {
		t.Errorf("too little room: status %d, %s%v", got.status, got.err, files(t, dir))
	}
	got = call(t, "recover", image, "--to", to, "--all", "--force-space")
	if got.status != exitUsage || !strings.Contains(got.err, "no space left on device") {
		t.Errorf("full: status %d, %s", got.status, got.err)
	}
	m := readManifest(t, filepath.Join(to, manifestName))
	if m.Summary["complete"] != false || m.Summary["stopped"] != "no space left on device" || len(m.Files) != len(contents) {
		t.Errorf("the manifest of a full folder: %v", m.Summary)
	}
	told := map[string]bool{manifestName: true, journalName: true}
	for _, f := range m.Files {
		switch {
		case f.Output != nil:
			told[*f.Output] = true
		case len(f.Notes) != 1 || !strings.HasPrefix(f.Notes[0], "not written: "):
			t.Errorf("%s: notes %q", *f.Path, f.Notes)
		}
	}
	have := files(t, to)
	for name, text := range have {
		if !told[name] || contents[name] != "" && contents[name] != text {
			t.Errorf("%s is not in the manifest, or not whole", name)
		}
	}
	if n := len(have); n != len(told) || n < 10 || n > 190 {
		t.Errorf("%d files are there, %d in the manifest", n, len(told))
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if got := call(t, "recover", image, "--to", to, "--all"); got.status != exitDone {
		t.Errorf("with room: status %d, %s", got.status, got.err)
	}
	m = readManifest(t, filepath.Join(to, manifestName))
	if have := files(t, to); m.Summary["complete"] != true || len(have) != len(contents)+1 {
		t.Errorf("with room %d files: %v", len(have), m.Summary)
	}
}

// TestRecoverFullOfLinks writes to a folder that has room for files, and not for all of their
// further names: the manifest tells of those that were given, and the same call goes on.
func TestRecoverFullOfLinks(t *testing.T) {
	raw, _ := exttest.GoneImage(t, "undelete/hard-links")
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	// A tmpfs counts a hard link as an inode.
	met := 0
	for inodes := 10; inodes < 18; inodes++ {
		dir := tmpfs(t, fmt.Sprintf("1m,nr_inodes=%d", inodes))
		to := filepath.Join(dir, "to")
		got := call(t, "recover", image, "--to", to, "--all")
		if got.status == exitDone {
			continue
		}
		m := manifest{}
		if _, err := os.Stat(filepath.Join(to, manifestName)); err == nil {
			m = readManifest(t, filepath.Join(to, manifestName))
		}
		if m.Summary["written"] != 4.0 {
			continue // files had no room
		}
		met++
		given, _ := m.Summary["links"].(float64)
		have := 0
		for _, name := range []string{"weekly/first", "weekly/two", "weekly/deep/uno"} {
			if _, err := os.Lstat(filepath.Join(to, name)); err == nil {
				have++
			}
		}
		if m.Summary["complete"] != false || int(given) != have || have == 3 {
			t.Errorf("%d inodes: %d further names are there, the manifest has %v, complete %v", inodes, have, given, m.Summary["complete"])
		}
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=1m,nr_inodes=100"); err != nil {
			t.Fatal(err)
		}
		if got := call(t, "recover", image, "--to", to, "--all"); got.status != exitDone {
			t.Errorf("with room: status %d, %s", got.status, got.err)
		}
		m = readManifest(t, filepath.Join(to, manifestName))
		if m.Summary["complete"] != true || m.Summary["links"] != 3.0 || len(files(t, to)) != 8 {
			t.Errorf("with room %v: %v", files(t, to), m.Summary)
		}
	}
	if met == 0 {
		t.Error("no folder had room for the files only")
	}
}

// TestRecoverOntoEvidence is refused: on a loop device of the image, on a partition of
// one, and where the evidence is that device.
func TestRecoverOntoEvidence(t *testing.T) {
	exttest.Root(t)
	losetup := exttest.Tool(t, "losetup")
	image, _ := many(t, 10)
	out, err := exec.Command(losetup, "-f", "--show", image).Output()
	if err != nil {
		exttest.Skip(t, "losetup: %v", err)
	}
	loop := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command(losetup, "-d", loop).Run() })
	dir := t.TempDir()
	if err := syscall.Mount(loop, dir, "ext4", 0, ""); err != nil {
		exttest.Skip(t, "mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	for _, evidence := range []string{loop, image} {
		got := call(t, "recover", evidence, "--to", filepath.Join(dir, "d1", "to"), "--all")
		if got.status != exitUsage || !strings.Contains(got.err, "evidence: nothing is written") {
			t.Errorf("%s: status %d, %s", evidence, got.status, got.err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "d1", "to")); err == nil {
			t.Errorf("%s: the folder was made", evidence)
		}
		if got := call(t, "recover", evidence, "--to", filepath.Join(t.TempDir(), "to"), "--all"); got.status == exitUsage {
			t.Errorf("%s: elsewhere: status %d, %s", evidence, got.status, got.err)
		}
	}
}

// TestRecoverOwner restores what only root may.
func TestRecoverOwner(t *testing.T) {
	exttest.Root(t)
	image := made(t, "ext4", "8M", map[string]string{"f": "contents"}, "sif /f uid 1234", "sif /f gid 2345", "sif /f mode 0104751",
		"ea_set /f user.note hello", "ea_set /f trusted.note there", "rm /f")
	for _, tt := range []struct{ flags, want string }{
		{"", "0:0 100751 user.note= trusted.note="},
		{"--owner", "1234:2345 104751 user.note= trusted.note="},
		{"--owner --xattrs", "1234:2345 104751 user.note=hello trusted.note=there"},
	} {
		dir := t.TempDir()
		got := call(t, append([]string{"recover", image, "--to", dir, "/f"}, strings.Fields(tt.flags)...)...)
		if got.status != exitDone {
			t.Fatalf("%s: status %d, %s", tt.flags, got.status, got.err)
		}
		var st syscall.Stat_t
		name := filepath.Join(dir, "f")
		if err := syscall.Lstat(name, &st); err != nil {
			t.Fatal(err)
		}
		have := fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode)
		for _, x := range []string{"user.note", "trusted.note"} {
			b := make([]byte, 64)
			n, _ := syscall.Getxattr(name, x, b)
			have += fmt.Sprintf(" %s=%s", x, b[:max(n, 0)])
		}
		if notes := readManifest(t, filepath.Join(dir, manifestName)).Files[0].Notes; have != tt.want && len(notes) == 0 {
			t.Errorf("%s: %s, want %s", tt.flags, have, tt.want)
		} else if have != tt.want {
			t.Logf("%s: %s, want %s: %q", tt.flags, have, tt.want, notes)
		}
	}
}
