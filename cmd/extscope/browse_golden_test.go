package main

import (
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

func TestBrowseGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		args   []string
	}{
		{"ls-demo.table", exitDone, []string{"ls", demo}},
		{"ls-demo-long.table", exitDone, []string{"ls", "-lai", demo, "/etc/localtime", "/dev", "/home/ana", "@12"}},
		{"ls-demo-human.table", exitDone, []string{"ls", "-l", "--human-readable", demo, "/srv", "/var/log/"}},
		{"ls-demo-all.table", exitDone, []string{"ls", "-R", "--deleted", demo}},
		{"ls-demo-itself.table", exitUsage, []string{"ls", "-d", demo, "/nope", "/bin", "/bin/python", "/"}},
		{"ls-demo-all.json", exitDone, []string{"ls", "-R", "--deleted", "-f", "json", demo}},
		{"ls-demo.csv", exitDone, []string{"ls", "-f", "csv", demo, "/dev", "/bin/sh"}},
		{"ls-demo-content.table", exitDone, []string{"ls", "-lR", "--type-by-content", demo, "/bin"}},
		{"ls-demo-content.json", exitDone, []string{"ls", "--type-by-content", "-f", "json", demo, "/bin"}},
		{"find-demo-mime.table", exitDone, []string{"find", "--mime", "text/*shell*", demo}},
		{"deleted-demo-content.csv", exitDone, []string{"deleted", "--type-by-content", "-f", "csv", demo}},
		{"tree-demo.table", exitDone, []string{"tree", "--deleted", "-i", demo}},
		{"tree-demo-dirs.table", exitDone, []string{"tree", "-d", "-L", "2", demo, "/usr", "/home"}},
		{"tree-demo.ndjson", exitDone, []string{"tree", "-f", "ndjson", demo, "/usr"}},
		{"find-demo.table", exitDone, []string{"find", "--deleted", "--iname", "*.TXT", demo}},
		{"find-demo.json", exitDone, []string{"find", "-f", "json", "--links", "+1", "--type", "f,l", demo}},
		{"readlink-demo.table", exitUsage, []string{"readlink", demo, "/bin/python", "/etc", "@36", "/etc/localtime"}},
		{"readlink-demo-canonical.table", exitUsage, []string{"readlink", "--canonicalize", demo, "/bin/python", "/etc", "@15", "@15/ana/changes", "/home/ana/tool"}},
		{"readlink-demo.json", exitDone, []string{"readlink", "-f", "json", demo, "/bin/python", "/home/ana/changes", "/home/ana/ping"}},
	} {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, tt.status, tt.args...) })
	}
}

// What the tutorial's listings look like.
func TestBrowseTutorial(t *testing.T) {
	for _, step := range []string{"02-hard-link", "07-delete-target", "10-symlink-to-directory", "15-loop"} {
		image := exttest.Image(t, "links-tutorial/"+step)
		golden(t, "ls-tutorial-"+step+".table", exitDone, "ls", "-lRi", image)
		golden(t, "ls-tutorial-"+step+".json", exitDone, "ls", "-R", "-f", "json", image)
	}
}
