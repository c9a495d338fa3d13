package undelete

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/layout"
)

func made(ino Ino, typ uint16, path string) *Candidate {
	c := &Candidate{Ino: ino, Gen: uint32(ino) * 100, Type: typ, Grade: Intact}
	if path != "" {
		c.Path = []byte(path)
	}
	return c
}

// TestPlacement gives names to what has to share them.
func TestPlacement(t *testing.T) {
	const file, dir = layout.ModeRegular, layout.ModeDir
	named := made(30, file, "")
	named.Name = []byte("lost name")
	all := []*Candidate{
		made(12, dir, "/d"),
		made(13, dir, "/d"), // a second of the same path
		made(14, file, "/d/a"),
		made(15, file, "/d/a"), // a clash
		made(15, file, "/d/a"),
		made(16, file, "/d"),     // where a folder has to be
		made(17, file, "/f"),     // and one that a file ...
		made(18, file, "/f/b"),   // ... lies in
		made(19, file, "/../x"),  // hostile
		made(20, file, "/a//b/"), // no path that there can be
		made(21, file, "/manifest.json"),
		made(22, file, "/@nameless"),
		named,
		made(31, file, ""),
	}
	p := NewPlacement(slices.Values(all), "manifest.json")
	var got []string
	for n, c := range all {
		if c.Type == dir {
			got = append(got, fmt.Sprintf("%d %s/", c.Ino, p.Directory(c)))
			continue
		}
		out, other := p.File(c, int32(n))
		line := fmt.Sprintf("%d %s", c.Ino, out)
		if other >= 0 && all[other] != c {
			line += fmt.Sprintf(" (%d)", all[other].Ino)
		}
		got = append(got, line)
	}
	want := `12 d/
13 d/
14 d/a
15 d/a.@15 (14)
15 d/a.@15.2 (14)
16 d.@16
17 f.@17
18 f/b
19 \x2e\x2e/x
20 a/b/@
21 manifest.json.@21
22 @nameless.@22
30 @nameless/lost name
31 @nameless/inode-31-3100`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if again := p.Another("d/a", all[3]); again != "d/a.@15.3" {
		t.Errorf("another name is %s", again)
	}
}

// TestKey tells candidates apart that differ in what they are.
func TestKey(t *testing.T) {
	a := made(12, layout.ModeRegular, "/a")
	key := a.Key()
	if key != made(12, layout.ModeRegular, "/a").Key() {
		t.Error("the same has two keys")
	}
	for name, change := range map[string]func(*Candidate){
		"number": func(c *Candidate) { c.Ino++ }, "generation": func(c *Candidate) { c.Gen++ }, "size": func(c *Candidate) { c.Size++ },
		"path": func(c *Candidate) { c.Path = []byte("/b") }, "grade": func(c *Candidate) { c.Grade = Partial },
		"split": func(c *Candidate) { c.Path, c.Name = []byte("/"), []byte("a") },
	} {
		c := made(12, layout.ModeRegular, "/a")
		if change(c); c.Key() == key {
			t.Errorf("%s does not change the key", name)
		}
	}
}
