package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
)

func TestInspectStatus(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("just text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args     string
		status   int
		out, err string // patterns
	}{
		{"info", exitUsage, "^$", "arg"},
		{"info DEMO extra", exitUsage, "^$", "no such file"},
		{"info " + dir, exitNotExt, "^$", "directory"},
		{"info " + text, exitNotExt, "^$", "not an ext|no ext"},
		{"info DEMO --nope", exitUsage, "^$", "unknown flag"},
		{"stat DEMO /nope /bin /neither", exitUsage, "File: /bin\n", "(?s)/nope: no such file.*/neither: no such file"},
		{"stat DEMO @9999", exitUsage, "^$", "inode 9999 does not exist"},
		{"stat DEMO /bin/sh/x", exitUsage, "^$", "not a directory"},
		{"stat DEMO /etc/localtime -L", exitDone, "File: /usr/share/zoneinfo/UTC\n", "^$"},
		{"stat DEMO /home/ana/latest -L", exitUsage, "^$", "no such file"},
		{"stat DEMO /home/ana/ping -L", exitUsage, "^$", "symbolic links"},
		{"stat DEMO /bin/../bin//sh", exitDone, "File: /bin/sh\n +and: /bin/busybox\n +and: /bin/ls\n", "^$"},
		{"stat DEMO /bin/sh", exitDone, "File: /bin/sh\n +and: /bin/busybox\n", "^$"},
		{"stat DEMO <28>", exitDone, "File: /bin/busybox\n", "^$"},
		{"stat DEMO @59", exitDone, "never used", "^$"},
		{"stat DEMO @52", exitDone, "Orphan: on the superblock's list, the last\n", "^$"},
		{"blocks DEMO /var/log/app.log", exitDone, "1\\.\\.94 +94 +hole\n", "^$"},
		{"stat DEMO /bin/python", exitDone, "File: /bin/python -> /bin/python3\n", "^$"},
		{"stat DEMO /bin/python -L", exitDone, "File: /bin/python3.11\n", "^$"},
		{"blocks DEMO /etc/localtime -L", exitDone, "^/usr/share/zoneinfo/UTC: inode 32", "^$"},
		{"blocks DEMO @32", exitDone, "^@32: inode 32", "^$"},
		{"blocks DEMO /dev/null", exitDone, "no blocks: a device", "^$"},
		{"owner DEMO", exitUsage, "^$", "arg"},
		{"owner DEMO x", exitUsage, "^$", "no block number"},
		{"owner DEMO 9-3", exitUsage, "^$", "no block number"},
		{"owner DEMO -- -3", exitUsage, "^$", "no block number"},
		{"owner DEMO 512", exitUsage, "^$", "numbered 0 to 511"},
		{"owner DEMO 0-99999999999", exitUsage, "^$", "more than 1048576 blocks"},
		{"owner DEMO 18446744073709551615-18446744073709551615", exitUsage, "^$", "numbered 0 to 511"},
		{"owner DEMO 34", exitDone, "/bin/busybox, /bin/ls, /bin/sh", "^$"},
		{"owner DEMO 57", exitDone, "was data of inode 38", "^$"},
		{"version extra", exitUsage, "^$", "unknown command|arg"},
		{"version", exitDone, "^extscope \\S+.*\ngo1", "^$"},
		{"version -f csv", exitDone, "^version,", "^$"},
	} {
		r := call(t, strings.Fields(strings.Replace(tt.args, "DEMO", demo, 1))...)
		if r.status != tt.status || !regexp.MustCompile(tt.out).MatchString(r.out) || !regexp.MustCompile(tt.err).MatchString(r.err) {
			t.Errorf("%s: exit status %d (want %d), stdout %q, stderr %q", tt.args, r.status, tt.status, r.out, r.err)
		}
	}
}

// A file system that is flagged clean, and is not: the journal holds the rest.
func TestInfoPendingRecovery(t *testing.T) {
	e := exttest.Edit(t, "matrix/ext3-1k")
	e.Superblock()[0x60] |= 0x4 // s_feature_incompat: needs_recovery
	e.SealSuperblock()
	img := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(img, e.Image, 0o600); err != nil {
		t.Fatal(err)
	}
	var info struct {
		Superblock struct{ State string }
		Journal    struct {
			NeedsRecovery bool `json:"needs_recovery"`
		}
	}
	decode(t, &info, "info", img)
	if info.Superblock.State != "clean, journal recovery is pending" || !info.Journal.NeedsRecovery {
		t.Errorf("%+v", info)
	}
}

func TestInfoBackup(t *testing.T) {
	e := exttest.Edit(t, "matrix/ext4-1k")
	clear(e.Superblock()[:0x100])
	img := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(img, e.Image, 0o600); err != nil {
		t.Fatal(err)
	}
	var info struct {
		Superblock struct {
			Copy   string
			Offset int64
		}
	}
	r := decode(t, &info, "info", img)
	if r.status != exitPartial || info.Superblock.Copy != "backup of group 1" || info.Superblock.Offset != 8193*1024 || !strings.Contains(r.err, "backup") {
		t.Errorf("exit status %d, %+v, stderr %s", r.status, info, r.err)
	}
}

// What the help of every command shows of the demo image works.
func TestInspectExamples(t *testing.T) {
	ran := 0
	for _, c := range newRootCmd(&env{}).Commands() {
		for line := range strings.Lines(c.Example) {
			args := strings.Fields(strings.ReplaceAll(line, "testdata/demo.img", demo))
			if !strings.Contains(line, "testdata/demo.img") || strings.ContainsAny(line, "|>'\"") || strings.Contains(line, " -o ") {
				continue
			}
			ran++
			if r := call(t, args[1:]...); r.status != exitDone && r.status != exitFlagged || r.out == "" {
				t.Errorf("%s: exit status %d, stderr %s", strings.TrimSpace(line), r.status, r.err)
			}
		}
	}
	if ran < 8 {
		t.Errorf("only %d examples ran", ran)
	}
}

// The formats of every command hold together.
func TestInspectFormats(t *testing.T) {
	for _, args := range []string{"info DEMO", "partitions DEMO", "stat DEMO /bin/sh", "blocks DEMO /bin/sh", "owner DEMO 34", "version"} {
		for _, format := range []string{"table", "json", "ndjson", "csv", "markdown"} {
			r := call(t, append(strings.Fields(strings.Replace(args, "DEMO", demo, 1)), "-f", format)...)
			if r.status != exitDone || r.out == "" {
				t.Errorf("%s -f %s: exit status %d, %d bytes, stderr %s", args, format, r.status, len(r.out), r.err)
			}
			if format == "json" && !json.Valid([]byte(r.out)) {
				t.Errorf("%s: not JSON", args)
			}
			if format == "ndjson" {
				for line := range strings.Lines(r.out) {
					if !json.Valid([]byte(line)) {
						t.Errorf("%s: not JSON: %s", args, line)
					}
				}
			}
		}
	}
}

// What the commands make of damaged images ends, in one of the statuses, and in
// bounded time.
func TestInspectHostile(t *testing.T) {
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(img, exttest.HostileImage(t, name), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"info", img}, {"info", img, "-f", "json"}, {"partitions", img}, {"owner", img, "1-100", "1000"},
				{"stat", img, "/", "/file", "/slow", "/self", "/xattr", "/frag", "@11", "@20", "@40"}, {"blocks", img, "/", "/frag", "/xattr", "@8"},
			} {
				start := time.Now()
				r := call(t, args...)
				if r.status < exitDone || r.status > exitPartial {
					t.Errorf("%v: exit status %d", args, r.status)
				}
				if took := time.Since(start); took > exttest.TimeLimit() {
					t.Errorf("%v took %s", args, took)
				}
			}
		})
	}
}

// A closed pipe ends quietly, and so does an interrupt, but for its status.
func TestInspectInterrupted(t *testing.T) {
	var stderr bytes.Buffer
	if status := runContext(context.Background(), []string{"owner", demo, "0-511"}, nil, brokenPipe{}, &stderr); status != exitDone || stderr.Len() > 0 {
		t.Errorf("closed pipe: exit status %d, stderr %s", status, stderr.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"owner", demo, "0"}, {"stat", demo, "@28"}, {"info", demo}} {
		var stdout, stderr bytes.Buffer
		if status := runContext(ctx, args, nil, &stdout, &stderr); status != exitInterrupted || stdout.Len() > 0 {
			t.Errorf("%v: exit status %d, stdout %s", args, status, stdout.String())
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.Join(syscall.EPIPE) }

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := call(t, "completion", shell); r.status != exitDone || !strings.Contains(r.out, "extscope") || r.err != "" {
			t.Errorf("%s: exit status %d, %d bytes, stderr %s", shell, r.status, len(r.out), r.err)
		}
	}
	for _, tt := range []struct {
		args []string
		want string // the directive's number comes last: 0 completes file names, 4 does not, 6 leaves out the blank
	}{
		{[]string{"stat", ""}, ":0\n"},
		{[]string{"partitions", ""}, ":0\n"},
		{[]string{"partitions", demo, ""}, ":0\n"},
		{[]string{"owner", demo, ""}, ":4\n"},
		{[]string{"stat", demo, "/e"}, "/etc/\n:6\n"},
		{[]string{"stat", demo, "/etc/"}, "/etc/localtime\n/etc/app.conf\n:4\n"},
		{[]string{"blocks", demo, "/bin/sh", "/bin/l"}, "/bin/ls\n:4\n"},
		{[]string{"stat", "no-such-image", "/"}, ":4\n"},
		{[]string{"info", demo, "--format", ""}, "table\njson\nndjson\ncsv\nmarkdown\n:4\n"},
	} {
		r := call(t, append([]string{"__complete"}, tt.args...)...)
		if r.out != tt.want {
			t.Errorf("%v: %q, want %q", tt.args, r.out, tt.want)
		}
	}
}

func TestBuildOf(t *testing.T) {
	if b := buildOf(nil); b.version != "devel" || b.revision != "" {
		t.Errorf("%+v", b)
	}
}
