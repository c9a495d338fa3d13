package audit_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

var structures = flag.Int("structures", 5, "how often TestStructures damages each image")

// TestStructures damages up to five structures of a good image at once: inodes and blocks
// copied over each other, entries that name another inode, pointers into metadata. Whenever
// e2fsck has something to say, the audit must, and of the inodes that e2fsck names it must
// name nearly all. How many is printed.
func TestStructures(t *testing.T) {
	tool := exttest.Tool(t, "e2fsck")
	var complained, noticed, named, same, clean, alone int
	for number, name := range strings.Fields(*fieldImages) {
		t.Run(strings.TrimPrefix(name, "matrix/"), func(t *testing.T) {
			w := newWreck(newMutant(t, name), rand.New(rand.NewPCG(*mutateAs, uint64(number))))
			for range *structures {
				var did []string
				for range 1 + w.random.IntN(5) {
					if wreck := wrecks[w.random.IntN(len(wrecks))]; wreck.do(w) {
						did = append(did, wreck.name)
					}
				}
				said, status := w.m.e2fsck(tool)
				faults, inos := w.audit(t)
				if status == 0 && !strings.Contains(said, "? no") {
					clean++
					if faults > 0 {
						alone++
						t.Logf("%s: the audit alone finds fault", did)
					}
				} else {
					complained++
					if faults > 0 || len(inos) > 0 {
						noticed++
					} else {
						t.Errorf("%s: e2fsck says %.400q, the audit nothing", did, said)
					}
					for ino := range toldInodes(said) {
						named++
						if inos == nil || inos[ino] {
							same++
						} else {
							t.Logf("%s: inode %d is named by e2fsck alone", did, ino)
						}
					}
				}
				w.m.restore()
			}
		})
	}
	t.Logf("e2fsck complains of %d images, the audit of %d of those; of %d inodes that e2fsck names there, of %d (%.1f %%)",
		complained, noticed, named, same, 100*float64(same)/float64(max(named, 1)))
	t.Logf("the audit alone finds fault with %d of the other %d", alone, clean)
	if same*100 < named*95 {
		t.Errorf("e2fsck names %d inodes, the audit %d of them", named, same)
	}
	if alone*20 > clean+20 {
		t.Errorf("e2fsck finds no fault with %d images, the audit with %d of them", clean, alone)
	}
}

// toldInodes gives the inodes that e2fsck names.
func toldInodes(said string) map[ext.Ino]bool {
	inos := map[ext.Ino]bool{}
	for _, match := range inodeNumber.FindAllStringSubmatch(valueInode.ReplaceAllString(said, ""), -1) {
		if n, err := strconv.ParseUint(match[1], 10, 32); err == nil && n > 0 {
			inos[ext.Ino(n)] = true
		}
	}
	return inos
}

// valueInode is how e2fsck spells a number that garbage has in place of an inode's.
var valueInode = regexp.MustCompile(`illegal extended attribute value inode \d+`)

// A wreck is an image to damage. Places are those that it had when it was good.
type wreck struct {
	m      *mutant
	random *rand.Rand
	inodes []*ext.Inode // in use
	dirs   []dirBlock
	meta   []ext.Block // of bitmaps, inode tables, directories, maps and attributes
}

type dirBlock struct {
	in      *ext.Inode
	block   ext.Block
	logical uint32
}

func newWreck(m *mutant, random *rand.Rand) *wreck {
	w := &wreck{m: m, random: random}
	for ino := ext.Ino(1); uint32(ino) <= m.fs.InodesCount(); ino++ {
		in, err := m.fs.Inode(ino)
		if err != nil || in.Links == 0 {
			continue
		}
		w.inodes = append(w.inodes, in)
		if in.FileACL != 0 {
			w.meta = append(w.meta, in.FileACL)
		}
		for r, err := range m.fs.Map(in) {
			if err != nil {
				m.t.Fatal(err)
			}
			for i := range r.Len {
				switch {
				case r.Kind == ext.Index:
					w.meta = append(w.meta, r.Physical)
				case in.IsDir():
					w.meta = append(w.meta, r.Physical+ext.Block(i))
					w.dirs = append(w.dirs, dirBlock{in, r.Physical + ext.Block(i), uint32(r.Logical + i)})
				}
			}
		}
	}
	for _, g := range m.fs.Groups() {
		w.meta = append(w.meta, g.BlockBitmap, g.InodeBitmap)
		for i := range min(m.fs.TableBlocks(), 8) {
			w.meta = append(w.meta, g.InodeTable+ext.Block(i))
		}
	}
	return w
}

// audit counts the faults that the audit finds, of which an orphan on its list is none, and
// gives the inodes that it names; nil is an image that is not opened.
func (w *wreck) audit(t *testing.T) (faults int, inos map[ext.Ino]bool) {
	fsys, err := ext.Open(bytes.NewReader(w.m.image), int64(len(w.m.image)), ext.Options{})
	if err != nil {
		return 1, nil // refused, with the reason
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := audit.Run(ctx, fsys, audit.Options{Skip: observation})
	if err != nil {
		t.Fatal(err)
	}
	inos = map[ext.Ino]bool{}
	faults = len(r.Unreadable)
	for _, f := range r.Findings {
		if f.Kind != audit.OrphanListed {
			faults++
		}
		inos[f.Ino], inos[f.Target] = true, true
		for _, ino := range f.Inodes {
			inos[ino] = true
		}
	}
	return faults, inos
}

func (w *wreck) inode() *ext.Inode { return w.inodes[w.random.IntN(len(w.inodes))] }
func (w *wreck) block() ext.Block  { return w.meta[w.random.IntN(len(w.meta))] }

// number is a random one, of any length.
func (w *wreck) number() uint32 { return w.random.Uint32() >> w.random.IntN(32) }

// sealed reports whether a checksum is to be put right.
func (w *wreck) sealed() bool { return w.random.IntN(8) > 0 }

// edit changes the bytes of an inode.
func (w *wreck) edit(in *ext.Inode, change func(b []byte)) bool {
	b := bytes.Clone(w.m.image[in.Offset:][:len(in.Raw)])
	change(b)
	w.m.write(in.Offset, b)
	if w.sealed() {
		w.m.sealInode(in)
	}
	return true
}

// record changes one record of a directory.
func (w *wreck) record(change func(at int64)) bool {
	d := w.dirs[w.random.IntN(len(w.dirs))]
	b := w.m.block(d.block)
	var places []int
	for at := 0; at+12 <= len(b); {
		places = append(places, at)
		n := layout.RecLen(b[at:], len(b))
		if n < 12 {
			break
		}
		at += n
	}
	change(w.m.fs.BlockOffset(d.block) + int64(places[w.random.IntN(len(places))]))
	if w.sealed() {
		w.m.sealDir(d.in, d.block, d.logical)
	}
	return true
}

func (w *wreck) group() (uint32, *ext.Group) {
	n := uint32(w.random.IntN(int(w.m.fs.GroupCount())))
	return n, w.m.fs.Group(n)
}

// wrecks are what is done to an image; do reports whether it could be.
var wrecks = []struct {
	name string
	do   func(w *wreck) bool
}{
	{"an inode cleared", func(w *wreck) bool {
		in := w.inode()
		w.m.write(in.Offset, make([]byte, len(in.Raw)))
		return true
	}},
	{"an inode over another", func(w *wreck) bool {
		from := w.inode()
		return w.edit(w.inode(), func(b []byte) { copy(b, w.m.image[from.Offset:]) })
	}},
	{"i_block of another", func(w *wreck) bool {
		from := w.inode()
		return w.edit(w.inode(), func(b []byte) { copy(b[0x28:0x64], w.m.image[from.Offset+0x28:]) })
	}},
	{"links", func(w *wreck) bool { return w.edit(w.inode(), func(b []byte) { b[0x1a] = byte(w.random.IntN(4)) }) }},
	{"type", func(w *wreck) bool {
		return w.edit(w.inode(), func(b []byte) { b[0x01] = b[0x01]&0xf | byte(w.random.IntN(16))<<4 })
	}},
	{"size", func(w *wreck) bool {
		return w.edit(w.inode(), func(b []byte) { binary.LittleEndian.PutUint32(b[0x04:], w.number()) })
	}},
	{"deletion time", func(w *wreck) bool {
		return w.edit(w.inode(), func(b []byte) { binary.LittleEndian.PutUint32(b[0x14:], w.number()) })
	}},
	{"i_blocks", func(w *wreck) bool {
		return w.edit(w.inode(), func(b []byte) { binary.LittleEndian.PutUint32(b[0x1c:], w.number()) })
	}},
	{"flags", func(w *wreck) bool {
		return w.edit(w.inode(), func(b []byte) { b[0x20+w.random.IntN(4)] ^= 1 << w.random.IntN(8) })
	}},
	{"attributes in metadata", func(w *wreck) bool {
		return w.edit(w.inode(), func(b []byte) { binary.LittleEndian.PutUint32(b[0x68:], uint32(w.block())) })
	}},
	{"a pointer into metadata", func(w *wreck) bool {
		in, at := w.inode(), 0x28+4*w.random.IntN(15)
		if in.Flags&layout.FlagExtents != 0 {
			at = 0x28 + 12 + 8 // ee_start_lo or ei_leaf_hi, of the first record
		}
		return w.edit(in, func(b []byte) { binary.LittleEndian.PutUint32(b[at:], uint32(w.block())) })
	}},
	{"an entry of another", func(w *wreck) bool {
		return w.record(func(at int64) { w.m.put32(at, uint32(w.inode().Ino)) })
	}},
	{"an entry of any number", func(w *wreck) bool { return w.record(func(at int64) { w.m.put32(at, w.number()) }) }},
	{"an entry cleared", func(w *wreck) bool { return w.record(func(at int64) { w.m.put32(at, 0) }) }},
	{"the length of a record", func(w *wreck) bool {
		return w.record(func(at int64) { w.m.put16(at+4, uint16(4*w.random.IntN(64))) })
	}},
	{"the length of a name", func(w *wreck) bool {
		return w.record(func(at int64) { w.m.write(at+6, []byte{byte(w.random.IntN(20))}) })
	}},
	{"a name", func(w *wreck) bool {
		return w.record(func(at int64) { w.m.write(at+8, []byte{"/\x00.a"[w.random.IntN(4)]}) })
	}},
	{"a block of zeros", func(w *wreck) bool {
		w.m.write(w.m.fs.BlockOffset(w.block()), make([]byte, w.m.fs.BlockSize()))
		return true
	}},
	{"a block over another", func(w *wreck) bool {
		w.m.write(w.m.fs.BlockOffset(w.block()), bytes.Clone(w.m.block(w.block())))
		return true
	}},
	{"a block of anything", func(w *wreck) bool {
		b := make([]byte, w.m.fs.BlockSize())
		for i := range b {
			b[i] = byte(w.random.Uint32())
		}
		w.m.write(w.m.fs.BlockOffset(w.block()), b)
		return true
	}},
	{"a list of orphans", func(w *wreck) bool {
		w.m.put32(1024+0xe8, uint32(w.inode().Ino))
		w.m.sealSuper()
		return true
	}},
	{"a node of a map", func(w *wreck) bool {
		in := w.inode()
		for r, err := range w.m.fs.Map(in) {
			if err == nil && r.Kind == ext.Index {
				w.m.put32(w.m.fs.BlockOffset(r.Physical)+int64(4*w.random.IntN(24)), w.number())
				if w.sealed() {
					w.m.sealExtents(in, r.Physical)
				}
				return true
			}
		}
		return false
	}},
	{"a descriptor", func(w *wreck) bool {
		n, g := w.group()
		w.m.write(g.Offset+int64(w.random.IntN(12)), []byte{byte(w.random.Uint32())})
		w.m.sealGroup(n, g.Offset)
		return true
	}},
	{"a bitmap", func(w *wreck) bool {
		n, g := w.group()
		block, what := g.BlockBitmap, "block"
		if w.random.IntN(2) == 0 {
			block, what = g.InodeBitmap, "inode"
		}
		at := w.m.fs.BlockOffset(block) + int64(w.random.IntN(w.m.fs.BlockSize()))
		w.m.write(at, []byte{w.m.image[at] ^ 1<<w.random.IntN(8)})
		w.m.sealBitmap(n, g, what)
		return true
	}},
}
