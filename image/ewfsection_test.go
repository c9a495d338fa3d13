package image

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"hash/adler32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

func putAdler(b []byte, n int) { le.PutUint32(b[n:], adler32.Checksum(b[:n])) }

// An ewfFile is a segment file being written, as libewf's description has it.
type ewfFile struct{ b []byte }

func newEwfFile(number int) *ewfFile {
	return &ewfFile{[]byte(ewfMagic + "\x01" + string([]byte{byte(number), byte(number >> 8)}) + "\x00\x00")}
}

func (f *ewfFile) section(kind string, data []byte) {
	d := make([]byte, ewfSectionLen)
	copy(d, kind)
	next := uint64(len(f.b) + len(d) + len(data))
	if kind == "next" || kind == "done" {
		next = uint64(len(f.b))
	}
	le.PutUint64(d[16:], next)
	le.PutUint64(d[24:], uint64(len(d)+len(data)))
	putAdler(d, 72)
	f.b = append(append(f.b, d...), data...)
}

func (f *ewfFile) volume(chunks, chunkSectors, sectorSize uint32, sectors uint64) {
	b := make([]byte, ewfVolumeLen)
	b[0] = 1
	le.PutUint32(b[4:], chunks)
	le.PutUint32(b[8:], chunkSectors)
	le.PutUint32(b[12:], sectorSize)
	le.PutUint64(b[16:], sectors)
	putAdler(b, 1048)
	f.section("volume", b)
}

// stored writes a sectors section of one chunk, and its tables.
func (f *ewfFile) stored(chunk []byte) {
	at := len(f.b) + ewfSectionLen
	f.section("sectors", le.AppendUint32(bytes.Clone(chunk), adler32.Checksum(chunk)))
	f.tables(0, uint32(at))
}

func (f *ewfFile) tables(base uint64, entries ...uint32) {
	b := make([]byte, ewfTableLen)
	le.PutUint32(b, uint32(len(entries)))
	le.PutUint64(b[8:], base)
	putAdler(b, 20)
	for _, e := range entries {
		b = le.AppendUint32(b, e)
	}
	b = le.AppendUint32(b, adler32.Checksum(b[ewfTableLen:]))
	f.section("table", b)
	f.section("table2", b)
}

func (f *ewfFile) text(kind, letters, values string, utf bool) {
	s := "1\nmain\n" + letters + "\n" + values + "\n\n"
	b := []byte(s)
	if utf {
		b = []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = le.AppendUint16(b, u)
		}
	}
	f.section(kind, deflated(b))
}

func deflated(b []byte) []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(b)
	w.Close()
	return z.Bytes()
}

// ranges is the data of an error2 or session section.
func ewfRangeData(kind string, pairs ...[2]uint32) []byte {
	head, entry := 520, 8
	if kind == "session" {
		head, entry = 36, 32
	}
	b := make([]byte, head+len(pairs)*entry+4)
	le.PutUint32(b, uint32(len(pairs)))
	putAdler(b, head-4)
	for i, p := range pairs {
		le.PutUint32(b[head+i*entry:], p[0])
		le.PutUint32(b[head+i*entry+4:], p[1])
	}
	putAdler(b[head:], len(pairs)*entry)
	return b
}

// smallEwf is a sound file of two chunks, one of them deflated, with every section.
func smallEwf() []byte {
	f := newEwfFile(1)
	f.text("header2", "a\tc\te\tm\tp", "dïsk\t7\tA\t1142163845\t0", true)
	f.text("header", "c\tn\tt\tm\tr", "no\titem\tn\xf6te\t2002 3 4 10 19 59\tb", false)
	f.volume(2, 2, 512, 3)
	at := uint32(len(f.b) + ewfSectionLen)
	first := deflated(bytes.Repeat([]byte("ext4"), 256))
	second := bytes.Repeat([]byte{9}, 512)
	f.section("sectors", le.AppendUint32(append(bytes.Clone(first), second...), adler32.Checksum(second)))
	f.tables(100, at-100|ewfDeflated, at-100+uint32(len(first)))
	f.section("session", ewfRangeData("session", [2]uint32{0, 0}, [2]uint32{1, 2}))
	f.section("error2", ewfRangeData("error2", [2]uint32{1, 1}, [2]uint32{2, 1}))
	digest := make([]byte, 80)
	for i := range 36 {
		digest[i] = byte(i + 1)
	}
	putAdler(digest, 76)
	f.section("digest", digest)
	hash := make([]byte, 36)
	copy(hash, digest[:16])
	putAdler(hash, 32)
	f.section("hash", hash)
	f.section("done", nil)
	return f.b
}

func TestEwfAbout(t *testing.T) {
	im := mustOpen(t, tempFile(t, "small.E01", smallEwf()))
	warned(t, im.Warnings(), "2 ranges could not be read when the image was made")
	want := []Detail{
		{"case_number", "7"}, {"description", "dïsk"}, {"examiner", "A"}, {"acquired", "2006-03-12T11:44:05Z"},
		{"evidence_number", "item"}, {"notes", "n\xf6te"}, {"compression", "best"},
		{"media_type", "fixed disk, logical"}, {"compression_level", "none"}, {"chunk_size", "1024"},
		{"read_errors", "bytes 512-1023, 1024-1535"}, {"sessions", "data from byte 0, audio from byte 1024"},
	}
	if got := im.Details(); !slices.Equal(got, want) {
		t.Errorf("details\n%q\nwant\n%q", got, want)
	}
	if got := fmt.Sprint(im.Digests()); got != "[{md5 0102030405060708090a0b0c0d0e0f10} {sha1 1112131415161718191a1b1c1d1e1f2021222324}]" {
		t.Errorf("digests %s", got)
	}
	if got := unread(t, im, append(bytes.Repeat([]byte("ext4"), 256), bytes.Repeat([]byte{9}, 512)...)); got != nil {
		t.Errorf("not read: %v", got)
	}
}

// libewf reads what is written here, and says the same of it.
func TestEwfInfo(t *testing.T) {
	path := tempFile(t, "small.E01", smallEwf())
	out := command(t, "", "ewfinfo", path)
	for _, want := range []string{"Sectors per chunk:\t2", "Number of sectors:\t3", "MD5:\t\t\t0102030405060708090a0b0c0d0e0f10", "SHA1:\t\t\t1112131415161718191a1b1c1d1e1f2021222324",
		"Read errors during acquiry\n\ttotal number: 1\n\tat sector(s): 1 - 2 number: 2", "Case number:\t\t7"} {
		if !strings.Contains(out, want) {
			t.Errorf("ewfinfo does not say %q:\n%s", want, out)
		}
	}
}

func TestDecodeEwf(t *testing.T) {
	section := unhex(t, "7461626c65320000 0000000000000000 f405000000000000 6c00000000000000")
	section = append(section, make([]byte, 44)...)
	putAdler(section, 72)
	if s, err := decodeEwfSection(section, 1000); err != nil || s != (ewfSection{"table2", 1000, 1524, 108}) {
		t.Errorf("%+v, %v", s, err)
	}
	section[20]++
	if _, err := decodeEwfSection(section, 1000); err == nil {
		t.Error("a wrong checksum holds")
	}
	for _, tt := range []struct {
		hex    string
		number int
		ok     bool
	}{
		{"455646090d0aff00 01 0100 0000", 1, true},
		{"455646090d0aff00 01 2c01 0000", 300, true},
		{"4c5646090d0aff00 01 0100 0000", 0, false},
		{"455646090d0aff00 01 01", 0, false},
	} {
		if n, ok := decodeEwfHeader(unhex(t, tt.hex)); n != tt.number || ok != tt.ok {
			t.Errorf("%s: %d, %v", tt.hex, n, ok)
		}
	}
	short := append(unhex(t, "01000000 02000000 40000000 00020000 80000000"), make([]byte, 74)...)
	copy(short[85:], "SMART")
	putAdler(short, 90)
	if v, err := decodeEwfVolume(short); err != nil || v.chunks != 2 || v.chunkSectors != 64 || v.sectorSize != 512 || v.sectors != 128 || !v.smart || !v.short {
		t.Errorf("%+v, %v", v, err)
	}
}

// Offsets that grew beyond 31 bits took the bit that says deflated.
func TestEwfPlain(t *testing.T) {
	table := ewfTable{base: 5, entries: []uint32{0x8000_0100, 0x7fff_f000, 0x8000_0100, 0xf000_0000, ewfNoEntry}}
	table.plain = ewfPlain(table.entries)
	for k, want := range []string{"261 true true", "2147479557 false true", "2147483909 false true", "4026531845 false true", "0 false false"} {
		at, deflated, ok := table.entry(k)
		if got := fmt.Sprint(at, deflated, ok); got != want {
			t.Errorf("entry %d: %s, want %s", k, got, want)
		}
	}
}

// Sizes that nothing can have are refused before anything is allocated.
func TestEwfRefused(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		chunkSectors, sector uint32
		sectors              uint64
		want                 string
	}{
		{"no sectors in a chunk", 0, 512, 9, "chunks of 0 sectors of 512 bytes"},
		{"chunks too large", 1 << 20, 1 << 20, 9, "chunks of 1048576 sectors"},
		{"overflow", 64, 512, 1 << 60, "1152921504606846976 sectors of 512 bytes"},
		{"too many chunks", 1, 512, 1 << 40, "1099511627776 chunks"},
	} {
		f := newEwfFile(1)
		f.volume(1, tt.chunkSectors, tt.sector, tt.sectors)
		f.section("done", nil)
		_, err := Open(tempFile(t, "x.E01", f.b), Options{})
		if format, ok := err.(*FormatError); !ok || !strings.Contains(format.What, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for magic, want := range map[string]string{
		"EVF2\x0d\x0a\x81\x00": "Ex01 image", "LVF\x09\x0d\x0a\xff\x00": "L01 image", "LEF2\x0d\x0a\x81\x00": "Lx01 image",
		"AFF10\r\n\x00": "AFF image", "ADCRYPT\x00": "AD encrypted image", "PK\x03\x04" + strings.Repeat("\x00", 26) + "container.description": "AFF4 image",
	} {
		_, err := Open(tempFile(t, "x", append([]byte(magic), make([]byte, 4096)...)), Options{})
		if format, ok := err.(*FormatError); !ok || format.Format != want || format.Hint == "" {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// FuzzEwf opens a small file, changed, with the checksums of its sections made right
// again or not, and reads all of it.
func FuzzEwf(f *testing.F) {
	f.Add(smallEwf(), false)
	f.Add(smallEwf(), true)
	two := newEwfFile(2)
	two.stored([]byte("x"))
	two.section("next", nil)
	f.Add(two.b, true)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix {
			b = bytes.Clone(b)
			for at := uint64(ewfHeaderLen); at < uint64(len(b))-min(uint64(len(b)), ewfSectionLen); {
				putAdler(b[at:], 72)
				data := b[at+ewfSectionLen:]
				for _, n := range map[string][]int{"volume": {90, 1048}, "table": {20}, "table2": {20}, "hash": {32}, "digest": {76}, "error2": {516}, "session": {32}}[cstring(b[at:][:16])] {
					if len(data) >= n+4 {
						putAdler(data, n)
					}
				}
				next := le.Uint64(b[at+16:])
				if next <= at {
					break
				}
				at = next
			}
		}
		path := filepath.Join(t.TempDir(), "x.E01")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		im, err := Open(path, Options{})
		if err != nil {
			return
		}
		defer im.Close()
		p := make([]byte, 4096)
		for off, n := int64(0), 0; off < im.Size() && n < 100; n++ {
			got, err := im.ReadAt(p, off)
			if got < 0 || got > len(p) || err == nil && got < len(p) {
				t.Fatalf("%d bytes at %d, %v", got, off, err)
			}
			off += int64(max(got, 1))
		}
		for _, s := range im.Segments() {
			if s.Offset < 0 || s.Size < 0 || s.Offset+s.Size > im.Size() && im.Format() != "raw" {
				t.Errorf("%+v of %d", s, im.Size())
			}
		}
	})
}

// FuzzEwfDecoders gives bytes to each decoder of a section.
func FuzzEwfDecoders(f *testing.F) {
	f.Add([]byte("header"))
	f.Add(ewfRangeData("error2", [2]uint32{1, 1}))
	f.Add(ewfRangeData("session", [2]uint32{1, 1}))
	f.Add(deflated([]byte("1\nmain\nc\tn\n1\t2\n\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeEwfHeader(b)
		_, _ = decodeEwfSection(b, 0)
		_, _ = decodeEwfVolume(b)
		for _, kind := range []string{"hash", "digest"} {
			_, _ = decodeEwfDigests(kind, b)
		}
		for _, kind := range []string{"error2", "session"} {
			if list, err := decodeEwfRanges(kind, b); err == nil && len(list) > len(b) {
				t.Errorf("%d ranges of %d bytes", len(list), len(b))
			}
		}
		if m, _ := decodeEwfText(b); len(m) > maxEwfText {
			t.Errorf("%d values", len(m))
		}
	})
}
