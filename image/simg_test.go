package image

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

func TestSimgForms(t *testing.T) {
	raw := exttest.Container(t, "raw.img")
	sameAsRaw(t, raw, exttest.Container(t, "simg/raw.simg"), Options{})
	for _, block := range []string{"1024", "4096", "65536"} {
		out := filepath.Join(t.TempDir(), "disk.simg")
		command(t, "", "img2simg", raw, out, block)
		sameAsRaw(t, raw, out, Options{})
		im := mustOpen(t, out)
		if im.Format() != "Android sparse" || len(im.Warnings())+len(im.Faults()) > 0 {
			t.Errorf("%s, %q, %q", im.Format(), im.Warnings(), im.Faults())
		}
	}
}

// A simgSpec is one chunk: its kind, how many blocks, what follows its header.
type simgSpec struct {
	kind   uint16
	blocks uint32
	body   []byte
}

func simgFile(block uint32, blocks uint32, crc uint32, chunks ...simgSpec) []byte {
	b := make([]byte, simgHeaderLen)
	le.PutUint32(b, simgMagic)
	le.PutUint16(b[4:], 1)
	le.PutUint16(b[8:], simgHeaderLen)
	le.PutUint16(b[10:], simgChunkLen)
	le.PutUint32(b[12:], block)
	le.PutUint32(b[16:], blocks)
	le.PutUint32(b[20:], uint32(len(chunks)))
	le.PutUint32(b[24:], crc)
	for _, c := range chunks {
		b = le.AppendUint16(b, c.kind)
		b = le.AppendUint16(b, 0)
		b = le.AppendUint32(b, c.blocks)
		b = le.AppendUint32(b, uint32(simgChunkLen+len(c.body)))
		b = append(b, c.body...)
	}
	return b
}

// simgSample has a chunk of each kind, and what they make.
func simgSample(count bool) (file, raw []byte) {
	noise := make([]byte, 3*4096)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	fill := []byte{1, 2, 3, 4}
	sum := func(parts ...[]byte) []byte { return le.AppendUint32(nil, crc32.ChecksumIEEE(bytes.Join(parts, nil))) }
	filled := bytes.Repeat(fill, 5*4096/4)
	blank := make([]byte, 7*4096)
	care := blank
	if !count {
		care = nil
	}
	file = simgFile(4096, 18, 0,
		simgSpec{simgRaw, 3, noise},
		simgSpec{simgCRC, 0, sum(noise)},
		simgSpec{simgFill, 5, fill},
		simgSpec{simgDontCare, 7, nil},
		simgSpec{simgCRC, 0, sum(noise, filled, care)},
		simgSpec{simgRaw, 3, noise},
		simgSpec{simgCRC, 0, sum(noise, filled, care, noise)},
	)
	return file, bytes.Join([][]byte{noise, filled, blank, noise}, nil)
}

// TestSimgSums has checksums over all kinds of chunks, with what nobody cares about as
// zeros and left out, and simg2img's word for the contents.
func TestSimgSums(t *testing.T) {
	for _, count := range []bool{true, false} {
		file, raw := simgSample(count)
		path, want := tempFile(t, "disk.simg", file), tempFile(t, "raw", raw)
		sameAsRaw(t, want, path, Options{})
		if f := mustOpen(t, path).Faults(); len(f) > 0 {
			t.Errorf("%q", f)
		}
		out := filepath.Join(t.TempDir(), "out")
		command(t, "", "simg2img", path, out)
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("simg2img makes other bytes (%v)", err)
		}
	}
	whole, raw := simgSample(true)
	for _, wrong := range []uint32{0, 1} {
		le.PutUint32(whole[24:], crc32.ChecksumIEEE(raw)^wrong)
		if f := mustOpen(t, tempFile(t, "disk.simg", whole)).Faults(); len(f) != int(wrong) {
			t.Errorf("%q", f)
		}
	}
}

// TestSimgSumRanges has bytes and checksums that do not agree, and which bytes that makes
// unreadable.
func TestSimgSumRanges(t *testing.T) {
	const first, second, third = simgHeaderLen + simgChunkLen, simgHeaderLen + 4*simgChunkLen + 12288 + 4 + 4, -5000
	for _, tt := range []struct {
		name   string
		change []int // bytes of the file, from its end where they are negative
		bad    [][2]int64
		fault  string
	}{
		{"the last bytes", []int{third}, [][2]int64{{61440, 73728}}, "[bytes 61440 to 73727: checksum at byte 24700 of disk.simg: it is"},
		{"the first bytes", []int{first}, [][2]int64{{0, 12288}}, "[bytes 0 to 12287: checksum at byte 12340 of disk.simg: it is"},
		{"what is filled", []int{second - simgChunkLen - 4}, [][2]int64{{12288, 61440}}, "[bytes 12288 to 61439: checksum at byte 12384 of disk.simg: it is"},
		{"first and last", []int{first, third}, [][2]int64{{0, 12288}, {61440, 73728}}, "; --accept-damage reads them all the same bytes 61440"},
		{"first checksum", []int{first + 12288 + simgChunkLen}, nil, "[checksum of the first 12288 bytes: it is"},
		{"last checksum", []int{-1}, [][2]int64{{61440, 73728}}, "[bytes 61440 to 73727: checksum at byte 24700 of disk.simg: it is"},
		{"first checksum, last bytes", []int{first + 12288 + simgChunkLen, third}, [][2]int64{{61440, 73728}}, "and a later one agrees with them bytes 61440 to 73727"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, count := range []bool{true, false} {
				file, raw := simgSample(count)
				for _, at := range tt.change {
					file[(at+len(file))%len(file)] ^= 1
				}
				path := tempFile(t, "disk.simg", file)
				im := mustOpen(t, path)
				if bad := unreadable(t, im, raw); !slices.Equal(bad, tt.bad) {
					t.Errorf("cannot be read: %v, want %v", bad, tt.bad)
				}
				if f := fmt.Sprint(im.Faults()); !strings.Contains(f, tt.fault) {
					t.Errorf("%s, want %q", f, tt.fault)
				}
				accepting := mustOpenWith(t, path, Options{AcceptDamage: true})
				if n, err := accepting.ReadAt(make([]byte, len(raw)), 0); err != nil || len(accepting.Faults()) != len(im.Faults()) {
					t.Errorf("%d, %v, %q", n, err, accepting.Faults())
				}
			}
		})
	}
}

func TestCRCRepeat(t *testing.T) {
	for _, n := range []int64{0, 1, 2, 3, 7, 1000, 4097} {
		for _, word := range []string{"\x00\x00\x00\x00", "\x01\xff\x80\x00"} {
			want := crc32.ChecksumIEEE([]byte("before" + strings.Repeat(word, int(n))))
			if got := crcRepeat(crc32.ChecksumIEEE([]byte("before")), []byte(word), n); got != want {
				t.Errorf("%d times %q: %#x, want %#x", n, word, got, want)
			}
		}
	}
}

func TestSimgDamage(t *testing.T) {
	file, raw := simgSample(true)
	for _, tt := range []struct {
		name   string
		change func(b []byte) []byte
		proven int // bytes that a checksum stands for
		good   int // bytes that can be read
		fault  string
	}{
		{"cut in a chunk", func(b []byte) []byte { return b[:len(b)-16-1000] }, 15 * 4096, 18*4096 - 1000, "cut short"},
		{"cut in a header", func(b []byte) []byte { return b[:simgHeaderLen+4] }, 0, 0, "chunk header at byte 28 of disk.simg: unexpected EOF"},
		{"unknown kind", func(b []byte) []byte { b[simgHeaderLen+12+12288+16] = 9; return b }, 12288, 12288, "kind 0xca09"},
		{"blocks that are not left", func(b []byte) []byte { le.PutUint32(b[simgHeaderLen+12+12288+16+4:], 1<<31); return b }, 12288, 12288, "of 15 that are left"},
		{"too few chunks", func(b []byte) []byte { le.PutUint32(b[20:], 3); return b }, 12288, 8 * 4096, "there is no more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tempFile(t, "disk.simg", tt.change(bytes.Clone(file)))
			if bad := unreadable(t, mustOpen(t, path), raw); !slices.Equal(bad, [][2]int64{{int64(tt.proven), int64(len(raw))}}) {
				t.Errorf("cannot be read: %v, want all from %d on", bad, tt.proven)
			}
			im := mustOpenWith(t, path, Options{AcceptDamage: true})
			p := make([]byte, len(raw))
			n, err := im.ReadAt(p, 0)
			var damage *DamageError
			if n != tt.good || !errors.As(err, &damage) || damage.Offset != int64(n) || damage.Offset+damage.Length != int64(len(raw)) || !bytes.Equal(p[:n], raw[:n]) {
				t.Errorf("%d of %d: %v", n, tt.good, err)
			}
			if f := fmt.Sprint(im.Faults()); !strings.Contains(f, tt.fault) {
				t.Errorf("%s, want %q", f, tt.fault)
			}
		})
	}
	t.Run("piece", func(t *testing.T) {
		warned(t, mustOpen(t, tempFile(t, "system.img_sparsechunk.1", file)).Warnings(), "one piece of several")
	})
}

func TestDecodeSimgHeader(t *testing.T) {
	for _, tt := range []struct{ name, dump, err string }{
		{"usual", "3aff26ed 0100 0000 1c00 0c00 00100000 00040000 05000000 00000000", "<nil>"},
		{"short", "3aff26ed", ": Android sparse: header cut short (byte 4); convert with: simg2img IN OUT"},
		{"version", "3aff26ed 0200 0000 1c00 0c00 00100000 00040000 05000000 00000000", ": Android sparse: version 2 is not read (byte 4); convert with: simg2img IN OUT"},
		{"block", "3aff26ed 0100 0000 1c00 0c00 01100000 00040000 05000000 00000000", ": Android sparse: 1024 blocks of 4097 bytes (byte 12); convert with: simg2img IN OUT"},
		{"huge", "3aff26ed 0100 0000 1c00 0c00 fcffffff ffffffff 05000000 00000000", ": Android sparse: 4294967295 blocks of 4294967292 bytes (byte 12); convert with: simg2img IN OUT"},
	} {
		h, err := decodeSimgHeader(unhex(t, tt.dump))
		if fmt.Sprint(err) != tt.err {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.err)
		}
		if err == nil && h != (simgHeader{28, 12, 4096, 1024, 5, 0}) {
			t.Errorf("%s: %+v", tt.name, h)
		}
	}
}

func TestSimgCorrupt(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	corrupt(t, exttest.Container(t, "simg/raw.simg"), n, false)
	file, raw := simgSample(true)
	le.PutUint32(file[24:], crc32.ChecksumIEEE(raw)) // that there are checksums is known then whatever chunk is lost
	corrupt(t, tempFile(t, "disk.simg", file), n, true)
}
