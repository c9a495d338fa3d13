package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/report"
)

// oracleCases are images whose kernel view is compared with ours through the
// coreutils and findutils.
var oracleCases = []string{
	"matrix/everything", "matrix/ext4-4k", "matrix/ext4-1k", "matrix/ext2-no-filetype", "matrix/ext3-4k", "matrix/inline-data",
	"matrix/large-dir", "matrix/bigalloc-16k", "links-tutorial/02-hard-link", "links-tutorial/15-loop", "demo.img",
}

func mountCase(t *testing.T, name string) (image, dir string) {
	t.Helper()
	image = exttest.Image(t, name)
	return image, exttest.Mount(t, image, "")
}

// toolOutput runs a program inside a directory.
func toolOutput(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(exttest.Tool(t, name), args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C.UTF-8", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, errs.Bytes())
	}
	return out
}

// ls writes what ls(1) of the coreutils writes on a mount, to the last blank.
func TestOracleLs(t *testing.T) {
	for _, name := range exttest.Some(3, oracleCases) {
		t.Run(name, func(t *testing.T) {
			image, dir := mountCase(t, name)
			for _, flags := range []string{"-R", "-Ri", "-lR", "-liR"} {
				// Numbers for owners, times as ours, all dotfiles, bytes order.
				list := exec.Command(exttest.Tool(t, "ls"), flags, "-A", "-n", "--time-style=+%Y-%m-%d %H:%M:%S", ".")
				if !strings.Contains(flags, "l") {
					list.Args = slices.DeleteFunc(list.Args, func(a string) bool { return a == "-n" })
				}
				list.Dir, list.Env = dir, []string{"LC_ALL=C", "TZ=UTC"}
				out, err := list.Output()
				if err != nil {
					t.Fatal(err)
				}
				want := printableLines(out)
				got := call(t, "ls", flags, image)
				if got.status != exitDone || got.out != want {
					t.Errorf("ls %s: status %d, %s\n%s", flags, got.status, firstDifference(got.out, want), got.err)
				}
			}
		})
	}
}

// printableLines spells the output of ls . as ours for the root.
func printableLines(out []byte) string {
	// The two newlines of the cases that end no line.
	within := strings.NewReplacer("new\nline", "new\x00line", "caf\xe9\n\x1b", "caf\xe9\x00\x1b")
	var b strings.Builder
	for line := range bytes.Lines([]byte(within.Replace(string(out)))) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		switch {
		case string(line) == ".:":
			line = []byte("/:")
		case bytes.HasPrefix(line, []byte("./")) && bytes.HasSuffix(line, []byte(":")):
			line = line[1:]
		}
		b.WriteString(strings.ReplaceAll(report.Printable(line), `\x00`, `\n`) + "\n")
	}
	return b.String()
}

// find finds what find(1) finds on a mount.
func TestOracleFind(t *testing.T) {
	for _, name := range exttest.Some(2, []string{"matrix/everything", "matrix/ext4-4k", "links-tutorial/02-hard-link", "matrix/ext2-no-filetype", "demo.img"}) {
		t.Run(name, func(t *testing.T) {
			image, dir := mountCase(t, name)
			tests := [][]string{
				{}, {"-name", "*a*"}, {"-name", ".*"}, {"-name", "*[!a-z0-9]*"}, {"-name", "?"}, {"-name", "[]a-c]*"}, {"-name", "*\\**"},
				{"-name", "*[[:upper:]]*"}, {"-iname", "*L*"}, {"-iname", "[N-Z]*"}, {"-name", "e*-*1*[3-5]"},
				{"-path", "*/hard/*"}, {"-path", "*a/*b*"},
				{"-type", "f"}, {"-type", "d"}, {"-type", "l,p"}, {"-type", "s,b,c"},
				{"-links", "1"}, {"-links", "+1"}, {"-links", "-2"}, {"-links", "+2"},
				{"-size", "0"}, {"-size", "1"}, {"-size", "+1"}, {"-size", "-1M"}, {"-size", "-2M"}, {"-size", "2k"}, {"-size", "+5k"},
				{"-size", "60c"}, {"-size", "-100c"}, {"-size", "30w"}, {"-size", "+1G"}, {"-size", "1G"},
				{"-uid", "0"}, {"-uid", "+0"}, {"-gid", "-1000"}, {"-gid", "+65535"},
				{"-perm", "644"}, {"-perm", "-111"}, {"-perm", "/222"}, {"-perm", "/6000"}, {"-perm", "-u+rw,g+r"}, {"-perm", "/u=s,g=s"},
				{"-perm", "-1000"}, {"-perm", "/0"}, {"-perm", "u=rw,go=r"},
				{"-empty"}, {"-empty", "-type", "d"}, {"-newer", "./lost+found"}, {"-newermt", "2025-03-02 00:00:00"}, {"-newermt", "1969-01-01"},
				{"-maxdepth", "1"}, {"-mindepth", "3"}, {"-maxdepth", "2", "-mindepth", "2"},
				{"-inum", "12"}, {"-inum", "-20"}, {"-inum", "+40"},
				{"-type", "f", "-size", "+0", "-links", "+1", "-name", "*"},
			}
			for _, test := range tests {
				if _, err := os.Stat(filepath.Join(dir, "lost+found")); err != nil && slices.Contains(test, "-newer") {
					continue
				}
				theirs, ours := findArgs(test)
				want := strings.Split(string(toolOutput(t, dir, "find", append(theirs, "-print0")...)), "\x00")
				got := call(t, append([]string{"find", "--print0", image}, ours...)...)
				if got.status != exitDone {
					t.Errorf("find %v: status %d: %s", test, got.status, got.err)
				}
				for i, p := range want {
					if want[i] = strings.TrimPrefix(p, "."); p == "." {
						want[i] = "/"
					}
				}
				have := strings.Split(got.out, "\x00")
				slices.Sort(want)
				slices.Sort(have)
				if !slices.Equal(have, want) {
					t.Errorf("find %q: %d paths, find(1) has %d: %s", test, len(have), len(want), difference(have, want))
				}
			}
		})
	}
}

// findArgs turns tests of find(1) into its command line for "." and into ours.
func findArgs(test []string) (theirs, ours []string) {
	theirs = append([]string{"."}, test...)
	depth := false
	for i := 0; i < len(test); i++ {
		arg := test[i]
		if !strings.HasPrefix(arg, "-") || i > 0 && strings.HasPrefix(test[i-1], "-") && test[i-1] != "-empty" {
			continue
		}
		flag := "-" + arg
		switch arg {
		case "-inum":
			flag = "--inode"
		case "-mindepth", "-maxdepth":
			depth = true
		}
		if arg == "-empty" {
			ours = append(ours, flag)
			continue
		}
		ours = append(ours, flag, strings.TrimPrefix(test[i+1], "./"))
		i++
	}
	if !depth {
		// The start's own name is "." there and "/" here.
		theirs = slices.Insert(theirs, 1, "-mindepth", "1")
		ours = append(ours, "--mindepth", "1")
	}
	return theirs, ours
}

// difference names a few paths that are in one list only.
func difference(got, want []string) string {
	var b strings.Builder
	n := 0
	for _, p := range want {
		if _, ok := slices.BinarySearch(got, p); !ok && n < 5 {
			b.WriteString(" missing " + report.Printable([]byte(p)))
			n++
		}
	}
	for _, p := range got {
		if _, ok := slices.BinarySearch(want, p); !ok && n < 10 {
			b.WriteString(" superfluous " + report.Printable([]byte(p)))
			n++
		}
	}
	return b.String()
}

// cat writes every file as the kernel reads it.
func TestOracleCat(t *testing.T) {
	for _, name := range exttest.Some(1, []string{"matrix/ext2-1k", "matrix/ext4-4k", "matrix/inline-data", "matrix/bigalloc-16k"}) {
		t.Run(name, func(t *testing.T) {
			image := exttest.Image(t, name)
			var one, many []exttest.Object
			for i, o := range exttest.Truth(t, name) {
				switch {
				case o.Type != "file" || o.SHA256 == "" || o.Unreadable != "" || o.Size > 32<<20:
				case !strings.HasPrefix(string(o.Path), "/many/"):
					one = append(one, o)
				case i%7 == 0:
					many = append(many, o)
				}
			}
			for list := range slices.Chunk(one, 1) {
				checkCats(t, image, list)
			}
			for list := range slices.Chunk(many, 100) {
				checkCats(t, image, list)
			}
			if len(one) == 0 || len(many) == 0 {
				t.Errorf("%d files were tried one by one, %d together", len(one), len(many))
			}
		})
	}
}

// checkCats has one cat write all of a list of files.
func checkCats(t *testing.T, image string, list []exttest.Object) {
	t.Helper()
	args := []string{"cat", image}
	for _, o := range list {
		args = append(args, string(o.Path))
	}
	got := call(t, args...)
	if got.status != exitDone {
		t.Errorf("%s and %d more: status %d: %s", list[0].Path, len(list)-1, got.status, got.err)
	}
	rest := got.out
	for _, o := range list {
		file := rest[:min(o.Size, int64(len(rest)))]
		rest = rest[len(file):]
		if digest, err := exttest.Digest(strings.NewReader(file), int64(len(file))); err != nil || digest != o.SHA256 {
			t.Errorf("%s: %d bytes of %d, digest %s, want %s %v", o.Path, len(file), o.Size, digest, o.SHA256, err)
		}
	}
	if rest != "" {
		t.Errorf("%s and %d more: %d bytes too many", list[0].Path, len(list)-1, len(rest))
	}
}

// Holes stay holes in a file that cat writes.
func TestCatHoles(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	got := call(t, "cat", "-o", out, demo, "/var/log/app.log")
	if got.status != exitDone {
		t.Fatal(got)
	}
	want := call(t, "cat", demo, "/var/log/app.log").out
	have, err := os.ReadFile(out)
	if err != nil || string(have) != want {
		t.Fatalf("%d bytes, %v; stdout got %d", len(have), err, len(want))
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks > 96 {
		t.Errorf("%d blocks of 512 bytes; the file's data takes 4", blocks)
	}
	if again := call(t, "cat", "-o", out, demo, "/etc/app.conf"); again.status != exitUsage {
		t.Errorf("cat onto a file that is there: %+v", again)
	}
}
