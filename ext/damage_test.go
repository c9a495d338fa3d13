package ext_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

var le = binary.LittleEndian

// openBytes opens an image held in memory.
func openBytes(t testing.TB, image []byte, o ext.Options) *ext.FS {
	t.Helper()
	f, err := ext.Open(bytes.NewReader(image), int64(len(image)), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A sample is a sound image and what the kernel showed of it.
type sample struct {
	image []byte
	truth []exttest.Object
	sound *ext.FS
}

// samples gives images of several groups, in all that their layout can differ
// by. The other stored images have one group, and so no backup of anything.
func samples(t *testing.T) map[string]*sample {
	sampled.Lock()
	defer sampled.Unlock()
	if sampled.all == nil {
		sampled.all = makeSamples(t)
	}
	return sampled.all
}

// sampled keeps the samples, which are not changed.
var sampled struct {
	sync.Mutex
	all map[string]*sample
}

func makeSamples(t *testing.T) map[string]*sample {
	all := map[string]*sample{}
	for _, name := range exttest.Some(2, []string{
		"small", "small-ext2", "small-inline", // all superblock copies of sparse_super: groups 1 and 3
		"matrix/ext4-1k", "matrix/ext3-1k", "matrix/inline-data", "matrix/encrypt-1k", "matrix/no-extent",
		"matrix/no-flex-bg", "matrix/uninit-bg", // tables in their groups; descriptors with crc16
		"matrix/many-groups", "matrix/meta-bg", // 256 and 1024 blocks a group, meta_bg
		"matrix/no-sparse-super", "matrix/sparse-super2", "matrix/everything",
	}) {
		image := exttest.Bytes(t, name)
		all[name] = &sample{image, exttest.Truth(t, name), openBytes(t, image, ext.Options{})}
		if testing.Short() && len(all) == 3 {
			return all
		}
	}
	for _, m := range exttest.Some(1, [][2]string{
		{"made/4k", "-t ext4 -b 4096 -g 512 -N 512"},
		{"made/4k-32-bit", "-t ext4 -b 4096 -g 1024 -N 512 -O ^64bit,^metadata_csum,uninit_bg"},
		{"made/2k", "-t ext4 -b 2048 -g 512 -N 1024"},
		{"made/64k", "-t ext4 -b 65536 -g 256 -N 256"},
		{"made/bigalloc", "-t ext4 -b 1024 -g 512 -N 512 -O bigalloc -C 16384"},
		{"made/bigalloc-4k", "-t ext4 -b 4096 -g 256 -N 512 -O bigalloc -C 32768"},
		{"made/ext2-4k", "-t ext2 -b 4096 -g 512 -N 512"},
		{"made/meta-bg-4k", "-t ext4 -b 4096 -g 256 -N 4096 -O meta_bg,^resize_inode"},
	}) {
		all[m[0]] = made(t, m[1])
	}
	return all
}

// made makes an image by mke2fs from a small tree.
func made(t *testing.T, args string) *sample {
	tool := exttest.Tool(t, "mke2fs")
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for i, name := range []string{"file", "a/b/c/deep", "a/large", "many/" + strings.Repeat("x", 200)} {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("contents "), 10000*i+1), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/b", filepath.Join(tree, "link")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "image")
	cmd := exec.Command(tool, append(strings.Fields("-q -F -m 0 "+args+" -d "+tree), path, "48M")...)
	if strings.Contains(args, "65536") {
		cmd.Args[len(cmd.Args)-1] = "64M"
	}
	if out, err := cmd.CombinedOutput(); err != nil && !exitedClean(path) {
		t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	truth, err := exttest.ReadTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	for i := range truth {
		truth[i].MakePartial()
	}
	return &sample{image, truth, openBytes(t, image, ext.Options{})}
}

func exitedClean(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// holds holds every object against the truth, and tells of any that is missing
// or not in it.
func (s *sample) holds(t *testing.T, f *ext.FS) {
	t.Helper()
	seen := tree(t, f)
	for i := range s.truth {
		o := &s.truth[i]
		in, ok := seen[string(o.Path)]
		if !ok {
			t.Errorf("%q is missing", o.Path)
			continue
		}
		delete(seen, string(o.Path))
		compare(t, f, in, o)
	}
	for path, in := range seen {
		if !strings.HasPrefix(path, "/lost+found") && !unrecorded(s.truth, path, in) {
			t.Errorf("%q is there, and should not be", path)
		}
	}
}

// The samples are sound and of the kinds that their names say.
func TestSamples(t *testing.T) {
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			for _, w := range s.sound.Warnings() {
				t.Errorf("warning: %s", w.Text)
			}
			if s.sound.GroupCount() < 2 {
				t.Errorf("%d groups", s.sound.GroupCount())
			}
			if strings.HasPrefix(name, "made/") { // of the others TestTruth tells
				s.holds(t, s.sound)
			}
		})
	}
}

// Damage to the superblock and the descriptors that a backup makes good: the
// whole tree is read all the same, and a warning tells of it.
func TestBackups(t *testing.T) {
	descs := func(s *sample, image []byte, change func(desc []byte, group uint32)) {
		for n, g := range s.sound.Groups() {
			size := 32
			if s.sound.Super.Incompat&layout.Incompat64Bit != 0 {
				size = int(s.sound.Super.DescSize)
			}
			change(image[g.Offset:][:size], n)
		}
	}
	damages := []struct {
		name   string
		warn   string // in one of the warnings
		damage func(s *sample, image []byte)
	}{
		{"superblock zero", "using the backup superblock", func(_ *sample, image []byte) { clear(image[1024:2048]) }},
		{"first KiB and superblock zero", "using the backup superblock", func(_ *sample, image []byte) { clear(image[:2048]) }},
		{"first 4 KiB zero", "using the backup superblock", func(_ *sample, image []byte) { clear(image[:4096]) }},
		{"superblock random", "using the backup superblock", func(_ *sample, image []byte) {
			for i := range image[1024:2048] {
				image[1024+i] = byte(i*i>>3 ^ i)
			}
		}},
		{"superblock and descriptors zero", "using the backup superblock", func(s *sample, image []byte) {
			clear(image[1024:2048])
			descs(s, image, func(desc []byte, _ uint32) { clear(desc) })
		}},
		{"block size of 2^100", "using the backup superblock", func(_ *sample, image []byte) { le.PutUint32(image[1024+0x18:], 90) }},
		{"descriptors zero", "those of the backup", func(s *sample, image []byte) {
			descs(s, image, func(desc []byte, _ uint32) { clear(desc) })
		}},
		{"descriptors all ones", "those of the backup", func(s *sample, image []byte) {
			descs(s, image, func(desc []byte, _ uint32) {
				for i := range desc {
					desc[i] = 0xff
				}
			})
		}},
		{"one descriptor zero", "1 of them", func(s *sample, image []byte) {
			descs(s, image, func(desc []byte, group uint32) {
				if group == 1 {
					clear(desc)
				}
			})
		}},
		{"one inode table outside", "1 of them", func(s *sample, image []byte) {
			descs(s, image, func(desc []byte, group uint32) {
				if group == 0 {
					le.PutUint32(desc[0x08:], 0xfffffff0)
				}
			})
		}},
	}
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, d := range exttest.Some(4, damages) {
				t.Run(d.name, func(t *testing.T) {
					image := slices.Clone(s.image)
					d.damage(s, image)
					f := openBytes(t, image, ext.Options{})
					if !warns(f, d.warn) {
						t.Errorf("warnings are %q, want %q in them", f.Warnings(), d.warn)
					}
					s.holds(t, f)
				})
			}
		})
	}
}

func warns(f *ext.FS, text string) bool {
	return slices.ContainsFunc(f.Warnings(), func(w ext.Warning) bool { return strings.Contains(w.Text, text) })
}

// Where only a checksum is wrong the primary goes on being used.
func TestWrongSums(t *testing.T) {
	for name, s := range samples(t) {
		super := s.sound.Super
		if super.MetadataCsum() {
			t.Run(name+"/superblock", func(t *testing.T) {
				t.Parallel()
				image := slices.Clone(s.image)
				image[1024+0x3fc] ^= 1
				f := openBytes(t, image, ext.Options{})
				if f.SuperOffset != 1024 || !warns(f, "checksum") {
					t.Errorf("superblock at %d, warnings %q", f.SuperOffset, f.Warnings())
				}
				s.holds(t, f)
			})
		}
		if super.ROCompat&(layout.ROCompatMetadataCsum|layout.ROCompatGDTCsum) == 0 {
			continue
		}
		t.Run(name+"/descriptors", func(t *testing.T) {
			t.Parallel()
			image := slices.Clone(s.image)
			for _, g := range s.sound.Groups() {
				image[g.Offset+0x1e] ^= 1
			}
			f := openBytes(t, image, ext.Options{})
			if !warns(f, "wrong checksum") {
				t.Errorf("warnings %q", f.Warnings())
			}
			s.holds(t, f)
		})
	}
}

// Where a descriptor of which there is no backup names a bitmap that cannot be, the
// inodes of its group are read all the same.
func TestBitmapNowhere(t *testing.T) {
	for _, name := range []string{"matrix/ext2-1k", "matrix/ext4-4k", "matrix/bigalloc-16k"} {
		image := exttest.Bytes(t, name)
		s := &sample{image, exttest.Truth(t, name), openBytes(t, image, ext.Options{})}
		for field, what := range []string{"block bitmap", "inode bitmap"} {
			for _, place := range []uint32{0, 0xfffffff0} {
				t.Run(fmt.Sprintf("%s/%s in %#x", name, what, place), func(t *testing.T) {
					image := slices.Clone(s.image)
					le.PutUint32(image[s.sound.Group(0).Offset+int64(4*field):], place)
					f := openBytes(t, image, ext.Options{})
					if !warns(f, "name a bitmap") || f.Group(0).State != ext.GroupBadBitmap {
						t.Errorf("group 0 is %v, warnings %q", f.Group(0).State, f.Warnings())
					}
					s.holds(t, f)
					_, _, blocks := f.BlockBitmap(0)
					_, inodes := f.InodeBitmap(0)
					if (blocks == nil) == (field == 0) || (inodes == nil) == (field == 1) {
						t.Errorf("the block bitmap: %v; the inode bitmap: %v", blocks, inodes)
					}
				})
			}
		}
	}
}

// A backup is used when it is asked for, as by e2fsck -b and -B.
func TestBackupAsked(t *testing.T) {
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			image := slices.Clone(s.image)
			clear(image[:2048])
			n := 0
			for group, block := range s.sound.SuperBackups() {
				for _, bs := range []int{0, s.sound.BlockSize()} {
					f, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{Superblock: block, BlockSize: bs})
					if err != nil {
						t.Errorf("superblock %d of group %d, block size %d: %v", block, group, bs, err)
						continue
					}
					if f.SuperOffset != s.sound.BlockOffset(block) {
						t.Errorf("superblock %d: used is the one at byte %d", block, f.SuperOffset)
					}
					if n == 0 {
						s.holds(t, f)
					}
					n++
				}
			}
			if n == 0 {
				t.Error("no backup")
			}
			wrong := s.sound.GroupStart(1) + 7
			if _, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{Superblock: wrong}); err == nil {
				t.Errorf("a superblock in block %d, where there is none", wrong)
			}
			if _, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{Superblock: 1 << 50}); err == nil {
				t.Error("a superblock past the end of the image")
			}
		})
	}
}

// A truncated image says what is missing; all that is there is read, and what
// is read is right.
func TestTruncated(t *testing.T) {
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size := int64(len(s.image))
			all := tree(t, s.sound)
			for _, cut := range []int64{size * 9 / 10, size / 2, size / 10, s.sound.BlockOffset(s.sound.GroupStart(1)) * 2 / 3} {
				image := s.image[:cut]
				f, err := ext.Open(bytes.NewReader(image), cut, ext.Options{})
				if err != nil {
					t.Errorf("cut at %d: %v", cut, err)
					continue
				}
				if !f.Truncated() || !warns(f, "truncated") {
					t.Errorf("cut at %d: warnings are %q", cut, f.Warnings())
				}
				read, lost := 0, 0
				for path, want := range all {
					in, err := f.Inode(want.Ino)
					if err != nil {
						if want.Offset+int64(len(want.Raw)) <= cut {
							t.Errorf("cut at %d: %s: its inode is there, and %v", cut, path, err)
						}
						continue
					}
					if !bytes.Equal(in.Raw, want.Raw) {
						t.Errorf("cut at %d: %s: another inode", cut, path)
					}
					if !in.IsRegular() || in.Size() > 1<<20 {
						continue
					}
					var now, then bytes.Buffer
					_, err = f.Copy(&now, in)
					if _, err := s.sound.Copy(&then, want); err != nil {
						t.Fatal(err)
					}
					switch there := mappedBelow(s.sound, want, cut); {
					case there && (err != nil || !bytes.Equal(now.Bytes(), then.Bytes())):
						t.Errorf("cut at %d: %s: all of it is there, and %v", cut, path, err)
					case !there && err == nil:
						t.Errorf("cut at %d: %s: part of it is missing, and not told", cut, path)
					case now.Len() != then.Len():
						t.Errorf("cut at %d: %s: %d bytes are written, want %d", cut, path, now.Len(), then.Len())
					case there:
						read++
					default:
						lost++
					}
				}
				if read+lost == 0 && cut >= size/2 && !strings.Contains(name, "meta") {
					t.Errorf("cut at %d: nothing was read", cut)
				}
			}
		})
	}
}

// mappedBelow reports whether all that an inode maps lies before a byte.
func mappedBelow(f *ext.FS, in *ext.Inode, cut int64) bool {
	for r, err := range f.Map(in) {
		if err != nil || r.Kind != ext.Unwritten && f.BlockOffset(r.Physical+layout.Block(r.Len)) > cut {
			return false
		}
	}
	return true
}

// A primary superblock that could be right, checksum and all, but is not this
// file system's.
func TestLyingGeometry(t *testing.T) {
	set := func(at int, v uint32) func([]byte) { return func(sb []byte) { le.PutUint32(sb[at:], v) } }
	lies := map[string]func(sb []byte){
		"half the blocks a group": func(sb []byte) { le.PutUint32(sb[0x20:], le.Uint32(sb[0x20:])/2) },
		"half the clusters too": func(sb []byte) {
			le.PutUint32(sb[0x20:], le.Uint32(sb[0x20:])/2)
			le.PutUint32(sb[0x24:], le.Uint32(sb[0x24:])/2)
		},
		"twice the inodes a group":  func(sb []byte) { le.PutUint32(sb[0x28:], le.Uint32(sb[0x28:])*2) },
		"half the blocks":           func(sb []byte) { le.PutUint32(sb[0x04:], le.Uint32(sb[0x04:])/2) },
		"blocks to no end":          func(sb []byte) { le.PutUint32(sb[0x04:], 0xffffffff) },
		"2^32 inodes":               set(0x00, 0xffffffff),
		"blocks twice as large":     func(sb []byte) { sb[0x18]++; sb[0x1c]++; clear(sb[0x14:0x18]) },
		"another size of inodes":    func(sb []byte) { le.PutUint16(sb[0x58:], le.Uint16(sb[0x58:])^0x180) },
		"descriptors of 1024 bytes": func(sb []byte) { sb[0x60] |= 0x80; le.PutUint16(sb[0xfe:], 1024) },
		"descriptors of 32 bytes":   func(sb []byte) { sb[0x60] &^= 0x80 },
	}
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for lie, tell := range lies {
				image := slices.Clone(s.image)
				sb := image[1024:2048]
				tell(sb)
				if s.sound.Super.MetadataCsum() {
					le.PutUint32(sb[0x3fc:], layout.SuperblockChecksum(sb))
				}
				if bytes.Equal(image, s.image) {
					continue
				}
				t.Run(lie, func(t *testing.T) {
					f := openBytes(t, image, ext.Options{})
					if !warns(f, "superblock") {
						t.Errorf("warnings are %q", f.Warnings())
					}
					s.holds(t, f)
				})
			}
		})
	}
}
