package undelete

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"path"
	"strings"

	"github.com/extscope/extscope/ext/layout"
)

// Nameless is the folder of files whose path is not known.
const Nameless = "@nameless"

// Key identifies a candidate among those of the same evidence, from one run of the
// program to the next: by its number, its generation, its names and its contents.
func (c *Candidate) Key() (k [16]byte) {
	h := fnv.New128a()
	number := func(n uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	text := func(b []byte) {
		number(uint64(len(b)))
		h.Write(b)
	}
	for _, n := range []uint64{uint64(c.Ino), uint64(c.Gen), uint64(c.Type), c.Size, uint64(c.Sequence)} {
		number(n)
	}
	for _, b := range [][]byte{[]byte(c.Technique), []byte(c.Grade), c.Path, c.Name, c.Target, c.Inline} {
		text(b)
	}
	for _, r := range c.Runs {
		number(r.Logical)
		number(uint64(r.Physical))
		number(r.Len)
	}
	h.Sum(k[:0])
	return k
}

// A Placement gives every file a name below the folder that no other has. What came
// first keeps its own; the rest is told apart by inode number. Files are known by numbers
// that the caller gives them.
type Placement struct {
	taken   map[string]int32  // whose a name is, nobodys for folders and what is reserved
	folders map[string]string // by path in the image
	none    string            // the folder of files without a path
	names   map[string]int    // how often a name was told apart by a mark
}

const nobodys = -1

// NewPlacement makes the placement of all that is going to be written, and of names
// that are reserved in the folder itself. Folders come first: whatever lies below one
// has to find it by its name.
func NewPlacement(all iter.Seq[*Candidate], reserved ...string) *Placement {
	p := &Placement{taken: map[string]int32{}, folders: map[string]string{}, names: map[string]int{}}
	for _, name := range reserved {
		p.taken[name] = nobodys
	}
	below := false
	for c := range all {
		below = below || c.Path == nil && c.Below != nil
		if c.Path != nil {
			p.folder(parent(string(c.Path)))
			for _, other := range c.HardLinks() {
				p.folder(parent(string(other)))
			}
		} else if p.none == "" && (c.Type != layout.ModeDir || c.Below != nil) {
			p.none = p.claim(Nameless, 0, nobodys)
		}
	}
	if !below {
		return p
	}
	for c := range all {
		if c.Path == nil && c.Below != nil {
			p.folderBelow(parent(string(c.Below)))
		}
	}
	return p
}

func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// folder gives the output of a directory of the image, "" of the root.
func (p *Placement) folder(dir string) string {
	dir = strings.TrimRight(dir, "/")
	if dir == "" {
		return ""
	}
	if out, known := p.folders[dir]; known {
		return out
	}
	up := parent(dir)
	out := p.claim(path.Join(p.folder(up), SafeName([]byte(strings.TrimPrefix(dir[len(up):], "/")))), 0, nobodys)
	p.folders[dir] = out
	return out
}

// folderBelow gives the output of a directory that is below one without a path, as
// "@12/a": in the folder of files without a path.
func (p *Placement) folderBelow(dir string) string {
	if dir == "" {
		return p.none
	}
	key := "\x00" + dir // no path has that
	if out, known := p.folders[key]; known {
		return out
	}
	up := parent(dir)
	out := p.claim(path.Join(p.folderBelow(up), SafeName([]byte(strings.TrimPrefix(dir[len(up):], "/")))), 0, nobodys)
	p.folders[key] = out
	return out
}

// Directory gives the folder that a deleted directory becomes, "" where its path is not
// known. Two of one path become one folder.
func (p *Placement) Directory(c *Candidate) string {
	if c.Path == nil {
		if c.Below != nil {
			return p.folderBelow(string(c.Below))
		}
		return ""
	}
	return p.folder(string(c.Path))
}

// File gives file n its output. other is who has the name that it would have had: n itself,
// or, of a folder, -1.
func (p *Placement) File(c *Candidate, n int32) (output string, other int32) {
	want := ""
	switch {
	case c.Path != nil:
		want = p.below(c.Path)
	case c.Below != nil:
		want = path.Join(p.folderBelow(parent(string(c.Below))), SafeName(c.Below[len(parent(string(c.Below)))+1:]))
	case c.Name != nil:
		want = path.Join(p.none, SafeName(c.Name))
	case c.Ino == 0 && len(c.Runs) > 0:
		want = path.Join(p.none, fmt.Sprintf("block-%d%s", c.Runs[0].Physical, c.Ext))
	default:
		want = path.Join(p.none, fmt.Sprintf("inode-%d-%d%s", c.Ino, c.Gen, c.Ext))
	}
	return p.claim(want, c.Ino, n), p.taken[want]
}

// below gives a path of the image its place below the folder, whoever has that.
func (p *Placement) below(at []byte) string {
	up := parent(string(at))
	return path.Join(p.folder(up), SafeName([]byte(strings.TrimPrefix(string(at)[len(up):], "/"))))
}

// Link gives a further name of file n, which is a path in the image, its output.
func (p *Placement) Link(c *Candidate, at []byte, n int32) string {
	return p.claim(p.below(at), c.Ino, n)
}

// Another gives a further output to a file whose own was found to be taken.
func (p *Placement) Another(output string, c *Candidate) string {
	return p.claim(output, c.Ino, nobodys)
}

func (p *Placement) claim(want string, ino Ino, n int32) string {
	if _, taken := p.taken[want]; !taken {
		p.taken[want] = n
		return want
	}
	mark := ".@"
	if ino != 0 {
		mark = fmt.Sprintf(".@%d", ino)
	}
	dir, base := path.Split(want)
	for {
		k := p.names[want+mark]
		p.names[want+mark]++
		suffix := mark
		switch {
		case mark == ".@":
			suffix = fmt.Sprintf(".@%d", k+1)
		case k > 0:
			suffix = fmt.Sprintf("%s.%d", mark, k+1)
		}
		out := dir + withSuffix(base, suffix)
		if _, taken := p.taken[out]; !taken {
			p.taken[out] = n
			return out
		}
	}
}
