package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/extscope/extscope/ext/exttest"
)

// A manifest is what tests read of manifest.json.
type manifest struct {
	Files []struct {
		Output, Path, SHA256, Target *string
		PathHex                      string `json:"path_hex"`
		Name, Type, Grade, Evidence  string
		Inode                        int
		Size                         int64
		Notes                        []string
	}
	Directories []struct{ Output, Path *string }
	Summary     map[string]any
}

// readManifest reads a manifest, and holds it against the files that it names.
func readManifest(t *testing.T, name string) manifest {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		if f.Output == nil || f.Type != "file" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(filepath.Dir(name), filepath.FromSlash(*f.Output)))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(data); int64(len(data)) != f.Size || f.SHA256 == nil || *f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %d bytes, the manifest has other size or sum", *f.Output, len(data))
		}
	}
	return m
}

// files lists the files below a folder, with their contents.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case d.Type()&fs.ModeSymlink != 0:
			all[rel], err = os.Readlink(name)
		case d.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(name)
			all[rel] = string(b)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func TestRecoverGolden(t *testing.T) {
	rot, history := exttest.Image(t, "journal/rot"), exttest.Image(t, "journal/history")
	golden(t, "recover-rot.table", exitDone, "recover", rot, "--all", "--dry-run")
	golden(t, "recover-history.json", exitDone, "recover", history, "--all", "--dry-run", "-f", "json")
	golden(t, "deleted-rot.table", exitDone, "deleted", rot)

	dir := filepath.Join(t.TempDir(), "to")
	golden(t, "recover-history.csv", exitDone, "recover", history, "--to", dir, "--all", "--symlinks", "-f", "csv")
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	readManifest(t, filepath.Join(dir, manifestName))
	got := strings.Replace(string(b), history, "IMAGE", 1)
	name := filepath.Join("testdata", "golden", "recover-history-manifest.json")
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(name); err != nil || string(want) != got {
		t.Errorf("%v: the manifest differs from %s\n%s", err, name, firstDifference(got, string(want)))
	}
}

// TestRecoverLinks gives files that had several names all of them, as hard links.
func TestRecoverLinks(t *testing.T) {
	raw, gone := exttest.GoneImage(t, "undelete/hard-links")
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "to")
	got := call(t, "recover", image, "--to", dir, "--all")
	if got.status != exitDone || !strings.Contains(got.out, "wrote 4 files (9.4KiB), 3 further names of them and 3 folders") {
		t.Fatalf("status %d: %s%s", got.status, got.out, got.err)
	}
	first := map[uint64]os.FileInfo{} // by inode in the image
	for _, g := range gone {
		name := filepath.Join(dir, filepath.FromSlash(g.Path))
		info, err := os.Lstat(name)
		switch {
		case g.Path == "/weekly/copy": // its file is there under another name
			if err == nil {
				t.Errorf("%s was written", g.Path)
			}
			continue
		case err != nil:
			t.Error(err)
			continue
		case g.Kind != "file":
			continue
		}
		b, err := os.ReadFile(name)
		if sum := fmt.Sprintf("%x", sha256.Sum256(b)); err != nil || sum != g.SHA256 {
			t.Errorf("%s: %v, sum %s, want %s", g.Path, err, sum, g.SHA256)
		}
		if first[g.Ino] == nil {
			first[g.Ino] = info
		} else if !os.SameFile(first[g.Ino], info) {
			t.Errorf("%s is no link to the other names of inode %d", g.Path, g.Ino)
		}
	}
	m := readManifest(t, filepath.Join(dir, manifestName))
	if m.Summary["links"] != 3.0 {
		t.Errorf("the manifest has %v links", m.Summary["links"])
	}
}

// TestRecoverTree writes a tree, and holds it against what was in the files.
func TestRecoverTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	got := call(t, "recover", exttest.Image(t, "journal/rot"), "--to", dir, "--all")
	if got.status != exitDone || !strings.Contains(got.out, "wrote 8 files (83 bytes) and 4 folders") {
		t.Fatalf("status %d: %s%s", got.status, got.out, got.err)
	}
	m := readManifest(t, filepath.Join(dir, manifestName))
	if len(m.Files) != 8 || len(m.Directories) != 4 || m.Summary["complete"] != true || m.Summary["intact"] != 10.0 {
		t.Errorf("the manifest has %d files, %d directories: %v", len(m.Files), len(m.Directories), m.Summary)
	}
	info, err := os.Stat(filepath.Join(dir, "tree", "a"))
	if err != nil || info.ModTime().UTC().Format(time.DateTime) != "2026-11-22 12:01:52" {
		t.Errorf("a folder that was deleted is of %v, %v", info.ModTime(), err)
	}
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("DIR is %v, %v", info.Mode(), err)
		}
	}
}

func TestRecoverPicks(t *testing.T) {
	rot, history := exttest.Image(t, "journal/rot"), exttest.Image(t, "journal/history")
	for _, tt := range []struct{ args, want string }{
		{"/dir/deleted", "dir/deleted"},
		{"/tree", "tree/a/b/leaf"},
		{"/tree/", "tree/a/b/leaf"},
		{"/tre", ""},
		{"*/leaf", "half/sub/leaf tree/a/b/leaf"},
		{"leaf", "half/sub/leaf tree/a/b/leaf"},
		{"/dir/re*", "dir/recreated dir/replaced"},
		{"@24 @34", "dir/deleted dir/recreated"},
		{"<24>", "dir/deleted"},
		{"--grade unproven", "names/name-0150 other/moved-deleted"},
		{"/dir --grade unproven", "other/moved-deleted"},
		{"--type directory", "-"},
		{"--path /other/*", "other/moved-deleted"},
		{"--since 2027-01-01", "-"},
		{"/nothing /dir/deleted", ""},
		{"@4000000", ""},
		{"--grade good", ""},
		{"--all /dir", ""},
		{"", ""},
	} {
		got := call(t, append([]string{"recover", rot, "--dry-run", "-f", "json"}, strings.Fields(tt.args)...)...)
		var m manifest
		var outputs []string
		_ = json.Unmarshal([]byte(got.out), &m)
		for _, f := range m.Files {
			outputs = append(outputs, *f.Output)
		}
		switch have := strings.Join(outputs, " "); {
		case tt.want == "" && (got.status != exitUsage || got.err == ""):
			t.Errorf("%s: status %d, stderr %q", tt.args, got.status, got.err)
		case tt.want != "" && got.status != exitDone, tt.want != "" && have != strings.Trim(tt.want, "-"):
			t.Errorf("%s: status %d, %q; want %q\n%s", tt.args, got.status, have, tt.want, got.err)
		}
	}
	dir := t.TempDir()
	if got := call(t, "recover", history, "--to", dir, "@15"); got.status != exitDone {
		t.Errorf("status %d: %s", got.status, got.err)
	}
	if m := readManifest(t, filepath.Join(dir, manifestName)); len(m.Files) != 1 || m.Files[0].Output != nil || m.Files[0].Target == nil || *m.Files[0].Target != "archive/report" {
		t.Errorf("a symlink without --symlinks: %+v", m.Files)
	}
	dir = t.TempDir()
	call(t, "recover", history, "--to", dir, "@15", "--symlinks")
	if m := readManifest(t, filepath.Join(dir, manifestName)); m.Files[0].Output == nil || files(t, dir)[*m.Files[0].Output] != "archive/report" {
		t.Errorf("a symlink: %+v, %v", m.Files, files(t, dir))
	}
}

// TestRecoverRefuses goes by what is in DIR already.
func TestRecoverRefuses(t *testing.T) {
	rot, history := exttest.Image(t, "journal/rot"), exttest.Image(t, "journal/history")
	parent := t.TempDir()
	done := filepath.Join(parent, "done")
	call(t, "recover", rot, "--to", done, "/dir")
	before := files(t, done)
	write := func(name, text string) string {
		dir := filepath.Join(parent, name)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, journalName), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	plain := filepath.Join(parent, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ to, image, arg, want string }{
		{"", rot, "--all", "--to DIR is missing"},
		{done, rot, "--all", "is finished"},
		{done, rot, "/dir", "is finished"},
		{plain, rot, "--all", "plain"},
		{filepath.Join(plain, "below"), rot, "--all", "plain"},
		{write("strange", "hello\n"), rot, "--all", "no file of a recovery"},
		{write("other", `{"extscope_recover":"x","image_size":1,"offset":0,"inodes":3,"arguments":""}`+"\n"), history, "--all", "of other evidence"},
	} {
		got := call(t, "recover", tt.image, "--to", tt.to, tt.arg)
		if got.status != exitUsage || !strings.Contains(got.err, tt.want) {
			t.Errorf("--to %s: status %d, %q; want %q", tt.to, got.status, got.err, tt.want)
		}
	}
	if after := files(t, done); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the folder was %v, and is %v", before, after)
	}
	got := call(t, "recover", rot, "--to", done, "/dir/deleted", "--force")
	if after := files(t, done); got.status != exitDone || after["dir/deleted.@24"] != after["dir/deleted"] || after[manifestName] != before[manifestName] {
		t.Errorf("--force: status %d, %s %v", got.status, got.err, after)
	}
	if m := readManifest(t, filepath.Join(done, "manifest-2.json")); len(m.Files) != 1 || len(m.Files[0].Notes) != 1 {
		t.Errorf("manifest-2.json: %+v", m)
	}
}

// made makes an image of files, and runs debugfs over it.
func made(t testing.TB, kind, size string, contents map[string]string, script ...string) (image string) {
	t.Helper()
	mke2fs, debugfs := exttest.Tool(t, "mke2fs"), exttest.Tool(t, "debugfs")
	dir := t.TempDir()
	from, commands := filepath.Join(dir, "from"), filepath.Join(dir, "script")
	image = filepath.Join(dir, "image")
	for name, text := range contents {
		name = filepath.Join(from, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(commands, []byte(strings.Join(script, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{mke2fs, "-q", "-t", kind, "-b", "4096", "-d", from, image, size}, {debugfs, "-w", "-f", commands, image}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	return image
}

// many makes an image with many deleted files, and gives their contents.
func many(t *testing.T, n int) (image string, contents map[string]string) {
	t.Helper()
	contents = map[string]string{}
	var script []string
	for i := range n {
		name := fmt.Sprintf("d%d/f%d", i%7, i)
		contents[name] = strings.Repeat(fmt.Sprintf("line of %s\n", name), 100+i*13%3000)
		script = append(script, "rm /"+name)
	}
	return made(t, "ext4", "64M", contents, script...), contents
}

// TestRecoverResumes interrupts a run again and again, and wants what one run gives.
func TestRecoverResumes(t *testing.T) {
	image, contents := many(t, 200)
	whole := filepath.Join(t.TempDir(), "whole")
	if got := call(t, "recover", image, "--to", whole, "--all"); got.status != exitDone {
		t.Fatalf("status %d: %s", got.status, got.err)
	}
	want := files(t, whole)
	if len(want) != len(contents)+1 {
		t.Fatalf("%d files of %d", len(want)-1, len(contents))
	}
	for name, text := range contents {
		if want[name] != text {
			t.Errorf("%s differs", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "to")
	interrupted := 0
	for round := 1; ; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			// Some more files than the run before.
			for ctx.Err() == nil {
				if info, err := os.Stat(filepath.Join(dir, journalName)); err == nil && info.Size() > int64(round)*3000 {
					cancel()
				}
			}
		}()
		var out, stderr bytes.Buffer
		status := runContext(ctx, []string{"recover", image, "--to", dir, "--all"}, strings.NewReader(""), &out, &stderr)
		cancel()
		have := files(t, dir)
		for name, text := range have {
			if base := filepath.Base(name); strings.HasPrefix(base, ".extscope-part") || base != journalName && text != want[name] {
				t.Errorf("round %d: %s is not to be there, or not so", round, name)
			}
		}
		if status == exitInterrupted && have[manifestName] == "" {
			interrupted++
			if got := call(t, "recover", image, "--to", dir, "@12"); got.status != exitUsage || !strings.Contains(got.err, "other words") {
				t.Errorf("another call goes on with it: status %d, %s", got.status, got.err)
			}
			continue
		}
		if status != exitDone && status != exitInterrupted || len(have) != len(want) || have[manifestName] != want[manifestName] {
			t.Errorf("round %d: status %d, %d files of %d, %s\n%s", round, status, len(have), len(want), stderr.String(), firstDifference(have[manifestName], want[manifestName]))
		}
		break
	}
	t.Logf("interrupted %d times", interrupted)
	if interrupted == 0 {
		exttest.Skip(t, "the runs were over before they could be interrupted")
	}
}

// TestRecoverHostileNames gives deleted files names that lead elsewhere.
func TestRecoverHostileNames(t *testing.T) {
	names := []string{"../../../../evil", "new\nline\x1b[2J", "nul\x00byte", "\xff\xfe\xfd", strings.Repeat("\xff", 255), "..", "con", "dot.", `back\slash`, manifestName}
	contents := map[string]string{}
	var script []string
	for i, name := range names {
		plain := strings.Repeat(string(rune('A'+i)), len(name))
		contents[plain] = fmt.Sprintf("contents %d", i)
		script = append(script, "rm /"+plain)
	}
	image := made(t, "ext2", "8M", contents, script...)
	dir := t.TempDir()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		old := append([]byte{byte(len(name)), 1}, strings.Repeat(string(rune('A'+i)), len(name))...)
		if bytes.Count(b, old) != 1 {
			t.Fatalf("%q is %d times in the image", old, bytes.Count(b, old))
		}
		b = bytes.Replace(b, old, append([]byte{byte(len(name)), 1}, name...), 1)
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "a", "b", "to")
	got := call(t, "recover", image, "--to", to, "--all", "-f", "table")
	if strings.ContainsAny(got.out+got.err, "\x1b\x00") || !utf8.ValidString(got.out) {
		t.Errorf("the terminal gets %q", got.out+got.err)
	}
	found := map[string]bool{}
	for name, text := range files(t, to) {
		if !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\n\x1b") {
			t.Errorf("written to %q", name)
		}
		found[text] = true
	}
	for i := range names {
		if !found[fmt.Sprintf("contents %d", i)] {
			t.Errorf("%q was not written", names[i])
		}
	}
	for _, name := range []string{filepath.Join(dir, "evil"), filepath.Join(dir, "a", "evil"), filepath.Join(dir, "a", "b", "evil")} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	hexes := 0
	for _, f := range readManifest(t, filepath.Join(to, manifestName)).Files {
		if f.PathHex != "" {
			hexes++
		}
	}
	if hexes != 2 {
		t.Errorf("%d paths have their bytes beside them", hexes)
	}
}
