package main

import (
	"path/filepath"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// inspectGoldens are the calls whose output is kept.
var inspectGoldens = []struct {
	name   string
	status int
	args   []string
}{
	{"info-demo.table", exitDone, []string{"info", demo, "--groups"}},
	{"info-demo.json", exitDone, []string{"info", demo, "-f", "json"}},
	{"info-demo.csv", exitDone, []string{"info", demo, "-f", "csv"}},
	{"info-demo.markdown", exitDone, []string{"info", demo, "-f", "markdown"}},
	{"partitions-demo.table", exitDone, []string{"partitions", demo}},
	{"partitions-demo.json", exitDone, []string{"partitions", demo, "-f", "json"}},
	{"stat-demo.table", exitUsage, []string{"stat", demo, "/", "/bin/sh", "/home/ana/latest", "/dev/sda", "@52", "@38", "/var/log/app.log", "/nothing"}},
	{"stat-demo.json", exitDone, []string{"stat", demo, "/", "/bin/sh", "/home/ana/latest", "/dev/sda", "@52", "@38", "/var/log/app.log", "-f", "json"}},
	{"stat-demo.markdown", exitDone, []string{"stat", demo, "/bin/sh", "-f", "markdown"}},
	{"blocks-demo.table", exitDone, []string{"blocks", demo, "/var/log/app.log", "/", "/etc/localtime", "/dev/null", "@52"}},
	{"blocks-demo.json", exitDone, []string{"blocks", demo, "/var/log/app.log", "/etc/localtime", "-f", "json"}},
	{"blocks-demo.csv", exitDone, []string{"blocks", demo, "/var/log/app.log", "/", "-f", "csv"}},
	{"owner-demo.table", exitDone, []string{"owner", demo, "0-4", "24", "34-35", "55-60", "67", "511"}},
	{"owner-demo.json", exitDone, []string{"owner", demo, "0", "24", "34-35", "57", "67", "-f", "json"}},
}

func TestInspectGolden(t *testing.T) {
	for _, tt := range inspectGoldens {
		t.Run(tt.name, func(t *testing.T) { golden(t, tt.name, tt.status, tt.args...) })
	}
}

// The steps of the tutorial that change what stat says of links.
func TestInspectTutorial(t *testing.T) {
	for _, step := range []struct{ name, path string }{
		{"02-hard-link", "/"}, {"03-symlink-same-directory", "/"}, {"14-long-target", "/"},
	} {
		img := exttest.Image(t, filepath.Join("links-tutorial", step.name))
		var args []string
		for _, o := range exttest.Truth(t, "links-tutorial/"+step.name) {
			if o.Type != "directory" {
				args = append(args, string(o.Path))
			}
		}
		golden(t, "stat-tutorial-"+step.name+".table", exitDone, append([]string{"stat", img}, args...)...)
		golden(t, "blocks-tutorial-"+step.name+".json", exitDone, append([]string{"blocks", "-f", "json", img}, args...)...)
	}
}
