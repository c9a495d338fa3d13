package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
)

// costly are images made so that work or memory could grow faster than they do:
// with the product of two numbers in them, or with a number that is claimed.
var costly = map[string]func() *maker{
	// Every inode leads to one tree of 2000 nodes.
	"extent tree of all inodes": func() *maker {
		m := newMaker(4096, 1<<13, few(1<<14))
		m.dir(2, 2)
		top := m.alloc(1)
		var nodes []extentRec
		for i := range wide(300) {
			at := m.alloc(1)
			var leaves []extentRec
			for j := range int64(340) {
				leaves = append(leaves, extentRec{i*340 + j, 1, 40 + j})
			}
			node(m.block(at), 0, leaves...)
			nodes = append(nodes, extentRec{i * 340, 0, at})
		}
		node(m.block(top), 1, nodes...)
		for ino := uint32(12); ino < few(1<<14); ino++ {
			mode := []uint16{0x81a4, 0x41ed, 0xa1ff}[ino%3]
			m.mapped(ino, mode, 1, 300*340*4096, 2, extentRec{0, 0, top})
		}
		return m
	},
	"indirect tree of all inodes": func() *maker {
		m := newMaker(1024, 1<<15, few(1<<14))
		m.dir(2, 2)
		top := m.alloc(1)
		for i := range wide(256) {
			at := m.alloc(1)
			le.PutUint32(m.block(top)[4*i:], uint32(at))
			for j := range int64(256) {
				le.PutUint32(m.block(at)[4*j:], uint32(100+j*2%77))
			}
		}
		for ino := uint32(12); ino < few(1<<14); ino++ {
			b := m.inode(ino, []uint16{0x81a4, 0x41ed}[ino%2], uint16(ino/2%2), 0, 65000*1024)
			le.PutUint32(b[0x28+13*4:], uint32(top))
		}
		return m
	},
	"directory blocks of all inodes": func() *maker {
		m := newMaker(4096, 1<<13, 1<<13)
		m.dir(2, 2)
		for ino := uint32(12); ino < 1<<13; ino++ {
			m.mapped(ino, 0x41ed, 1, 1<<24, 0, extentRec{0, 4000, 600}, extentRec{4000, 4000, 600})
		}
		return m
	},
	"a directory of the same blocks over and over": func() *maker {
		m := newMaker(4096, 1<<12, 1<<10)
		m.dir(2, 2, name{"all", 12, layout.FTDir})
		var nodes []extentRec
		for i := range int64(340) {
			at := m.alloc(1)
			var leaves []extentRec
			for j := range int64(340) {
				leaves = append(leaves, extentRec{(i*340 + j) * 2000, 2000, 1000})
			}
			node(m.block(at), 0, leaves...)
			nodes = append(nodes, extentRec{i * 340 * 2000, 0, at})
		}
		top := m.alloc(1)
		node(m.block(top), 1, nodes...)
		m.mapped(12, 0x41ed, 2, 0xfffff000, 2, extentRec{0, 0, top})
		// The orphan file is the same.
		sb := m.at(1024)
		le.PutUint32(sb[0x5c:], uint32(layout.CompatOrphanFile))
		le.PutUint32(sb[0x280:], 12)
		return m
	},
	"directories in each other":                      func() *maker { return nestedDirs(2) },
	"directories in each other, none under the root": func() *maker { return nestedDirs(13) },
	"rotten links deep down": func() *maker {
		n := few(100_000)
		m := newMaker(4096, 1<<14, n+8000)
		var names []name
		for i := range n {
			names = append(names, name{fmt.Sprintf("n%d", i), 8000 + i, layout.FTSymlink})
			m.symlink(8000+i, fmt.Sprintf("nowhere/%d", i))
		}
		m.dir(2, 2, name{strings.Repeat("d", 40), 12, layout.FTDir})
		for ino := uint32(12); ino < 4000; ino++ {
			m.nested(ino, max(ino-1, 11), name{strings.Repeat("d", 40), ino + 1, layout.FTDir})
		}
		m.dir(4000, 3999, names...)
		return m
	},
	"a file of many names deep down": func() *maker {
		m := newMaker(4096, 1<<14, 8000)
		var names []name
		for i := range few(100_000) {
			names = append(names, name{fmt.Sprintf("n%d", i), 12, layout.FTDir})
		}
		m.inode(12, 0x81a4, 7, 0, 0)
		m.dir(2, 2, name{strings.Repeat("d", 40), 13, layout.FTDir})
		for ino := uint32(13); ino < 4000; ino++ {
			m.nested(ino, ino-1, name{strings.Repeat("d", 40), ino + 1, layout.FTDir})
		}
		m.dir(4000, 3999, names...)
		return m
	},
	"a directory of many parents": func() *maker {
		m := newMaker(4096, 1<<14, few(60_000))
		m.dir(2, 2, name{"d", 13, layout.FTDir})
		m.dir(12, 2)
		for ino := uint32(13); ino < few(60_000); ino++ {
			m.nested(ino, 2, name{"d", 12, layout.FTDir})
		}
		return m
	},
	"long targets in a block of all": func() *maker {
		m := newMaker(4096, 1<<12, 20_000)
		at := m.alloc(1)
		copy(m.block(at), strings.Repeat("./", 2000)+"link")
		for ino := uint32(100); ino < few(20_000); ino++ {
			m.mapped(ino, 0xa1ff, 1, 4004, 0, extentRec{0, 1, at})
		}
		m.dir(2, 2, name{"link", 100, layout.FTSymlink})
		return m
	},
	"targets of many links": func() *maker {
		m := newMaker(4096, 1<<12, 20_000)
		at := m.alloc(1)
		copy(m.block(at), strings.Repeat("link/", 800))
		for ino := uint32(100); ino < few(20_000); ino++ {
			m.mapped(ino, 0xa1ff, 1, 4000, 0, extentRec{0, 1, at})
		}
		m.dir(2, 2, name{"link", 100, layout.FTSymlink})
		return m
	},
	"links up from a directory without dots": func() *maker {
		m := newMaker(4096, 1<<13, 20_000)
		m.dir(2, 2)
		var names []name
		for ino := uint32(100); ino < few(20_000); ino++ {
			names = append(names, name{fmt.Sprint(ino), ino, layout.FTSymlink})
			m.symlink(ino, strings.Repeat("../", 19))
		}
		from := m.next
		m.dir(12, 12, names...)
		first := m.block(from)
		first[0x0c+8] = 'x'
		return m
	},
	"casefolded look-ups": func() *maker {
		m := newMaker(4096, 1<<13, 50_000)
		le.PutUint32(m.at(1024)[0x60:], uint32(layout.IncompatFiletype|layout.IncompatExtents|layout.IncompatCasefold))
		var names []name
		for i := range uint32(20_000) {
			names = append(names, name{fmt.Sprintf("Name-%d", i), 20_000 + i, layout.FTSymlink})
			m.symlink(20_000+i, fmt.Sprintf("name-x%d", i))
		}
		m.dir(2, 2, names...)
		b := m.at(m.table + makerInode)
		le.PutUint32(b[0x20:], uint32(layout.FlagExtents|layout.FlagCasefold))
		return m
	},
	"attributes of all inodes in one block": func() *maker {
		m := newMaker(4096, 1<<13, few(60_000))
		at := m.alloc(1)
		b := m.block(at)
		le.PutUint32(b, 0xea020000)
		le.PutUint32(b[4:], 1000)
		le.PutUint32(b[8:], 1)
		for i := 0x20; i+40 < len(b); i += 16 {
			copy(b[i:], []byte{0, 1, 0, 0, 12})
		}
		m.dir(2, 2)
		for ino := uint32(12); ino < few(60_000); ino++ {
			le.PutUint32(m.inode(ino, 0x81a4, 1, 0, 0)[0x68:], uint32(at))
		}
		return m
	},
	"the last of 2^32 inodes": func() *maker {
		m := newMaker(4096, 1<<12, 1<<10)
		m.dir(2, 2)
		sb := m.at(1024)
		const groups = 1 << 17
		le.PutUint32(sb[0x00:], 1<<32-1)
		le.PutUint32(sb[0x04:], 0)
		le.PutUint32(sb[0x150:], groups>>17)
		le.PutUint32(sb[0x60:], le.Uint32(sb[0x60:])|uint32(layout.Incompat64Bit))
		le.PutUint16(sb[0xfe:], 64)
		le.PutUint32(sb[0x28:], 32768)
		d := m.at(4096 + (groups-1)*64)
		le.PutUint32(d[0x00:], 3000)
		le.PutUint32(d[0x04:], 3001)
		le.PutUint32(d[0x08:], 3002)
		return m
	},
}

// nestedDirs is a chain of directories, the first named in directory from.
func nestedDirs(from uint32) *maker {
	n := few(100_000)
	m := newMaker(4096, 1<<14, n+100)
	m.dir(2, 2)
	if from == 2 {
		m.dir(2, 2, name{"d", 100, layout.FTDir})
	}
	for ino := uint32(100); ino < n; ino++ {
		m.nested(ino, ino-1, name{"dd", ino + 1, layout.FTDir})
	}
	m.dir(n, n-1)
	return m
}

func TestCostly(t *testing.T) {
	for _, what := range exttest.Some(3, slices.Sorted(maps.Keys(costly))) {
		make := costly[what]
		t.Run(what, func(t *testing.T) {
			m := make()
			lap := time.Now()
			took := func(part string) {
				if d := time.Since(lap); d > 300*time.Millisecond {
					t.Logf("%s took %v", part, d)
				}
				lap = time.Now()
			}
			// The slowest of these takes 3 s on an idle core.
			withinTime(t, 4*exttest.TimeLimit(), func(ctx context.Context) {
				f, err := ext.Open(m, m.size, ext.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				took("open")
				tree, err := links.Survey(ctx, f, links.Hooks{})
				if err != nil {
					t.Error("survey: ", err)
					return
				}
				took("survey")
				if _, err := tree.Unattached(ctx); err != nil {
					t.Error("unattached: ", err)
				}
				took("unattached")
				if seq, err := tree.HardLinks(ctx); err != nil {
					t.Error("hard links: ", err)
				} else {
					for range seq {
					}
				}
				took("hard links")
				if seq, err := tree.Symlinks(ctx, links.SymlinkOptions{}); err != nil {
					t.Error("symlinks: ", err)
				} else {
					for range seq {
					}
				}
				took("symlinks")
				if _, _, err := tree.Orphans(ctx); err != nil {
					t.Error("orphans: ", err)
				}
				took("orphans")
				if _, err := audit.Run(ctx, f, audit.Options{}); err != nil {
					t.Error("audit: ", err)
				}
				took("audit")
				if _, _, err := links.Owners(ctx, f, []layout.Block{700}, nil); err != nil {
					t.Error("owners: ", err)
				}
				took("owners")
				root, err := f.Inode(layout.RootIno)
				if err != nil {
					return
				}
				for _, err := range f.Walk(ctx, root, []byte("/"), ext.WalkOptions{Removed: true}) {
					if errors.Is(err, context.DeadlineExceeded) {
						t.Error("walk: ", err)
					}
				}
				took("walk")
				if _, err := f.Resolve("/all/x", true); err == nil {
					t.Error("found")
				}
				took("lookup")
			})
		})
	}
}

// A superblock may claim what it likes of a large image: opening takes no time,
// and no memory.
func TestOpenClaims(t *testing.T) {
	const size = 16 << 30
	for what, claim := range map[string]func(sb []byte){
		"groups of a block":         func(sb []byte) { le.PutUint32(sb[0x20:], 1) },
		"groups of eight blocks":    func(sb []byte) { le.PutUint32(sb[0x20:], 8) },
		"2^48 blocks":               func(sb []byte) { le.PutUint32(sb[0x04:], 0); le.PutUint32(sb[0x150:], 1<<16) },
		"2^48 in groups of 65536":   func(sb []byte) { le.PutUint32(sb[0x150:], 1<<15); le.PutUint32(sb[0x20:], 1<<13) },
		"large descriptors":         func(sb []byte) { le.PutUint16(sb[0xfe:], 1024); le.PutUint32(sb[0x20:], 1) },
		"meta_bg":                   func(sb []byte) { le.PutUint32(sb[0x20:], 1); sb[0x60] |= 0x10 },
		"sparse_super2":             func(sb []byte) { le.PutUint32(sb[0x20:], 1); sb[0x5d] |= 2; le.PutUint32(sb[0x24c:], 0xfffffff0) },
		"blocks of 64 KiB":          func(sb []byte) { sb[0x18], sb[0x1c], sb[0x14] = 6, 6, 0; le.PutUint32(sb[0x20:], 1) },
		"no good superblock at all": func(sb []byte) { sb[0x18] = 200 },
	} {
		t.Run(what, func(t *testing.T) {
			s := &sparse{size: size}
			sb := s.at(1024)
			m := newMaker(1024, 1<<14, 100)
			copy(sb[:1024], m.at(1024))
			le.PutUint32(sb[0x04:], size/1024)
			le.PutUint32(sb[0x60:], uint32(layout.IncompatFiletype|layout.Incompat64Bit))
			le.PutUint16(sb[0xfe:], 64)
			claim(sb)
			within(t, func(ctx context.Context) {
				start := time.Now()
				f, err := ext.Open(s, s.size, ext.Options{})
				took := time.Since(start)
				if took > exttest.TimeLimit()/2 {
					t.Errorf("took %v", took)
				}
				if err == nil && len(f.Warnings()) == 0 {
					t.Error("no warning")
				}
				t.Log(took, err)
				if err != nil {
					return
				}
				if _, err := audit.Run(ctx, f, audit.Options{}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Every KiB looks like a backup superblock.
func TestOpenBait(t *testing.T) {
	image := make([]byte, 64<<20)
	for at := 2048; at < len(image); at += 1024 {
		copy(image[at+0x38:], "\x53\xef")
	}
	within(t, func(context.Context) {
		if _, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{}); err == nil {
			t.Error("opened")
		}
	})
}
