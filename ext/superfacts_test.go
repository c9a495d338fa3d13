package ext

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

func openBytes(t testing.TB, image []byte) *FS {
	t.Helper()
	f, err := Open(bytes.NewReader(image), int64(len(image)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMountOptionNames(t *testing.T) {
	for _, tt := range []struct {
		opts uint32
		want string
	}{
		{0, ""},
		{0x0c, "user_xattr acl"},
		{0x20, "journal_data"},
		{0x40, "journal_data_ordered"},
		{0x60, "journal_data_writeback"},
		{0x0f7f, "debug bsdgroups user_xattr acl uid16 journal_data_writeback nobarrier block_validity discard nodelalloc"},
		{0x8000_0001, "debug 0x80000000"},
	} {
		got := strings.Join(MountOptionNames(&layout.Superblock{DefaultMountOpts: tt.opts}), " ")
		if got != tt.want {
			t.Errorf("%#x: %s, want %s", tt.opts, got, tt.want)
		}
	}
}

// The root hash of the file's blocks is what the descriptor says: SHA-256, with
// 4096-byte blocks and no salt.
func TestVerity(t *testing.T) {
	f := openBytes(t, exttest.Bytes(t, "matrix/verity"))
	in, err := f.Resolve("/verity/file", true)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Verity(in)
	if err != nil {
		t.Fatal(err)
	}
	if d.DataSize != in.Size() || d.Hash != layout.VeritySHA256 || d.LogBlockSize != 12 {
		t.Errorf("%+v", d)
	}
	if root := merkleRoot(t, f, in); hex.EncodeToString(d.RootHash) != root {
		t.Errorf("root hash %x, the file's is %s", d.RootHash, root)
	}
	other, _ := f.Resolve("/", true)
	if _, err := f.Verity(other); !IsDamage(err) {
		t.Errorf("of a directory: %v", err)
	}
}

// merkleRoot computes the root hash of a file of at most 128 blocks, with
// sha256sum: the hash of the block that holds the hashes of all blocks.
func merkleRoot(t *testing.T, f *FS, in *Inode) string {
	t.Helper()
	sum := exttest.Tool(t, "sha256sum")
	dir := t.TempDir()
	file := f.File(in)
	hash := func(b []byte) []byte {
		path := filepath.Join(dir, "block")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sum, path).Output()
		if err != nil {
			t.Fatal(err)
		}
		h, _ := hex.DecodeString(string(out[:64]))
		return h
	}
	var level []byte
	for off := int64(0); off < file.Size(); off += 4096 {
		b := make([]byte, 4096)
		_, _ = file.ReadAt(b, off) // the last one is short: zeros follow
		level = append(level, hash(b)...)
	}
	return hex.EncodeToString(hash(append(level, make([]byte, 4096-len(level))...)))
}

func TestVerityDamaged(t *testing.T) {
	image := exttest.Bytes(t, "matrix/verity")
	f := openBytes(t, image)
	in, err := f.Resolve("/verity/file", true)
	if err != nil {
		t.Fatal(err)
	}
	var last Run
	for r := range f.Runs(in) {
		last = r
	}
	end := f.BlockOffset(last.Physical + Block(last.Len))
	for _, tt := range []struct {
		size uint32
		err  string
	}{
		{0, fmt.Sprintf("corrupt verity file: descriptor size is 0x0 at byte %d", end-4)},
		{16385, fmt.Sprintf("corrupt verity file: descriptor size is 0x4001 at byte %d", end-4)},
		{0xffffffff, fmt.Sprintf("corrupt verity file: descriptor size is 0xffffffff at byte %d", end-4)},
	} {
		binary.LittleEndian.PutUint32(image[end-4:], tt.size)
		if _, err := f.Verity(in); fmt.Sprint(err) != tt.err {
			t.Errorf("size %#x: %v, want %s", tt.size, err, tt.err)
		}
	}
}

// EveryRun holds what Map and Runs do, index nodes before what they map.
func TestEveryRun(t *testing.T) {
	for _, tt := range []struct{ image, path string }{
		{"small-ext2", "/mapped"}, {"small", "/frag"}, {"small", "/many"}, {"demo.img", "/var/log/app.log"}, {"small-inline", "/tiny"},
	} {
		f := openBytes(t, exttest.Bytes(t, tt.image))
		in, err := f.Resolve(tt.path, true)
		if err != nil {
			t.Fatal(err)
		}
		var cover, index, mapped []Run
		for r, err := range f.EveryRun(in) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind == Index {
				index = append(index, r)
				continue
			}
			if len(index) > 0 && r.Kind != Hole && r.Logical < index[len(index)-1].Logical {
				t.Errorf("%s: %v comes after index %v", tt.path, r, index[len(index)-1])
			}
			cover = append(cover, r)
		}
		for r := range f.Map(in) {
			if r.Kind == Index {
				mapped = append(mapped, r)
			}
		}
		var runs []Run
		for r := range f.Runs(in) {
			runs = append(runs, r)
		}
		if !slices.Equal(cover, runs) || !slices.Equal(index, mapped) {
			t.Errorf("%s: runs %v and %v, want %v and %v", tt.path, cover, index, runs, mapped)
		}
	}
}

// dumpe2fs names the MMP block; its state after an unmount is "clean".
func TestMMP(t *testing.T) {
	image := exttest.Bytes(t, "matrix/mmp")
	f := openBytes(t, image)
	m, ok, err := f.MMP()
	if err != nil || !ok || m.State() != "clean" || m.CheckInterval != 5 || string(m.DeviceName) != "loop0" {
		t.Errorf("%+v, checksum %v, error %v", m, ok, err)
	}
	image[f.BlockOffset(f.Super.MMPBlock)+0x10] ^= 1
	if _, ok, err := f.MMP(); ok || err != nil {
		t.Errorf("changed: checksum %v, error %v", ok, err)
	}
	image[f.BlockOffset(f.Super.MMPBlock)] ^= 1
	if _, _, err := f.MMP(); !IsDamage(err) {
		t.Errorf("wrong magic: error %v", err)
	}
}

func TestTableInodes(t *testing.T) {
	f := openBytes(t, exttest.Bytes(t, "demo.img")) // 64 inodes of 256 bytes in 16 blocks
	for _, tt := range []struct {
		block uint64
		first Ino
		count uint32
	}{{0, 1, 4}, {15, 61, 4}, {16, 0, 0}} {
		if first, count := f.TableInodes(0, tt.block); first != tt.first || count != tt.count {
			t.Errorf("block %d: %d inodes from %d on", tt.block, count, first)
		}
	}
}
