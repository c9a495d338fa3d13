package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

var stepName = regexp.MustCompile("`([0-9]{2}-[a-z-]+)`")

// TestREADMESessions runs every session that the README shows.
func TestREADMESessions(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	image, command, want, fenced, ran := "", "", "", false, 0
	check := func() {
		if command == "" {
			return
		}
		args := strings.Fields(command)
		for i, a := range args {
			switch a {
			case "step.img":
				args[i] = image
			case "testdata/demo.img":
				args[i] = demo
			}
		}
		got := call(t, args...)
		if have := strings.TrimRight(got.out+got.err, "\n"); have != strings.TrimRight(want, "\n") {
			t.Errorf("extscope %s prints\n%s\nand README shows\n%s", command, have, want)
		}
		command, want = "", ""
		ran++
	}
	for line := range strings.Lines(string(b)) {
		switch {
		case strings.HasPrefix(line, "```"):
			check()
			fenced = !fenced
		case fenced && strings.HasPrefix(line, "$ extscope "):
			check()
			command = strings.TrimPrefix(strings.TrimSpace(line), "$ extscope ")
		case fenced && command != "":
			want += line
		default:
			if m := stepName.FindStringSubmatch(line); m != nil {
				image = exttest.Image(t, "links-tutorial/"+m[1])
			}
		}
	}
	if ran < 6 {
		t.Errorf("README shows %d sessions", ran)
	}
}
