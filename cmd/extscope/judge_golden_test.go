package main

import (
	"path/filepath"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// TestJudgeGolden keeps the output of the commands that judge a whole file
// system.
func TestJudgeGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		args   []string
	}{
		{"audit-demo.table", exitFlagged, []string{"audit", demo}},
		{"audit-demo.json", exitFlagged, []string{"audit", demo, "-f", "json"}},
		{"audit-demo.ndjson", exitFlagged, []string{"audit", demo, "-f", "ndjson"}},
		{"audit-demo.csv", exitFlagged, []string{"audit", demo, "-f", "csv"}},
		{"audit-demo.markdown", exitFlagged, []string{"audit", demo, "-f", "markdown"}},
		{"links-demo.table", exitDone, []string{"links", demo}},
		{"links-demo.json", exitDone, []string{"links", demo, "-f", "json"}},
		{"links-demo.csv", exitDone, []string{"links", demo, "-f", "csv"}},
		{"symlinks-demo.table", exitDone, []string{"symlinks", demo}},
		{"symlinks-demo.json", exitDone, []string{"symlinks", demo, "-f", "json"}},
		{"symlinks-demo.markdown", exitDone, []string{"symlinks", demo, "-f", "markdown"}},
		{"orphans-demo.table", exitDone, []string{"orphans", demo}},
		{"orphans-demo.json", exitDone, []string{"orphans", demo, "-f", "json"}},
	} {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, tt.status, tt.args...) })
	}
	for _, step := range []string{"05-move-target", "09-hard-link-of-symlink", "12-python-chain", "13-python-upgrade"} {
		image := exttest.Image(t, filepath.Join("links-tutorial", step))
		golden(t, "symlinks-tutorial-"+step+".table", exitDone, "symlinks", image)
	}
}
