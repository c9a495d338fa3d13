package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

func TestHashGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		args   []string
	}{
		{"hash-demo.table", exitDone, []string{"hash", demo}},
		{"hash-demo.csv", exitDone, []string{"hash", demo, "-f", "csv", "-a", "sha256,sha1,md5,blake3"}},
		{"hash-demo-files.table", exitDone, []string{"hash", demo, "--files"}},
		{"hash-demo-all.json", exitDone, []string{"hash", demo, "--all", "-f", "json"}},
		{"hash-demo-all.ndjson", exitDone, []string{"hash", demo, "--all", "-f", "ndjson"}},
		{"hash-demo-home.markdown", exitDone, []string{"hash", demo, "/home", "-f", "markdown"}},
		{"hash-demo-all.sum", exitDone, []string{"hash", demo, "--all", "-f", "sum"}},
		{"hash-demo-all.dfxml", exitDone, []string{"hash", demo, "--all", "-a", "md5,sha1", "-f", "dfxml"}},
	} {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, tt.status, tt.args...) })
	}
}

// TestHashSums has the tools of coreutils check digests of a whole tree against what
// debugfs reads, names with odd bytes included.
func TestHashSums(t *testing.T) {
	debugfs := exttest.Tool(t, "debugfs")
	image := exttest.Image(t, "small")
	dir := t.TempDir()
	if out, err := exec.Command(debugfs, "-R", "rdump / "+dir, image).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, a := range []string{"sha256", "sha1", "md5"} {
		sum := exttest.Tool(t, a+"sum")
		got := call(t, "hash", image, "--files", "-a", a, "-f", "sum")
		if got.status != exitDone || got.out == "" {
			t.Fatalf("exit status %d: %s", got.status, got.err)
		}
		cmd := exec.Command(sum, "--check", "--strict", "--quiet")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(got.out)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%sum: %v\n%s", a, err, out)
		}
	}
}

// TestHashKnown marks files by lists in every form.
func TestHashKnown(t *testing.T) {
	const digest = "10a3320736e3ec395f0414394ec78d263ef2efb7bd73c2398570d7aa938f8261" // of report-2024.txt
	const sha1 = "e4f46940c4ca912551e528d17ebdd2ba"
	for name, list := range map[string]string{
		"plain":    strings.ToUpper(digest) + "\n\n",
		"sums":     digest + "  some/file\n" + strings.Repeat("0", 64) + " *other\n",
		"escaped":  `\` + digest + `  odd\nname` + "\n",
		"bsd":      "SHA256 (some/file) = " + digest + "\n",
		"openssl":  "SHA2-256(some/file)= " + digest + "\n",
		"md5":      sha1 + "\n",
		"nsrl":     "\"SHA-1\",\"MD5\",\"CRC32\",\"FileName\"\r\n\"07A8F34A05AF1AD82A768E86D8D89DAD97D5A6E8\",\"9BCE87CDCEC6BF908F54228C1A871157\",\"0\",\"a,b\"\r\n",
		"nsrl sha": "\"sha256\",\"sha1\",\"md5\"\n\"" + digest + "\",\"\",\"\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "list")
			if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
				t.Fatal(err)
			}
			all := call(t, "hash", demo, "--files", "-f", "csv", "--known", file)
			left := call(t, "hash", demo, "--files", "-f", "csv", "--known", file, "--only-unknown")
			want := 1
			if name == "nsrl" {
				want = 3 // the names of one inode
			}
			known := strings.Count(all.out, ",true,")
			if known != want || strings.Count(left.out, "\n") != strings.Count(all.out, "\n")-want {
				t.Errorf("%d known, want %d; %d lines, %d without them\n%s%s", known, want, strings.Count(all.out, "\n"), strings.Count(left.out, "\n"), all.out, all.err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("no digest here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := call(t, "hash", demo, "--files", "--known", file); got.status != exitUsage {
		t.Errorf("a list without digests: exit status %d", got.status)
	}
}
