package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

func TestReportGolden(t *testing.T) {
	golden(t, "report-demo.html", exitDone, "report", demo, "--case", "2025-003", "--examiner", "A. Olsen")
	golden(t, "report-demo.markdown", exitDone, "report", demo, "-f", "markdown", "--title", "The demo image")
}

// TestReportSame: the same evidence gives the same bytes, wherever they go.
func TestReportSame(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"journal/rot", "links-tutorial/13-python-upgrade", "matrix/everything"} {
		image := exttest.Image(t, name)
		for _, format := range []string{"html", "markdown"} {
			var first string
			for _, out := range []string{"first", "second"} {
				out = filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+format+out)
				if got := call(t, "report", image, "-f", format, "-o", out); got.status != exitDone && got.status != exitPartial {
					t.Fatalf("report %s: exit status %d\n%s", name, got.status, got.err)
				}
				b, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if first != "" && first != string(b) {
					t.Errorf("report %s -f %s: two runs differ\n%s", name, format, firstDifference(string(b), first))
				}
				first = string(b)
			}
		}
	}
}

func TestReportUsage(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	if err := os.WriteFile(notes, []byte("Seized on <b>Monday</b>.\nSecond line \x1b[31m\u202e.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		status int
		want   []string // in stdout, or on stderr where the status is not exitDone
	}{
		{"-f json", exitUsage, []string{"html or markdown"}},
		{"-a crc32", exitUsage, []string{"crc32"}},
		{"--notes /nowhere/at/all", exitUsage, []string{"nowhere"}},
		{"-o " + demo + " --force", exitUsage, []string{"the evidence itself"}},
		{"--notes " + notes, exitDone, []string{"Seized on &lt;b&gt;Monday&lt;/b&gt;.\nSecond line \\x1b[31m\\u{202e}."}},
		{"--notes " + notes + " -f markdown", exitDone, []string{"- note: Seized on &lt;b&gt;Monday&lt;/b&gt;."}},
		{"--no-hash", exitDone, []string{"not computed: --no-hash", "report ../../testdata/demo.img --no-hash"}},
		{"-a sha256,md5 --mounted-at /mnt", exitDone, []string{"--algorithms=sha256,md5 --mounted-at=/mnt", "<dt>MD5</dt>"}},
		{"--now", exitDone, []string{"<dt>made</dt>"}},
		{"--title <script>alert(1)</script>", exitDone, []string{"<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>"}},
	} {
		got := call(t, append([]string{"report", demo}, strings.Fields(tt.args)...)...)
		text := got.out
		if tt.status != exitDone {
			text = got.err
		}
		if got.status != tt.status {
			t.Errorf("report %s: exit status %d, want %d: %s", tt.args, got.status, tt.status, got.err)
		}
		for _, w := range tt.want {
			if !strings.Contains(text, w) {
				t.Errorf("report %s: no %q", tt.args, w)
			}
		}
	}
}

// TestReportBlocks holds the block map against what debugfs says of a block's use.
func TestReportBlocks(t *testing.T) {
	out := call(t, "report", demo).out
	_, counts, _ := strings.Cut(out, `data-states="used|metadata|deleted, still there|deleted, overwritten|unreadable|free" data-counts="`)
	counts, _, _ = strings.Cut(counts, `"`)
	cells := strings.Split(counts, ";")
	if len(cells) != 511 {
		t.Fatalf("%d cells for blocks 1 to 511", len(cells))
	}
	for i, c := range cells {
		block := i + 1
		used := strings.Contains(exttest.Debugfs(t, demo, fmt.Sprintf("testb %d", block)), "marked in use")
		if free := strings.HasSuffix(c, ",1") || block == 57; free == used {
			t.Errorf("block %d: cell %s, and debugfs says in use: %t", block, c, used)
		}
		if i > 120 {
			break
		}
	}
	// Block 57 is free, and was that of inode 38, which was deleted.
	if cells[56] != "0,0,1,0,0,0" {
		t.Errorf("block 57 is %s", cells[56])
	}
}

// TestReportHostileNames: no name becomes markup.
func TestReportHostileNames(t *testing.T) {
	image := hostileNames(t)
	for _, format := range []string{"html", "markdown"} {
		got := call(t, "report", image, "-f", format)
		if got.status != exitDone {
			t.Fatalf("exit status %d: %s", got.status, got.err)
		}
		for _, bad := range []string{"<img", "<script>alert", "<svg on", "\u202e", "\x1b"} {
			if strings.Contains(got.out, bad) {
				t.Errorf("%s: %q stands in the report as it is", format, bad)
			}
		}
		if format == "html" && !strings.Contains(got.out, "&lt;img src=x onerror=alert(1)&gt;") {
			t.Error("the name is not shown")
		}
	}
}

// hostileNames makes an image of names that want to be markup, each of a rotten symlink.
func hostileNames(t *testing.T) string {
	t.Helper()
	mke2fs := exttest.Tool(t, "mke2fs")
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for _, name := range []string{
		`<img src=x onerror=alert(1)>`, `<script>alert(1)<`, `" onmouseover="alert(1)`, `' onfocus='alert(1)`, `javascript:alert(1)`,
		"\u202egnp.exe", "\x1b[31mred", "{{.Script}}", "]]>", "<!--", "a`${alert(1)}`", "\u2028x", "\xff\xfe",
	} {
		sub := filepath.Join(tree, name)
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(`</title></script><img src=x onerror=alert(1)>`+name, filepath.Join(sub, "link"+name)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, name+".txt"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(dir, "image")
	if out, err := exec.Command(mke2fs, "-q", "-t", "ext4", "-L", "</style><b>", "-d", tree, image, "8M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	return image
}
