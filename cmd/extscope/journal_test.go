package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/report"
)

// TestJournalGolden keeps what the commands show of a journal.
func TestJournalGolden(t *testing.T) {
	hist := exttest.Image(t, "journal/history")
	ext3 := exttest.Image(t, "journal/history-ext3")
	fast := exttest.Image(t, "journal/history-fast")
	rot := exttest.Image(t, "journal/rot")
	crash, _ := exttest.CrashImage(t, "journal/fast-commit")
	wrapped, _ := exttest.CrashImage(t, "journal/wrapped")
	for _, tt := range []struct {
		name   string
		status int
		args   []string
	}{
		{"journal-history.table", exitDone, []string{"journal", hist}},
		{"journal-history.json", exitDone, []string{"journal", hist, "-f", "json"}},
		{"journal-history.markdown", exitDone, []string{"journal", hist, "-f", "markdown"}},
		{"journal-ext3.csv", exitDone, []string{"journal", ext3, "-f", "csv"}},
		{"journal-crash.table", exitDone, []string{"journal", crash}},
		{"journal-fast.ndjson", exitDone, []string{"journal", fast, "-f", "ndjson"}},
		{"journal-sequence.table", exitDone, []string{"journal", hist, "--sequence", "17"}},
		{"journal-sequence.json", exitDone, []string{"journal", hist, "--sequence", "17", "-f", "json"}},
		{"journal-block.table", exitDone, []string{"journal", hist, "4"}},
		{"journal-block.json", exitDone, []string{"journal", hist, "4", "-f", "json"}},
		{"history-file.table", exitDone, []string{"history", hist, "@12"}},
		{"history-file.json", exitDone, []string{"history", hist, "@12", "-f", "json"}},
		{"history-directory.table", exitDone, []string{"history", hist, "/inbox"}},
		{"history-gone.table", exitDone, []string{"history", hist, "/inbox/note"}},
		{"history-fast.table", exitDone, []string{"history", fast, "@18"}},
		{"history-symlink.markdown", exitDone, []string{"history", hist, "/current", "-f", "markdown"}},
		{"ls-at.table", exitDone, []string{"ls", "-lR", "--at", "12", hist}},
		{"stat-at.table", exitDone, []string{"stat", "--at", "9", hist, "/archive/report"}},
		{"symlinks-rot.table", exitDone, []string{"symlinks", rot}},
		{"symlinks-rot.json", exitDone, []string{"symlinks", rot, "-f", "json"}},
		{"replay-diff.table", exitDone, []string{"audit", "--replay-diff", wrapped}},
		{"replay-diff.json", exitDone, []string{"audit", "--replay-diff", wrapped, "-f", "json"}},
		{"info-crash.table", exitDone, []string{"info", crash}},
	} {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, tt.status, tt.args...) })
	}
}

// TestJournalStatus pins what the journal commands refuse, and what they say.
func TestJournalStatus(t *testing.T) {
	hist := exttest.Image(t, "journal/history")
	crash, _ := exttest.CrashImage(t, "journal/ext4")
	for _, tt := range []struct {
		args     string
		status   int
		out, err string // patterns
	}{
		{"journal DEMO", exitUsage, "^$", "no journal"},
		{"history DEMO /", exitUsage, "^$", "no journal"},
		{"ls DEMO --at 3", exitUsage, "^$", "no journal"},
		{"journal HIST x", exitUsage, "^$", "no block number"},
		{"journal HIST 99999999", exitUsage, "^$", "no block 99999999"},
		{"journal HIST 4 --sequence 3", exitUsage, "^$", "two questions"},
		{"journal HIST --sequence 9999", exitUsage, "^$", "no transaction 9999"},
		{"history HIST /never/was", exitUsage, "^$", "no such file or directory"},
		{"history HIST @99999", exitUsage, "^$", "does not exist"},
		{"history HIST /inbox --content 30", exitUsage, "^$", "is a directory"},
		{"history HIST @12 --content 9", exitPartial, "", "blocks: 1 used by something else since"},
		{"cat HIST /archive/report --at 9", exitPartial, "", "as of the end of transaction 9"},
		{"cat HIST /archive/plan --at 40", exitDone, "^THE PLAN", "blocks: 1 unchanged since"},
		{"cat HIST /plan --at 5", exitUsage, "^$", "no such file"},
		{"ls HIST --at 1", exitUsage, "^$", "holds no transaction 1: it has 2 to 41"},
		{"ls HIST --at soon", exitUsage, "^$", "neither a sequence number nor a time"},
		{"ls HIST --at=", exitUsage, "^$", "neither a sequence number nor a time"},
		{"cat HIST @12 --at=", exitUsage, "^$", "neither a sequence number nor a time"},
		{"history HIST @12 --content=", exitUsage, "^$", "neither a sequence number nor a time"},
		{"journal HIST --sequence=", exitUsage, "^$", "no sequence number"},
		{"ls HIST --at @9223372036854775807", exitUsage, "^$", "neither a sequence number nor a time"},
		{"ls HIST --at 2001-01-01", exitUsage, "^$", "goes back to"},
		{"ls HIST / --at 2100-01-01", exitDone, "archive\ncurrent\ninbox\n", "transaction 41"},
		{"info CRASH", exitDone, "view: +replayed\n +pending transactions: 27\n", "replayed in memory \\(27 transactions"},
		{"info CRASH --no-replay", exitDone, "view: +home\n +pending transactions: 27\n", "^$"},
		{"audit CRASH --replay-diff --no-replay", exitUsage, "^$", "compares"},
	} {
		line := strings.NewReplacer("DEMO", demo, "HIST", hist, "CRASH", crash).Replace(tt.args)
		r := call(t, strings.Fields(line)...)
		if r.status != tt.status || !regexp.MustCompile(tt.out).MatchString(r.out) || !regexp.MustCompile(tt.err).MatchString(r.err) {
			t.Errorf("%s: exit status %d (want %d), stdout %.300q, stderr %.300q", tt.args, r.status, tt.status, r.out, r.err)
		}
	}
}

// TestAuditDamagedJournal audits what replay leaves: a damaged log is told beside it.
func TestAuditDamagedJournal(t *testing.T) {
	for _, name := range exttest.Some(20, exttest.HostileJournalNames()) {
		if o, known := exttest.HostileJournalOutcome(t, name); !known || o.Kernel.Refused == "" {
			continue
		}
		image := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(image, exttest.HostileJournal(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
		r := call(t, "audit", image)
		var rows struct {
			Faults []struct{ Kind, Detail string } `json:"journal_faults"`
		}
		if err := json.Unmarshal([]byte(call(t, "audit", image, "-f", "json").out), &rows); err != nil || len(rows.Faults) == 0 || rows.Faults[0].Kind != "bad-journal" || rows.Faults[0].Detail == "" {
			t.Errorf("%s: journal_faults are %v, %v", name, rows.Faults, err)
		}
		if r.status != exitPartial && r.status != exitFlagged || !strings.Contains(r.err, "journal") || strings.Contains(r.out, "verdict: sound\n") {
			t.Errorf("%s: exit status %d, stderr %q", name, r.status, r.err)
		}
	}
	for _, tt := range []struct {
		result audit.Result
		unread bool
		want   string
	}{
		{audit.Result{}, false, "sound"},
		{audit.Result{}, true, "sound, as far as it could be read"},
		{audit.Result{Counts: map[audit.Kind]uint64{audit.RottenLink: 2}}, false, "sound, with 2 warnings"},
		{audit.Result{Counts: map[audit.Kind]uint64{audit.RottenLink: 1}}, true, "sound as far as it could be read, with 1 warning"},
		{audit.Result{Counts: map[audit.Kind]uint64{audit.RottenLink: 1, audit.BadSize: 1}}, true, "damaged: 1 error, 1 warning"},
	} {
		if got := verdict(&tt.result, tt.unread); got != tt.want {
			t.Errorf("verdict %q, want %q", got, tt.want)
		}
	}
}

// TestCrashListed lists crashed images, by themselves and with --no-replay, and holds
// the names against what the kernel showed.
func TestCrashListed(t *testing.T) {
	for _, name := range exttest.CrashCases(t) {
		t.Run(name, func(t *testing.T) {
			image, device := exttest.CrashImage(t, name)
			var more []string
			if device != "" {
				more = []string{"--journal", device}
			}
			compareList(t, exttest.Truth(t, name), append([]string{image}, more...))
			if home, ok := exttest.HomeTruth(t, name); ok {
				compareList(t, home, append([]string{image, "--no-replay"}, more...))
			}
			if r := call(t, append([]string{"ls", image, "-o", image, "--force"}, more...)...); r.status != exitUsage {
				t.Errorf("wrote onto the evidence: %d", r.status)
			}
			if device != "" {
				if r := call(t, append([]string{"ls", image, "-o", device, "--force"}, more...)...); r.status != exitUsage {
					t.Errorf("wrote onto the journal: %d", r.status)
				}
			}
		})
	}
}

func compareList(t *testing.T, truth []exttest.Object, args []string) {
	t.Helper()
	r := call(t, append([]string{"find", "-f", "ndjson"}, args...)...)
	var got, want []string
	for line := range strings.Lines(r.out) {
		var row struct {
			Path    string
			PathHex string `json:"path_hex"`
			Type    string
			Mode    string
			Size    int64
			Links   uint64
			Inode   uint64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		got = append(got, row.Path+" "+row.Type)
	}
	for _, o := range truth {
		want = append(want, report.Printable(o.Path)+" "+o.Type)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v: %d names, want %d; exit status %d, stderr %s", args, len(got), len(want), r.status, r.err)
	}
}

// TestContentAt writes out every version of the files of an image whose blocks are
// still as they were, and holds it against what was recorded.
func TestContentAt(t *testing.T) {
	image := exttest.Image(t, "journal/history")
	exact := 0
	for _, c := range exttest.Changes(t, "journal/history") {
		if c.SHA256 == "" {
			continue
		}
		out := filepath.Join(t.TempDir(), "content")
		r := call(t, "history", image, "@"+fmt.Sprint(c.Ino), "--content", fmt.Sprint(c.Sequence), "-o", out)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatalf("change %d: %v: %s", c.Number, err, r.err)
		}
		same := fmt.Sprintf("%x", sha256.Sum256(b)) == c.SHA256
		if r.status == exitDone && !same {
			t.Errorf("change %d, %s %s: the contents are not those of then, and stderr says %s", c.Number, c.Op, c.Path, r.err)
		}
		if same {
			exact++
		}
	}
	if exact < 15 {
		t.Errorf("%d versions came out as they were", exact)
	}
	t.Logf("%d versions came out as they were", exact)
}
