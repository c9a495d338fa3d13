package audit_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

var bin = binary.LittleEndian

// on changes an inode and puts its checksum right.
func on(path string, change func(e *exttest.Editor, b []byte)) func(*exttest.Editor) {
	return func(e *exttest.Editor) {
		ino := e.Ino(path)
		change(e, e.Inode(ino))
		e.SealInode(ino)
	}
}

// value changes inode 174 of matrix/ea-inode-1k, in which an attribute of /ea/two-values has
// its value, of 5000 bytes.
func value(change func(b []byte)) func(*exttest.Editor) {
	return func(e *exttest.Editor) {
		change(e.Inode(174))
		e.SealInode(174)
	}
}

// quotaBlock gives block n of the user quota file of matrix/quota, whose blocks of the file
// system lie in a row.
func quotaBlock(e *exttest.Editor, n uint32) []byte {
	return e.Block(e.First(3) + n/4)[n%4*1024:][:1024]
}

// TestKinds damages a good image at one field, and finds that there; e2fsck finds
// fault with it as well, but where the reason it does not is given.
func TestKinds(t *testing.T) {
	for _, tt := range []struct {
		what, image string
		damage      func(e *exttest.Editor)
		kind        audit.Kind
		path        string // whose the finding is, "" for the file system
		silent      string // why e2fsck says nothing
	}{
		{"two files in one block", "small", on("/o1", func(e *exttest.Editor, b []byte) {
			bin.PutUint32(b[0x3c:], e.First(e.Ino("/o2")))
		}), audit.SharedBlock, "/o1", ""},
		{"the other of them", "small", on("/o1", func(e *exttest.Editor, b []byte) {
			bin.PutUint32(b[0x3c:], e.First(e.Ino("/o2")))
		}), audit.SharedBlock, "/o2", ""},
		{"a file in the superblock", "small", on("/o1", func(_ *exttest.Editor, b []byte) { bin.PutUint32(b[0x3c:], 1) }),
			audit.BadBlockPointer, "/o1", ""},
		{"a pointer out of range", "small-ext2", on("/o1", func(_ *exttest.Editor, b []byte) { bin.PutUint32(b[0x28:], 1<<20) }),
			audit.BadBlockPointer, "/o1", ""},
		{"i_blocks", "small", on("/o1", func(_ *exttest.Editor, b []byte) { b[0x1c] += 2 }), audit.BadBlocksCount, "/o1", ""},
		{"i_blocks of a file with an xattr block", "small", on("/xattr", func(_ *exttest.Editor, b []byte) { b[0x1c] -= 2 }),
			audit.BadBlocksCount, "/xattr", ""},
		{"a size that ends in front of the last block", "small", on("/frag", func(_ *exttest.Editor, b []byte) { bin.PutUint32(b[0x04:], 9) }),
			audit.BadSize, "/frag", ""},
		{"the size of a device", "small", on("/device", func(_ *exttest.Editor, b []byte) { b[0x04] = 1 }), audit.BadSize, "/device", ""},
		{"the upper half of a symlink's size", "matrix/large-dir", on("/types/fast", func(_ *exttest.Editor, b []byte) { b[0x6c] = 1 }),
			audit.BadSymlink, "/types/fast", ""},
		{"a translator of the Hurd in metadata", "matrix/ext2-rev0-1k", func(e *exttest.Editor) {
			e.Superblock()[0x48] = 1
			bin.PutUint32(e.Inode(e.Ino("/names"))[0x24:], 3)
		}, audit.BadBlockPointer, "/names", ""},
		{"an immutable symlink", "small", on("/soft", func(_ *exttest.Editor, b []byte) { b[0x20] |= 0x10 }), audit.BadInode, "/soft", ""},
		{"no type", "small", on("/o1", func(_ *exttest.Editor, b []byte) { b[0x01] &= 0xf }), audit.BadInode, "/o1", ""},
		{"a deletion time", "small", on("/o1", func(_ *exttest.Editor, b []byte) { bin.PutUint32(b[0x14:], 1<<30) }), audit.BadInode, "/o1", ""},
		{"a target longer than i_size says", "small", on("/soft", func(_ *exttest.Editor, b []byte) { b[0x04]-- }), audit.BadSymlink, "/soft", ""},
		{"an extent index that its node does not begin with", "small", on("/frag", func(_ *exttest.Editor, b []byte) { b[0x34]++ }),
			audit.BadExtent, "/frag", ""},
		{"a node of another depth", "small", func(e *exttest.Editor) {
			ino := e.Ino("/frag")
			e.Block(e.First(ino))[6] = 1
			e.SealExtents(ino, e.First(ino))
		}, audit.BadExtent, "/frag", "it goes by the depth of the root; the kernel by that of each node"},
		{"a hash of an attribute", "small", func(e *exttest.Editor) {
			block := bin.Uint32(e.Inode(e.Ino("/xattr"))[0x68:])
			e.Block(block)[0x2c]++
			e.SealXattrs(block)
		}, audit.BadXattr, "/xattr", ""},
		{"an attribute on another", "small", func(e *exttest.Editor) {
			block := bin.Uint32(e.Inode(e.Ino("/xattr"))[0x68:])
			bin.PutUint16(e.Block(block)[0x22:], 0x24)
			e.SealXattrs(block)
		}, audit.BadXattr, "/xattr", ""},
		{"a value that ends too early", "matrix/ea-inode-1k", value(func(b []byte) { bin.PutUint32(b[0x04:], 4999) }), audit.BadXattr, "/ea/two-values", ""},
		{"a value that goes on", "matrix/ea-inode-1k", value(func(b []byte) { bin.PutUint32(b[0x04:], 5001) }), audit.BadXattr, "/ea/two-values", ""},
		{"the links of a value", "matrix/ea-inode-1k", value(func(b []byte) { b[0x1a] = 3 }), audit.LinkCount, "@174", ""},
		{"a hash of an index", "small", func(e *exttest.Editor) {
			ino := e.Ino("/many")
			bin.PutUint32(e.Block(e.First(ino))[0x28:], 0xfffffff0)
			e.SealIndex(ino, e.First(ino))
		}, audit.BadHtree, "/many", ""},
		{"a bit of the block bitmap", "small", func(e *exttest.Editor) { e.Block(bin.Uint32(e.Group(2)))[31] ^= 0x80 },
			audit.BitmapMismatch, "", ""},
		{"a bit of the inode bitmap", "small", func(e *exttest.Editor) { e.Block(bin.Uint32(e.Group(0)[4:]))[2] ^= 1 },
			audit.BitmapMismatch, "", ""},
		{"an attribute without a name", "small-inline", func(e *exttest.Editor) {
			e.Inode(e.Ino("/dir"))[0xba] = 1 // behind system.data, in what ended the list
			e.SealInode(e.Ino("/dir"))
		}, audit.BadXattr, "/dir", "it reads such an attribute, which nothing makes"},
		{"an empty value that lies nowhere", "small-inline", func(e *exttest.Editor) {
			b := e.Inode(e.Ino("/dir"))[0xb8:] // as above, with a name
			b[0], b[1], b[16] = 1, 1, 'x'
			bin.PutUint16(b[2:], 4096)
			e.SealInode(e.Ino("/dir"))
		}, audit.BadXattr, "/dir", ""},
		{"padding of an inode bitmap", "small", func(e *exttest.Editor) { e.Block(bin.Uint32(e.Group(1)[4:]))[1023] ^= 1 },
			audit.BitmapMismatch, "", ""},
		{"padding of the last block bitmap", "small-ext2", func(e *exttest.Editor) { e.Block(bin.Uint32(e.Group(1)))[1023] ^= 0x80 },
			audit.BitmapMismatch, "", ""},
		{"an inode in a bad block", "small-ext2", func(e *exttest.Editor) {
			bin.PutUint32(e.Inode(1)[0x28:], bin.Uint32(e.Group(0)[8:])+5)
			e.SealInode(1)
		}, audit.BitmapMismatch, "", ""},
		{"a name for an inode in a bad block", "matrix/ext2-1k", func(e *exttest.Editor) {
			bin.PutUint32(e.Inode(1)[0x28:], bin.Uint32(e.Group(0)[8:])+4)
		}, audit.DanglingEntry, "/types", ""},
		{"a list of bad blocks that lies in metadata", "matrix/ext2-1k", func(e *exttest.Editor) {
			bin.PutUint32(e.Inode(1)[0x58:], 32) // which reserved descriptors have
		}, audit.BadBlockPointer, "@1", ""},
		{"a flag of the list of bad blocks", "matrix/ext2-1k", func(e *exttest.Editor) { e.Inode(1)[0x22] |= 8 },
			audit.BadInode, "@1", ""},
		{"orphan_present without orphans", "matrix/orphan-file", func(e *exttest.Editor) { e.Superblock()[0x66] |= 1; e.SealSuperblock() },
			audit.BadSuperblock, "", ""},
		{"a flag of the orphan file", "matrix/orphan-file", func(e *exttest.Editor) { e.Inode(12)[0x21] |= 0x10; e.SealInode(12) },
			audit.BadHtree, "@12", ""},
		{"a hole of the orphan file", "matrix/orphan-file", func(e *exttest.Editor) { e.Inode(12)[0x34]++; e.SealInode(12) },
			audit.BadSuperblock, "@12", ""},
		{"an encoding that nobody knows", "matrix/casefold", func(e *exttest.Editor) { e.Superblock()[0x27c] = 0; e.SealSuperblock() },
			audit.BadSuperblock, "", ""},
		{"metadata of a group that was never written", "matrix/meta-bg", func(e *exttest.Editor) { e.Block(bin.Uint32(e.Group(0)))[1] ^= 2 },
			audit.BitmapMismatch, "", "it marks them itself before it looks"},
		{"free blocks of a group", "small", func(e *exttest.Editor) { e.Group(1)[0x0c]++; e.SealGroup(1) }, audit.FreeCount, "", ""},
		{"directories of a group", "small", func(e *exttest.Editor) { e.Group(0)[0x10]++; e.SealGroup(0) }, audit.FreeCount, "", ""},
		{"free inodes in all", "small", func(e *exttest.Editor) { e.Superblock()[0x10]++; e.SealSuperblock() }, audit.FreeCount, "", ""},
		{"unused inodes of a group", "small", func(e *exttest.Editor) { e.Group(0)[0x1d] = 1; e.SealGroup(0) }, audit.BadSuperblock, "", ""},
		{"an extent tree where inline data is said to be", "matrix/inline-data", func(e *exttest.Editor) {
			copy(e.Inode(41)[0x28:0x64], e.Inode(e.Ino("/many"))[0x28:0x64])
			e.SealInode(41)
		}, audit.BadExtent, "@41", ""},
		{"an orphan whose place is not known", "matrix/ext2-1k", func(e *exttest.Editor) {
			clear(e.Group(0)[8:12])
			e.Superblock()[0xe8] = 20
		}, audit.OrphanListed, "@20", ""},
		{"more levels than any index has", "matrix/ext4-4k", func(e *exttest.Editor) {
			e.Block(e.First(e.Ino("/many")))[0x1e] = 3
			e.SealIndex(e.Ino("/many"), e.First(e.Ino("/many")))
		}, audit.BadSuperblock, "", ""},
		{"the number of links of what is no file, with the flag of a value", "matrix/ext2-1k", func(e *exttest.Editor) {
			in := e.Inode(e.Ino("/many/entry-00001"))
			in[0x01], in[0x22] = 0xb0, 0x20
			in[0x1a]++
		}, audit.LinkCount, "/many/entry-00001", ""},
		{"an unused record in place of the dot", "matrix/ext4-4k", func(e *exttest.Editor) {
			clear(e.Entry("/deep/1", ".")[:4])
			e.SealDirectory(e.Ino("/deep/1"), e.First(e.Ino("/deep/1")))
		}, audit.BadEntry, "/deep/1", ""},
		{"a further name of a directory that is a dot", "matrix/ext4-4k", func(e *exttest.Editor) {
			dir := e.Ino("/deep/1")
			rec := e.Entry("/deep/1", "2")
			bin.PutUint32(rec, e.Ino("/many"))
			rec[6], rec[8] = 1, '.'
			e.SealDirectory(dir, e.First(dir))
		}, audit.DirectoryHardLink, "/deep/1", ""},
		{"an inode table in block 0", "matrix/casefold", func(e *exttest.Editor) { clear(e.Group(0)[8:12]); e.SealGroup(0) },
			audit.BadSuperblock, "", ""},
		{"a bitmap where a later group has its reserved descriptors", "matrix/ext4-1k", func(e *exttest.Editor) {
			bin.PutUint32(e.Group(0)[4:], 8193+10)
			e.SealGroup(0)
		}, audit.BadSuperblock, "", ""},
		{"the parent of a directory with two names, which is in neither", "matrix/ext4-4k", func(e *exttest.Editor) {
			dir := e.Ino("/deep/1")
			bin.PutUint32(e.Entry("/types", "file"), dir)
			e.SealDirectory(e.Ino("/types"), e.First(e.Ino("/types")))
			bin.PutUint32(e.Entry("/deep/1", ".."), e.Ino("/hard"))
			e.SealDirectory(dir, e.First(dir))
		}, audit.BadEntry, "/deep/1", ""},
		{"a root whose place is not known", "matrix/ext2-1k", func(e *exttest.Editor) { clear(e.Group(0)[8:12]) }, audit.BadInode, "/", ""},
		{"a root among inodes never written", "matrix/ext4-1k", func(e *exttest.Editor) { e.Group(0)[0x12] |= 1; e.SealGroup(0) },
			audit.BadInode, "/", ""},
		{"a size of what is no type of file", "small", func(e *exttest.Editor) {
			in := e.Inode(e.Ino("/file"))
			in[0x01], in[0x6f] = 0xb0, 0x80
			e.SealInode(e.Ino("/file"))
		}, audit.BadSize, "/file", ""},
		{"features that exclude each other", "small", func(e *exttest.Editor) { e.Superblock()[0x64] |= 0x10; e.SealSuperblock() },
			audit.BadSuperblock, "", ""},
		{"a backup of another size", "small", func(e *exttest.Editor) { e.Block(257)[0x04]++ }, audit.BadSuperblock, "",
			"it reads a backup where the primary fails only"},
		{"a journal that is none", "matrix/ext3-1k", func(e *exttest.Editor) { clear(e.Block(e.First(8))[:4]) }, audit.BadJournal, "", ""},
		{"a journal whose inode has a wrong checksum", "matrix/ext4-4k", func(e *exttest.Editor) { e.Inode(8)[0x9c] ^= 1 }, audit.BadJournal, "@8", ""},
		{"a journal said to be elsewhere too", "matrix/ext3-1k", func(e *exttest.Editor) { e.Superblock()[0xd0] = 1 }, audit.BadJournal, "", ""},
		{"bytes that a user has by quota", "matrix/quota", func(e *exttest.Editor) { quotaBlock(e, 5)[16+0x31] ^= 0x10 }, audit.BadQuota, "@3", ""},
		{"inodes that a user has by quota", "matrix/quota", func(e *exttest.Editor) { quotaBlock(e, 5)[16+72+0x18]++ }, audit.BadQuota, "@3", ""},
		{"a user of whom quota does not know", "matrix/quota", func(e *exttest.Editor) {
			clear(quotaBlock(e, 5)[16+72:][:72])
			bin.PutUint32(quotaBlock(e, 6)[0xe8*4:], 0)
			quotaBlock(e, 5)[8] = 4
		}, audit.BadQuota, "@3", ""},
		{"another owner", "matrix/quota", on("/names", func(_ *exttest.Editor, b []byte) { b[0x02] = 7 }), audit.BadQuota, "@3", ""},
		{"another project", "matrix/quota", on("/project/own", func(_ *exttest.Editor, b []byte) { b[0x9c] = 8 }), audit.BadQuota, "@12", ""},
		{"a quota file that is none", "matrix/quota", func(e *exttest.Editor) { quotaBlock(e, 0)[0] = 0 }, audit.BadQuota, "@3",
			"it passes over such a file; the kernel does not mount with it"},
		{"a quota file with a ring", "matrix/quota", func(e *exttest.Editor) { bin.PutUint32(quotaBlock(e, 3), 2) }, audit.BadQuota, "@3", ""},
		{"a count of entries in a quota file", "matrix/quota", func(e *exttest.Editor) { quotaBlock(e, 5)[8] = 6 }, audit.BadQuota, "@3",
			"it counts the entries of a block itself; the kernel goes by the number"},
		{"a bad record that is unused", "small", func(e *exttest.Editor) {
			b := e.Entry("/", "o1")
			bin.PutUint32(b, 0)
			b[6] = 0xff
			e.SealDirectory(2, e.First(2))
		}, audit.BadEntry, "/", ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			e := exttest.Edit(t, tt.image)
			tt.damage(e)
			want := ext.Ino(0)
			if number, is := strings.CutPrefix(tt.path, "@"); is {
				n, err := strconv.Atoi(number)
				if err != nil {
					t.Fatal(err)
				}
				want = ext.Ino(n)
			} else if tt.path != "" {
				want = ext.Ino(e.Ino(tt.path))
			}
			found := false
			for _, f := range run(t, e.Image, audit.Options{Skip: observation}).Findings {
				t.Logf("%s: inode %d, group %d: %s", f.Kind, f.Ino, f.Group, f.Detail)
				found = found || f.Kind == tt.kind && f.Ino == want
			}
			if !found {
				t.Errorf("no %s of inode %d", tt.kind, want)
			}
			if clean := cleanByE2fsck(t, e.Image); clean != (tt.silent != "") {
				t.Errorf("e2fsck calls it clean: %v (%s)", clean, tt.silent)
			}
		})
	}
}

// cleanByE2fsck reports whether e2fsck finds no fault with an image.
func cleanByE2fsck(t *testing.T, image []byte) bool {
	tool := exttest.Tool(t, "e2fsck")
	name := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(name, image, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "-fn", name)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	t.Logf("%.300s", out)
	return err == nil && !bytes.Contains(out, []byte("? no"))
}

// The kernel and e2fsck go by the flag of an inode where the superblock lacks the
// feature extent: its map is an extent tree all the same.
func TestExtentsWithoutFeature(t *testing.T) {
	e := exttest.Edit(t, "matrix/ext4-4k")
	e.Superblock()[0x60] &^= byte(layout.IncompatExtents)
	e.SealSuperblock()
	told := false
	for _, f := range run(t, e.Image, audit.Options{Skip: observation}).Findings {
		told = told || f.Kind == audit.BadInode && f.Ino == layout.RootIno
		switch f.Kind {
		case audit.BadBlockPointer, audit.SharedBlock, audit.BitmapMismatch, audit.BadSize, audit.BadBlocksCount, audit.BadJournal:
			t.Errorf("%s: inode %d: %s", f.Kind, f.Ino, f.Detail)
		}
	}
	if !told {
		t.Error("the flag of the root is not told of")
	}
}

// "." and ".." are the first two records of a directory, used or not: where the first is
// unused, the third still names what lies in the directory.
func TestUnusedDot(t *testing.T) {
	e := exttest.Edit(t, "matrix/ext4-4k")
	dir := e.Ino("/deep/1")
	clear(e.Entry("/deep/1", ".")[:4])
	e.SealDirectory(dir, e.First(dir))
	for _, f := range run(t, e.Image, audit.Options{Skip: observation}).Findings {
		if f.Kind == audit.UnattachedInode || f.Kind == audit.BadEntry && !strings.Contains(f.Detail, `without "."`) {
			t.Errorf("%s: inode %d: %s", f.Kind, f.Ino, f.Detail)
		}
	}
}
