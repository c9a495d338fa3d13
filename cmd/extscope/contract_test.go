package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/undelete"
)

// section gives the part of the README under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(b), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("README has no %q", heading)
	}
	level := strings.IndexByte(heading, ' ')
	if end := regexp.MustCompile(`(?m)^#{2,` + string(rune('0'+level)) + `} `).FindStringIndex(after); end != nil {
		after = after[:end[0]]
	}
	return after
}

var ticked = regexp.MustCompile("`([a-z][a-z0-9_-]*)`")

// TestREADMECommands holds the README's table of commands to the program.
func TestREADMECommands(t *testing.T) {
	table, _, _ := strings.Cut(section(t, "## Commands"), "\n### ")
	said := map[string]bool{}
	for line := range strings.Lines(table) {
		if first, ok := strings.CutPrefix(line, "| `"); ok {
			for _, m := range ticked.FindAllStringSubmatch("`"+strings.SplitN(first, "|", 2)[0], -1) {
				said[m[1]] = true
			}
		}
	}
	root := newRootCmd(&env{})
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		if !said[c.Name()] {
			t.Errorf("README does not name the command %s", c.Name())
		}
		delete(said, c.Name())
		if c.Name() != "completion" && (c.Short == "" || !strings.Contains(c.Long, exitHelp) || c.Example == "" && c.Name() != "version") {
			t.Errorf("%s: help lacks its summary, its exit statuses or an example", c.Name())
		}
	}
	for name := range said {
		t.Errorf("README names a command %s that there is not", name)
	}
}

// TestREADMEExitStatus holds the README's exit statuses to the program's help.
func TestREADMEExitStatus(t *testing.T) {
	table := section(t, "### Exit status")
	for line := range strings.Lines(exitHelp) {
		number, _, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && number[0] >= '0' && number[0] <= '9' && !strings.Contains(table, "| "+number+" |") {
			t.Errorf("README lacks exit status %s", number)
		}
	}
}

// TestREADMEKinds holds the README's kinds and severities to the program's.
func TestREADMEKinds(t *testing.T) {
	table := section(t, "### Finding kinds")
	for _, k := range audit.Kinds() {
		if row := "| `" + string(k) + "` | " + string(k.Severity()) + " | " + k.Meaning() + " |\n"; !strings.Contains(table, row) {
			t.Errorf("README lacks the row %s", row)
		}
	}
}

// TestREADMEGrades holds the README's grades and techniques to the program's.
func TestREADMEGrades(t *testing.T) {
	text := section(t, "## Recover deleted files")
	for _, g := range undelete.Grades() {
		if !strings.Contains(text, "\n| `"+string(g)+"` | ") {
			t.Errorf("README does not tell of the grade %s", g)
		}
	}
	for _, k := range []undelete.Technique{undelete.Orphan, undelete.InodeHome, undelete.InodeJournal, undelete.InodeFast, undelete.IndexResidue,
		undelete.OldVersion, undelete.FreedSet, undelete.StrayTree, undelete.Carving, undelete.NameOnly} {
		if !strings.Contains(text, "`"+string(k)+"`") {
			t.Errorf("README does not tell of the technique %s", k)
		}
	}
}

// TestREADMEJSON holds the README's JSON keys to what the commands print.
func TestREADMEJSON(t *testing.T) {
	calls := map[string][]string{
		"ls": {"-R", demo}, "find": {demo}, "tree": {demo}, "stat": {demo, "/", "/home/ana/latest"}, "readlink": {demo, "/home/ana/latest"},
		"blocks": {demo, "/var/log/app.log"}, "owner": {demo, "60"}, "links": {demo}, "symlinks": {demo}, "orphans": {demo},
		"audit": {demo}, "info": {demo}, "partitions": {demo}, "hash": {demo, "--files"}, "timeline": {demo},
		"journal": {exttest.Image(t, "journal/history")}, "history": {exttest.Image(t, "journal/history"), "/inbox"},
		"deleted": {exttest.Image(t, "journal/history")}, "recover": {exttest.Image(t, "journal/history"), "--all", "--dry-run"},
	}
	word := regexp.MustCompile(`\*?[a-z][a-z0-9_]*\*?`)
	for line := range strings.Lines(section(t, "### JSON")) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 3 || !strings.HasPrefix(cells[0], "| `") {
			continue
		}
		rows := strings.Trim(cells[1], "`")
		keys := cells[2]
		keys = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(keys, "")
		open := strings.Contains(keys, "…")
		if _, after, ok := strings.Cut(keys, "then "); ok {
			keys = after
		}
		keys, _, _ = strings.Cut(keys, ";")
		must, may := []string{}, []string{}
		for _, k := range word.FindAllString(keys, -1) {
			may = append(may, strings.Trim(k, "*"))
			if !strings.HasPrefix(k, "*") {
				must = append(must, k)
			}
		}
		for _, m := range ticked.FindAllStringSubmatch(cells[0], -1) {
			checkKeys(t, m[1], calls[m[1]], rows, must, may, open)
			delete(calls, m[1])
		}
	}
	for command := range calls {
		t.Errorf("README says nothing of the JSON of %s", command)
	}
}

func checkKeys(t *testing.T, command string, args []string, rows string, must, may []string, open bool) {
	t.Helper()
	got := call(t, append([]string{command, "-f", "json"}, args...)...)
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Errorf("%s: %v", command, err)
		return
	}
	for _, key := range []string{"image", "filesystem", rows} {
		if all[key] == nil && !(command == "partitions" && key == "filesystem") {
			t.Errorf("%s: no %q in the JSON", command, key)
		}
	}
	var list []map[string]any
	if err := json.Unmarshal(all[rows], &list); err != nil || len(list) == 0 {
		t.Errorf("%s: %q holds no rows: %v", command, rows, err)
		return
	}
	for _, row := range list {
		for _, k := range must {
			if _, ok := row[k]; !ok {
				t.Errorf("%s: a row lacks %q", command, k)
			}
		}
		for k := range row {
			if !slices.Contains(may, k) && !open && !strings.HasSuffix(k, "_hex") {
				t.Errorf("%s: README does not name the key %q", command, k)
			}
		}
	}
}

// TestHelpHasNoHomelessFlag checks that every flag says what it does.
func TestHelpHasNoHomelessFlag(t *testing.T) {
	for _, c := range newRootCmd(&env{}).Commands() {
		if usage := c.Flags().FlagUsages(); strings.Contains(usage, "  \n") {
			t.Errorf("%s: a flag without a word:\n%s", c.Name(), usage)
		}
		checkShorthands(t, c)
	}
}

// checkShorthands pins the letters that scripts use.
func checkShorthands(t *testing.T, c *cobra.Command) {
	t.Helper()
	for letter, name := range map[string]string{"p": "partition", "f": "format", "o": "output", "q": "quiet"} {
		if f := c.Flags().ShorthandLookup(letter); f != nil && f.Name != name {
			t.Errorf("%s: -%s is --%s", c.Name(), letter, f.Name)
		}
	}
}
