package main

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
)

func TestTimelineGolden(t *testing.T) {
	history := exttest.Image(t, "journal/history")
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"timeline-demo.table", []string{"timeline", demo}},
		{"timeline-demo.json", []string{"timeline", demo, "-f", "json", "--path", "/home/*"}},
		{"timeline-demo.body", []string{"timeline", demo, "-f", "body"}},
		{"timeline-demo.markdown", []string{"timeline", demo, "-f", "markdown", "--since", "2025-03-07", "--tz", "Asia/Kolkata"}},
		{"timeline-history.table", []string{"timeline", history}},
		{"timeline-history-versions.csv", []string{"timeline", history, "--journal-versions", "-f", "csv"}},
		{"timeline-history-odd.ndjson", []string{"timeline", history, "--odd", "-f", "ndjson"}},
	} {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, exitDone, tt.args...) })
	}
}

// TestTimelineMactime has mactime read the body file, and holds its events against ours,
// which it merges by the second.
func TestTimelineMactime(t *testing.T) {
	mactime := exttest.Tool(t, "mactime")
	for _, name := range []string{"small", "journal/history", "links-tutorial/13-python-upgrade", "matrix/ext4-4k"} {
		t.Run(name, func(t *testing.T) {
			image := exttest.Image(t, name)
			body := filepath.Join(t.TempDir(), "body")
			if err := os.WriteFile(body, []byte(call(t, "timeline", image, "-f", "body").out), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(mactime, "-b", body, "-d", "-z", "UTC")
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil || said.Len() > 0 {
				t.Fatalf("%v\n%s", err, said.String())
			}
			theirs := map[string]string{}
			for i, row := range rowsOf(t, string(out)) {
				if i == 0 || strings.HasPrefix(row[0], "Xxx") {
					continue
				}
				at, err := time.Parse("Mon Jan 02 2006 15:04:05", row[0])
				if err != nil {
					t.Fatal(err)
				}
				theirs[at.Format(time.DateTime)+" "+row[6]+" "+row[7]] = row[2]
			}
			ours := map[string]string{}
			rows := rowsOf(t, call(t, "timeline", image, "-f", "csv").out)
			column := map[string]int{}
			for i, title := range rows[0] {
				column[title] = i
			}
			for _, row := range rows[1:] {
				name := row[column["path"]]
				if target := row[column["target"]]; target != "" {
					name += " -> " + target
				}
				if s := row[column["state"]]; s == "deleted" || s == "orphan" {
					name += " (deleted)"
				}
				marks := []byte(row[column["macbd"]][:4])
				if string(marks) == "...." || row[column["time"]] < "1970-01-01T00:00:01" {
					continue // mactime knows neither deletions nor what was before 1970
				}
				name = strings.ReplaceAll(name, "|", `\x7c`)
				key := strings.Replace(row[column["time"]][:19], "T", " ", 1) + " " + row[column["inode"]] + " " + name
				for i := range marks {
					if before := ours[key]; before != "" && before[i] != '.' {
						marks[i] = before[i]
					}
				}
				ours[key] = string(marks)
			}
			for key, marks := range ours {
				if theirs[key] != marks {
					t.Errorf("%s: %s, mactime has %q", key, marks, theirs[key])
				}
			}
			for key, marks := range theirs {
				if ours[key] == "" {
					t.Errorf("%s: mactime has %s", key, marks)
				}
			}
			if len(ours) == 0 {
				t.Error("no events")
			}
		})
	}
}

func rowsOf(t *testing.T, text string) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestTimelineEdited has debugfs change seconds of a time behind the kernel's back: the
// journal's copy gives it away.
func TestTimelineEdited(t *testing.T) {
	debugfs := exttest.Tool(t, "debugfs")
	image := exttest.Image(t, "journal/history")
	if out, err := exec.Command(debugfs, "-w", "-R", "set_inode_field /mail mtime 20010203040506", image).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := call(t, "timeline", image, "--journal-versions", "--odd", "-f", "csv", "--path", "/mail")
	for row := range strings.Lines(got.out) {
		if strings.HasPrefix(row, "2001-02-03T04:05:06.") && strings.Contains(row, "edited out of band") && strings.Contains(row, "strong") {
			return
		}
	}
	t.Errorf("not found:\n%s%s", got.out, got.err)
}
