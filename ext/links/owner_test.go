package links

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

func open(t testing.TB, image []byte) *ext.FS {
	t.Helper()
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func all(f *ext.FS) []layout.Block {
	var blocks []layout.Block
	for b := range min(f.Super.BlocksCount, 1<<16) {
		blocks = append(blocks, layout.Block(b))
	}
	return blocks
}

// Every block of the demo image by its kind; see testdata/demo.sh.
func TestOwnersOfDemo(t *testing.T) {
	f := open(t, exttest.Bytes(t, "demo.img"))
	owners, damage, err := Owners(context.Background(), f, all(f), nil)
	if err != nil || len(damage) > 0 {
		t.Fatal(err, damage)
	}
	kinds := map[string]int{}
	allocated := uint64(0)
	for _, o := range owners {
		kinds[o.Kind]++
		if o.Allocated && o.Block > 0 {
			allocated++
		}
	}
	if want := f.Super.BlocksCount - 1 - f.Super.FreeBlocks; allocated != want {
		t.Errorf("%d blocks allocated, the superblock counts %d", allocated, want)
	}
	if kinds[BlockUnowned] != 0 || kinds[BlockFree] != int(f.Super.FreeBlocks) {
		t.Errorf("kinds %v, and %d blocks are free", kinds, f.Super.FreeBlocks)
	}
	// draft.txt was removed by debugfs, which leaves its map: inode 38, block 57.
	o := owners[57]
	if o.Kind != BlockFree || len(o.Claims) != 1 || o.Claims[0].Ino != 38 || !o.Claims[0].Deleted || len(o.Live()) != 0 {
		t.Errorf("block 57: %+v", o)
	}
	if o := owners[36]; o.FirstIno != 5 || o.Inodes != 4 {
		t.Errorf("block 36: inodes %d, %d of them; want 4 from 5 on", o.FirstIno, o.Inodes)
	}
}

// No block of a sound file system is unowned, and none has two owners, but for
// what the resize inode has.
func TestOwnersOfSoundImages(t *testing.T) {
	for _, name := range exttest.Some(10, exttest.Cases(t, "")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, exttest.Bytes(t, name))
			if f.Super.State != layout.StateValid || f.Super.Incompat&layout.IncompatRecover != 0 {
				t.Skip("not cleanly unmounted")
			}
			owners, damage, err := Owners(context.Background(), f, all(f), nil)
			if err != nil || len(damage) > 0 {
				t.Fatal(err, damage)
			}
			bad := 0
			for _, o := range owners {
				shared := false
				for _, c := range o.Live() {
					// Xattr blocks are shared, and so is the slack beside them.
					shared = shared || c.Ino != o.Live()[0].Ino && c.Kind != BlockXattr && c.Kind != BlockSlack
				}
				free := o.Kind == BlockFree
				meta := len(o.Meta) > 1 || len(o.Meta) == 1 && len(o.Live()) > 0 && o.Live()[0].Ino != layout.ResizeIno
				if o.Kind == BlockUnowned || shared || meta || free == o.Allocated {
					if bad++; bad < 10 {
						t.Errorf("%+v", o)
					}
				}
			}
		})
	}
}

// A block that two inodes claim has both for owners.
func TestOwnersShared(t *testing.T) {
	e := exttest.Edit(t, "small")
	a, b := e.Ino("/o1"), e.Ino("/o2")
	block := e.First(a)
	binary.LittleEndian.PutUint32(e.Inode(b)[0x28+12+8:], block) // ee_start_lo of the first extent
	e.SealInode(b)
	f := open(t, e.Image)
	owners, _, err := Owners(context.Background(), f, []layout.Block{layout.Block(block)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var inodes []Ino
	for _, c := range owners[0].Claims {
		inodes = append(inodes, c.Ino)
	}
	if want := []Ino{Ino(a), Ino(b)}; !slices.Equal(inodes, want) || owners[0].Kind != BlockData {
		t.Errorf("%s of %v, want data of %v", owners[0].Kind, inodes, want)
	}
}

func TestOwnersArguments(t *testing.T) {
	f := open(t, exttest.Bytes(t, "demo.img"))
	for _, tt := range []struct {
		blocks []layout.Block
		err    string
	}{
		{[]layout.Block{511}, "<nil>"},
		{[]layout.Block{1, 512}, "block 512 does not exist: they are numbered 0 to 511"},
		{[]layout.Block{1<<64 - 1}, "block 18446744073709551615 does not exist: they are numbered 0 to 511"},
		{make([]layout.Block, ownerBlocks+1), "<nil>"}, // all the same one
	} {
		_, _, err := Owners(context.Background(), f, tt.blocks, nil)
		if fmt.Sprint(err) != tt.err {
			t.Errorf("error %v, want %s", err, tt.err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Owners(ctx, f, []layout.Block{1}, nil); err != context.Canceled {
		t.Errorf("canceled: error %v", err)
	}
}

// Damage is told, and is the same each time.
func TestOwnersHostile(t *testing.T) {
	for _, name := range exttest.Some(40, exttest.HostileNames()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := exttest.HostileImage(t, name)
			f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
			if err != nil {
				t.Skip(err)
			}
			one, damage, err := Owners(context.Background(), f, all(f), nil)
			if err != nil {
				t.Fatal(err)
			}
			two, again, _ := Owners(context.Background(), f, all(f), nil)
			if fmt.Sprint(one) != fmt.Sprint(two) || fmt.Sprint(damage) != fmt.Sprint(again) {
				t.Error("two runs differ")
			}
		})
	}
}

func FuzzOwners(f *testing.F) {
	seed := exttest.Bytes(f, "small-ext2")
	f.Add(uint32(0x438), []byte{0x53})
	f.Add(uint32(10<<10), []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		image := slices.Clone(seed)
		copy(image[int(at)%len(image):], patch)
		fs, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
		if err != nil {
			return
		}
		if _, _, err := Owners(context.Background(), fs, all(fs), nil); err != nil {
			t.Error(err)
		}
	})
}
