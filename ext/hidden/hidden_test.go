package hidden_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/hidden"
)

var le = binary.LittleEndian

func find(t testing.TB, image []byte, o hidden.Options) *hidden.Result {
	t.Helper()
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := hidden.Find(context.Background(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSound holds that nothing is hidden in images that nobody hid anything in. In one
// of them blocks that were allocated past the end of a file hold what was there before.
func TestSound(t *testing.T) {
	for _, name := range exttest.Some(8, exttest.Cases(t, "")) {
		for _, p := range find(t, exttest.Bytes(t, name), hidden.Options{}).Places {
			if name == "matrix/data-journal" && p.Kind == hidden.PastEOF {
				continue
			}
			t.Errorf("%s: %s at byte %d: %d of %d bytes", name, p.Kind, p.Offset, p.NotZero, p.Len)
		}
	}
}

// A planted place: bytes that a recipe puts where the format has room.
type planted struct {
	kind hidden.Kind
	ino  uint32
	at   int64 // of the bytes
}

const message = "hidden message"

// TestPlanted hides a message in each kind of place.
func TestPlanted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		image string
		plant func(t *testing.T, e *exttest.Editor) planted
	}{
		{"boot area", "matrix/ext4-4k", at(hidden.BootArea, 17)},
		{"superblock", "matrix/ext4-4k", at(hidden.SuperPadding, 1024+0x300)},
		{"behind the superblock", "matrix/ext4-4k", at(hidden.SuperPadding, 3000)},
		{"behind a backup", "matrix/ext3-1k", at(hidden.SuperPadding, 8193*1024+0x290)},
		{"behind the last descriptor", "matrix/ext4-4k", at(hidden.DescPadding, 4096+4000)},
		{"in a descriptor", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			copy(e.Group(0)[0x3c:0x40], "hide")
			return planted{hidden.DescPadding, 0, 4096 + 0x3c}
		}},
		{"reserved descriptors", "matrix/ext4-4k", at(hidden.ReservedGDT, 2*4096+4000)},
		{"behind a block bitmap", "matrix/ext3-1k", func(t *testing.T, e *exttest.Editor) planted {
			return put(e, hidden.BitmapPadding, int64(le.Uint32(e.Group(0)[0x4:]))*1024+1000) // bg_inode_bitmap
		}},
		{"reserved inode", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			free := freeBlock(t, e)
			in := e.Inode(9)
			le.PutUint16(in, 0x8180)
			le.PutUint16(in[0x1a:], 1)
			le.PutUint32(in[0x28:], free) // i_block[0], no extents
			return put(e, hidden.ReservedInode, int64(free)*4096+100).of(9)
		}},
		{"bad blocks", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			free := freeBlock(t, e)
			le.PutUint32(e.Inode(1)[0x28:], free)
			le.PutUint16(e.Inode(1)[0x1a:], 1)
			return put(e, hidden.BadBlocks, int64(free)*4096).of(1)
		}},
		{"tail of an inode", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			return put(e, hidden.InodeTail, e.InodeOffset(11)+128+32+20).of(11)
		}},
		{"slack of a file", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			ino, size := someFile(t, e)
			return put(e, hidden.Slack, int64(e.First(ino))*4096+size+8).of(ino)
		}},
		{"blocks past the end", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			ino, _ := someFile(t, e)
			le.PutUint32(e.Inode(ino)[0x4:], 0) // i_size_lo
			at := int64(e.First(ino)) * 4096
			clear(e.Image[at:][:4096])
			return put(e, hidden.PastEOF, at+5).of(ino)
		}},
		{"blocks that nobody owns", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			free := freeBlock(t, e)
			e.Image[int64(le.Uint32(e.Group(0)[0x0:]))*4096+int64(free/8)] |= 1 << (free % 8) // bg_block_bitmap
			return put(e, hidden.Unowned, int64(free)*4096+9)
		}},
		{"after the file system", "matrix/ext4-4k", func(t *testing.T, e *exttest.Editor) planted {
			end := len(e.Image)
			e.Image = append(e.Image, make([]byte, 5000)...)
			return put(e, hidden.AfterEnd, int64(end)+4321)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := exttest.Edit(t, tt.image)
			want := tt.plant(t, e)
			r := find(t, e.Image, hidden.Options{})
			for _, p := range r.Places {
				if p.Kind == want.kind && p.Offset <= want.at && want.at < p.Offset+p.Len && uint32(p.Ino) == want.ino {
					if n := int64(len(message)); p.NotZero > n+4 || p.NotZero < 4 {
						t.Errorf("%d bytes are not zero", p.NotZero)
					}
					continue
				}
				t.Errorf("%s of inode %d at byte %d: %d bytes", p.Kind, p.Ino, p.Offset, p.NotZero)
			}
			if r.NotZero[want.kind] == 0 {
				t.Errorf("nothing found as %s", want.kind)
			}
		})
	}
}

// put writes the message at a byte of the image.
func put(e *exttest.Editor, kind hidden.Kind, at int64) planted {
	copy(e.Image[at:], message)
	return planted{kind, 0, at}
}

func (p planted) of(ino uint32) planted { p.ino = ino; return p }

func at(kind hidden.Kind, at int64) func(*testing.T, *exttest.Editor) planted {
	return func(_ *testing.T, e *exttest.Editor) planted { return put(e, kind, at) }
}

// freeBlock gives a block that the bitmap of group 0 has as free, and which is all
// zeros.
func freeBlock(t *testing.T, e *exttest.Editor) uint32 {
	t.Helper()
	bitmap := e.Block(le.Uint32(e.Group(0)[0x0:]))
	for b := uint32(len(e.Image)/4096 - 1); b > 0; b-- {
		if bitmap[b/8]>>(b%8)&1 == 0 && bytes.Count(e.Block(b), []byte{0}) == 4096 {
			return b
		}
	}
	t.Fatal("no free block")
	return 0
}

// someFile gives a file that ends inside its only block.
func someFile(t *testing.T, e *exttest.Editor) (ino uint32, size int64) {
	t.Helper()
	for _, o := range exttest.Truth(t, "matrix/ext4-4k") {
		if o.Type == "file" && o.Size > 10 && o.Size < 4000 && len(o.Extents) == 1 && o.Links == 1 && o.Flags == 0x80000 {
			return uint32(o.Ino), o.Size
		}
	}
	t.Fatal("no such file")
	return 0, 0
}

// TestUnownedIsLeaked holds blocks that nobody owns against those that e2fsck would
// free.
func TestUnownedIsLeaked(t *testing.T) {
	tool := exttest.Tool(t, "e2fsck")
	e := exttest.Edit(t, "matrix/ext4-4k")
	free := freeBlock(t, e)
	bitmap := e.Block(le.Uint32(e.Group(0)[0x0:]))
	bitmap[free/8] |= 1 << (free % 8)
	file := path.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, e.Image, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(tool, "-fn", file).CombinedOutput()
	m := regexp.MustCompile(`Block bitmap differences: .*-(\d+)`).FindSubmatch(out)
	if m == nil || string(m[1]) != strconv.Itoa(int(free)) {
		t.Fatalf("e2fsck says\n%s", out)
	}
	r := find(t, e.Image, hidden.Options{Zeros: true})
	for _, p := range r.Places {
		if p.Kind == hidden.Unowned && (p.Offset != int64(free)*4096 || p.Len != 4096) {
			t.Errorf("byte %d, %d bytes", p.Offset, p.Len)
		}
	}
	if r.Checked[hidden.Unowned] != 1 {
		t.Errorf("%d places", r.Checked[hidden.Unowned])
	}
}

// TestHostile looks for hidden places in hostile images.
func TestHostile(t *testing.T) {
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		t.Run(name, func(t *testing.T) {
			image := exttest.HostileImage(t, name)
			defer exttest.Watch(t, exttest.TimeLimit())()
			f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
			if err != nil {
				return
			}
			if _, err := hidden.Find(context.Background(), f, hidden.Options{Zeros: true}); err != nil {
				t.Error(err)
			}
		})
	}
}
