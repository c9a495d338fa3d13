package undelete_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/undelete"
)

// The ladder is what each image below testdata/undelete gives, from the strongest
// evidence to the weakest.
var ladder = map[string][]string{
	// In the log they are deleted; at home they are there. Where the image was taken
	// of a file system in use, nothing tells what became of blocks since.
	"pending": {
		"/docs/deep/large: journal-inode, unproven, /docs/deep/large",
		"/docs/letter: journal-inode, unproven, /docs/letter",
		"/docs/report: journal-inode, unproven, /docs/report",
		"/docs/sparse: journal-inode, unproven, /docs/sparse",
	},
	"orphans":     {"/var/log: orphan, intact, /var/log", "/var/small: orphan, intact, /var/small"},
	"orphan-file": {"/var/log: orphan, intact, /var/log", "/var/small: orphan, intact, /var/small"},
	"inline": {
		"inode 13: inode, unproven, /keys/one",
		"inode 14: inode, unproven, /keys/two",
		"inode 15: inode, listed, -",
	},
	"debugfs-rm": {
		"/docs/deep/large: inode, unproven, /docs/deep/large",
		"/docs/letter: inode, unproven, /docs/letter",
		"/docs/report: inode, unproven, /docs/report",
		"/docs/short: inode, intact, /docs/short",
		"/docs/sparse: inode, unproven, /docs/sparse",
	},
	"journal":          usual,
	"journal-ext3":     usual,
	"journal-no-csum":  usual,
	"journal-bigalloc": usual,
	"data-journal":     usual,
	"fast-commit": {
		"/mail/letter1: fast-commit-inode, unproven, /mail/letter1",
		"/mail/letter2: fast-commit-inode, unproven, /mail/letter2",
	},
	"names":      append(numbered(30, "@12/summer/picture %02d: name, listed, -"), "@12/index: name, listed, -", "@12/summer: name, listed, -"),
	"residue":    {"inode 13: index-residue, partial, /logs/a", "inode 15: index-residue, partial, /logs/deep"},
	"zeroed-log": {"inode 13: index-residue, partial, /logs/a"},
	"freed-set":  {"inode 13: freed-set, partial, /old/victim"},
	"stray-leaf": {"inode 13: stray-tree, partial, /logs/a"},
	"indirect":   {"?: stray-tree, partial, /one", "?: stray-tree, partial, /two"},
	"hash-range": append(numbered(150, "@12/many/a file of some name %03d: name, listed, -"), "@12/many: name, listed, -"),
	"versions": {
		"/drafts/cut: version, unproven, /drafts/cut",             // another was cut short since
		"/drafts/rewritten: version, unproven, /drafts/rewritten", // two changes, of which one could be within its blocks
		"/drafts/saved.new: name, listed, -",
		"/drafts/saved: journal-inode, intact, /drafts/saved",
	},
	// The second lies below an inode table that nothing was written to yet.
	"grown": {"/logs/a: journal-inode, intact, /logs/a", "/logs/b: journal-inode, unproven, /logs/b"},
	// Of each file one name: recover is tested with the others.
	"hard-links": {
		"/daily/new name: journal-inode, unproven, /daily/new name", // renamed just before
		"/daily/one: journal-inode, intact, /weekly/deep/uno",
		"/daily/three: journal-inode, intact, /daily/three",
		"/daily/two: journal-inode, intact, /weekly/two",
		"/daily: journal-inode, intact, -",
		"/weekly/copy: name, listed, -",
		"/weekly/deep: journal-inode, intact, -",
		"/weekly: journal-inode, intact, -",
	},
	"carve": {"?: carving, carved, /pictures/view.png", "?: carving, carved, /texts/all.gz"},
	// Up to four extents fit into the inode, where deletion empties them.
	"fragments": {"inode 19: index-residue, partial, /parts/of6", "inode 21: index-residue, partial, /parts/of12"},
}

var usual = []string{
	"/docs/deep/large: journal-inode, intact, /docs/deep/large",
	"/docs/deep: journal-inode, intact, -",
	"/docs/letter: journal-inode, intact, /docs/letter",
	"/docs/long: journal-inode, intact, /docs/long",
	"/docs/pipe: inode, listed, -",
	"/docs/report: journal-inode, intact, /docs/report",
	"/docs/short: journal-inode, intact, /docs/short",
	"/docs/sparse: journal-inode, intact, /docs/sparse",
}

// numbered gives count lines.
func numbered(count int, format string) (lines []string) {
	for i := range count {
		lines = append(lines, fmt.Sprintf(format, i))
	}
	return lines
}

// TestLadder holds what is found in each image against what was deleted from it: which
// files, under which names, by which technique, of which grade, and whose contents.
func TestLadder(t *testing.T) {
	cases := exttest.GoneCases(t)
	if len(cases) != len(ladder) {
		t.Errorf("%d cases, expectations of %d", len(cases), len(ladder))
	}
	for _, name := range cases {
		t.Run(name, func(t *testing.T) {
			image, gone := exttest.GoneImage(t, name)
			name := strings.TrimPrefix(name, "undelete/")
			r := find(t, image, nil, undelete.Options{Versions: name == "versions", Carve: name == "carve"})
			var got []string
			for c := range r.All() {
				got = append(got, found(t, r, c, gone))
			}
			want := slices.Sorted(slices.Values(ladder[name]))
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// found says what a candidate is: its path, or its name, or its inode; what it was
// found by and how sure; and whose contents it has, "-" for nobody's.
func found(t *testing.T, r *undelete.Result, c *undelete.Candidate, gone []exttest.Gone) string {
	who := fmt.Sprintf("inode %d", c.Ino)
	switch {
	case c.Place() != nil:
		who = string(c.Place())
	case c.Name != nil:
		who = "…/" + string(c.Name)
	case c.Ino == 0:
		who = "?"
	}
	whose := "-"
	if c.Recoverable() {
		have := sum(t, r, c)
		for _, g := range gone {
			if g.Kind == "file" && g.SHA256 == have || g.Kind == "symlink" && g.Target == string(c.Target) {
				whose = g.Path
			}
		}
	}
	return fmt.Sprintf("%s: %s, %s, %s", who, c.Technique, c.Grade, whose)
}
