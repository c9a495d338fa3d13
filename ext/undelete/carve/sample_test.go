package carve

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// A sample is a file of a format.
type sample struct {
	name string
	data []byte
	typ  string
	ext  string
	// checked says that the format has checks for all that it holds, so that a
	// wrong block anywhere has to be seen.
	checked bool
}

func samples(t testing.TB) []sample {
	rnd := rand.NewChaCha8([32]byte{1})
	return []sample{
		{"png", samplePNG(t), "image/png", ".png", true},
		{"jpeg", sampleJPEG(t), "image/jpeg", ".jpg", true},
		{"jpeg progressive", sampleProgressive(), "image/jpeg", ".jpg", false},
		{"jpeg previews", append(sampleJPEG(t), sampleProgressive()...), "image/jpeg", ".jpg", false},
		{"gif", sampleGIF(t), "image/gif", ".gif", false},
		{"bmp", sampleBMP(rnd), "image/bmp", ".bmp", false},
		{"ico", sampleICO(t), "image/vnd.microsoft.icon", ".ico", false},
		{"pdf", samplePDF(rnd, 1), "application/pdf", ".pdf", false},
		{"pdf updated", samplePDF(rnd, 3), "application/pdf", ".pdf", false},
		{"zip", sampleZIP(t, "", "a.txt", "b.bin"), "application/zip", ".zip", true},
		{"zip comment", sampleZIP(t, "a comment", "a.txt"), "application/zip", ".zip", true},
		{"docx", sampleZIP(t, "", "[Content_Types].xml", "word/document.xml"), zipKinds["docx"][0], ".docx", true},
		{"jar", sampleZIP(t, "", "META-INF/MANIFEST.MF", "A.class"), zipKinds["jar"][0], ".jar", true},
		{"odt", sampleODT(t), zipKinds["odt"][0], ".odt", true},
		{"gzip", sampleGzip(t, 1), "application/gzip", ".gz", true},
		{"gzip members", sampleGzip(t, 3), "application/gzip", ".gz", true},
		{"zlib", sampleZlib(t, noise(rnd, 9000)), "application/zlib", ".zlib", true},
		{"bzip2", unpack(t, sampleBzip2), "application/x-bzip2", ".bz2", true},
		{"xz", sampleXZ(rnd), "application/x-xz", ".xz", false},
		{"zstd", sampleZstd(rnd), "application/zstd", ".zst", false},
		{"7z", sample7z(rnd), "application/x-7z-compressed", ".7z", false},
		{"tar", sampleTar(t, tarRecord), "application/x-tar", ".tar", false},
		{"ar", sampleAr(rnd), "application/x-archive", ".a", false},
		{"sqlite", sampleSQLite(rnd), "application/vnd.sqlite3", ".sqlite", false},
		{"elf", sampleELF(rnd), "application/x-sharedlib", ".so", false},
		{"class", sampleClass(), "application/java-vm", ".class", false},
		{"wav", sampleWAV(rnd), "audio/wav", ".wav", false},
		{"mp4", sampleMP4(rnd), "video/mp4", ".mp4", false},
		{"mp3", sampleMP3(rnd), "audio/mpeg", ".mp3", false},
		{"ogg", sampleOgg(rnd), "application/ogg", ".ogg", true},
		{"flac", sampleFLAC(rnd), "audio/flac", ".flac", true},
		{"ttf", sampleTTF(rnd), "font/sfnt", ".ttf", true},
		{"woff", sampleWOFF(rnd), "font/woff", ".woff", false},
		{"ole", sampleOLE(rnd), "application/x-ole-storage", ".doc", false},
		{"pack", samplePack(t, rnd), "application/x-git", ".pack", true},
		{"pack index", samplePackIndex(rnd), "application/x-git-pack-index", ".idx", true},
		{"index", hashed(append([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x40"), noise(rnd, 5000)...)), "application/x-git-index", ".idx", true},
		{"utf-16", sampleUTF16(), "text/plain; charset=utf-16le", ".txt", false},
		{"text", sampleText(9000), "text/plain; charset=utf-8", ".txt", false},
		{"latin-1", bytes.ReplaceAll(sampleText(9000), []byte("u"), []byte("\xfc")), "text/plain; charset=iso-8859-1", ".txt", false},
		{"html", []byte("<!DOCTYPE html>\n<html>" + strings.Repeat("<p>What a page.</p>\n", 300) + "</html>\n"), "text/html; charset=utf-8", ".html", false},
		{"json", []byte(`{"a": [` + strings.Repeat(`{"b": 1}, `, 900) + `{}]}`), "application/json", ".json", false},
	}
}

func noise(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

func picture(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.NRGBA{uint8(x + r.IntN(64)), uint8(y + r.IntN(64)), uint8(r.IntN(256)), 255})
		}
	}
	return m
}

func samplePNG(t testing.TB) []byte {
	var b bytes.Buffer
	must(t, png.Encode(&b, picture(80, 60)))
	return b.Bytes()
}

// sampleJPEG has another picture in its EXIF segment, as cameras put there.
func sampleJPEG(t testing.TB) []byte {
	var b, thumb bytes.Buffer
	must(t, jpeg.Encode(&b, picture(163, 121), nil))
	must(t, jpeg.Encode(&thumb, picture(16, 16), nil))
	exif := append([]byte("Exif\x00\x00"), thumb.Bytes()...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, be.AppendUint16(nil, uint16(len(exif)+2))...)
	return append(append(out, exif...), b.Bytes()[2:]...)
}

// sampleProgressive is made by hand: one block, a scan for the first
// coefficient, one for another two, and one that refines them.
func sampleProgressive() []byte {
	b, _ := hex.DecodeString("ffd8" + "ffc2000b080008000801011100" +
		"ffc40014" + "00" + "01000000000000000000000000000000" + "03" + // DC: 0 is 3 bits
		"ffc40016" + "10" + "01020000000000000000000000000000" + "010011" + // AC: 0 is 0/1, 10 ends, 11 is 1/1
		"ffda0008010100000000" + "5f" + // 0 101, filled
		"ffda0008010100013f01" + "75" + // 0 1, 11 0, 10, filled with a one
		"ffda0008010100013f10" + "9f" + // 10: none is new; the two others take a bit each
		"ffd9")
	return b
}

func sampleGIF(t testing.TB) []byte {
	var b bytes.Buffer
	must(t, gif.Encode(&b, picture(90, 80), nil))
	return b.Bytes()
}

func sampleBMP(r *rand.ChaCha8) []byte {
	const w, h = 50, 40
	b := append([]byte("BM"), make([]byte, 52)...)
	b = append(b, noise(r, (w*24+31)/32*4*h)...)
	le.PutUint32(b[2:], uint32(len(b)))
	le.PutUint32(b[10:], 54)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], w)
	le.PutUint32(b[22:], h)
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], 24)
	return b
}

func sampleICO(t testing.TB) []byte {
	p := samplePNG(t)
	b := []byte("\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00")
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(p))), 22)
	return append(b, p...)
}

// samplePDF has a cross-reference table for the original and for each update.
func samplePDF(r *rand.ChaCha8, saves int) []byte {
	b := []byte("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	for save := range saves {
		at := len(b)
		b = fmt.Appendf(b, "%d 0 obj\n<</Length 3000>>\nstream\n%s\nendstream\nendobj\n", save+1, noise(r, 3000))
		xref := len(b)
		b = fmt.Appendf(b, "xref\n%d 1\n%010d 00000 n \ntrailer\n<</Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", save+1, at, xref)
	}
	return b
}

func sampleZIP(t testing.TB, comment string, names ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	must(t, w.SetComment(comment))
	for i, name := range names {
		method := zip.Deflate
		if i%2 == 1 {
			method = zip.Store
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		must(t, err)
		if method == zip.Store { // in front of which its length stands
			data := noise(rand.NewChaCha8([32]byte{2}), 9000)
			h := &zip.FileHeader{Name: name + "2", Method: method, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: 9000, UncompressedSize64: 9000}
			f, err = w.CreateRaw(h)
			must(t, err)
			f.Write(data)
			continue
		}
		f.Write(sampleText(6000))
	}
	must(t, w.Close())
	return b.Bytes()
}

func sampleODT(t testing.TB) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	typ := []byte(zipKinds["odt"][0])
	f, err := w.CreateRaw(&zip.FileHeader{Name: "mimetype", CRC32: crc32.ChecksumIEEE(typ), CompressedSize64: uint64(len(typ)), UncompressedSize64: uint64(len(typ))})
	must(t, err)
	f.Write(typ)
	f, err = w.Create("content.xml")
	must(t, err)
	f.Write(sampleText(20000))
	must(t, w.Close())
	return b.Bytes()
}

func sampleGzip(t testing.TB, members int) []byte {
	var b bytes.Buffer
	for i := range members {
		w := gzip.NewWriter(&b)
		w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra")
		w.Write(sampleText(20000 + i))
		must(t, w.Close())
	}
	return b.Bytes()
}

func sampleZlib(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write(data)
	must(t, w.Close())
	return b.Bytes()
}

// sampleBzip2 is the text "hello world\n" twelve times, by bzip2.
const sampleBzip2 = "QlpoOTFBWSZTWb31W50AAB3RgAAQQAAGRJCAIAAgpVDNEIMmI9LCwsLRcLhaF0sLpfi7kinChIXvqtzo"

func sampleXZ(r *rand.ChaCha8) []byte {
	sum := func(b []byte) []byte { return le.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	out := append([]byte("\xfd7zXZ\x00"), sum([]byte{0, 1})...)
	block := sum([]byte{2, 0, 0x21, 1, 0x16, 0, 0, 0})
	for range 2 { // chunks that are not compressed say so in their first byte
		block = append(append(block, 1, 0x0f, 0xff), noise(r, 4096)...)
	}
	block = append(block, 0)
	length := len(block) + 4
	for len(block)%4 != 0 {
		block = append(block, 0)
	}
	out = append(append(out, block...), 1, 2, 3, 4)
	index := binary.AppendUvarint(binary.AppendUvarint([]byte{0, 1}, uint64(length)), 8192)
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	out = append(out, sum(index)...)
	tail := append(le.AppendUint32(nil, uint32(len(index)/4)), 0, 1)
	return append(append(le.AppendUint32(out, crc32.ChecksumIEEE(tail)), tail...), "YZ"...)
}

func sampleZstd(r *rand.ChaCha8) []byte {
	b := []byte("\x28\xb5\x2f\xfd\x04\x58")
	b = append(append(b, 0x00|0x80, 0x3e, 0), noise(r, 2000)...) // a raw block of 2000<<3 = 0x3e80
	b = append(append(b, 0x80|4|1, 0x3e, 0), noise(r, 2000)...)  // the last, compressed
	return append(b, 1, 2, 3, 4)
}

func sample7z(r *rand.ChaCha8) []byte {
	data, head := noise(r, 5000), []byte("\x01header")
	start := le.AppendUint64(nil, uint64(len(data)))
	start = le.AppendUint64(start, uint64(len(head)))
	start = le.AppendUint32(start, crc32.ChecksumIEEE(head))
	b := le.AppendUint32([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), crc32.ChecksumIEEE(start))
	return append(append(append(b, start...), data...), head...)
}

func sampleTar(t testing.TB, fill int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range []int{100, 5000, 0, 9000} {
		must(t, w.WriteHeader(&tar.Header{Name: fmt.Sprint("name", n), Size: int64(n), Mode: 0o644}))
		w.Write(sampleText(n))
	}
	must(t, w.Close())
	for b.Len()%fill != 0 {
		b.WriteByte(0)
	}
	return b.Bytes()
}

func sampleAr(r *rand.ChaCha8) []byte {
	b := []byte("!<arch>\n")
	for _, n := range []int{3000, 2001} {
		b = fmt.Appendf(b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", "name/", 0, 0, 0, 0o644, n)
		b = append(b, noise(r, n)...)
		if n%2 == 1 {
			b = append(b, '\n')
		}
	}
	return b
}

// sampleSQLite is a database of a page size of 1024: trees, and one page that is
// on the free list.
func sampleSQLite(r *rand.ChaCha8) []byte {
	const page, pages = 1024, 9
	b := make([]byte, page*pages)
	for i := range pages {
		p := b[i*page:][:page]
		if i == 5 {
			copy(p, noise(r, page))
			p[0] = 0xff
			continue
		}
		if i == 0 {
			copy(p, "SQLite format 3\x00\x04\x00\x01\x01\x00\x40\x20\x20\x00\x00\x00\x07")
			be.PutUint32(p[28:], pages)
			be.PutUint32(p[36:], 1)
			be.PutUint32(p[92:], 7)
			p = p[100:]
		}
		p[0] = 13
		be.PutUint16(p[3:], 2)
		be.PutUint16(p[5:], page-200)
		copy(b[(i+1)*page-200:], noise(r, 200))
	}
	return b
}

func sampleELF(r *rand.ChaCha8) []byte {
	b := make([]byte, 64+3*64)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 3)
	le.PutUint64(b[40:], 64) // e_shoff
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 3)
	s := b[128:]
	le.PutUint32(s[4:], 1) // SHT_PROGBITS
	le.PutUint64(s[24:], uint64(len(b)))
	le.PutUint64(s[32:], 7000)
	s = b[192:]
	le.PutUint32(s[4:], 8) // SHT_NOBITS takes no room
	le.PutUint64(s[24:], uint64(len(b)))
	le.PutUint64(s[32:], 1<<30)
	return append(b, noise(r, 7000)...)
}

func sampleClass() []byte {
	b := []byte("\xca\xfe\xba\xbe\x00\x00\x00\x34\x00\x06")
	b = append(b, "\x01\x00\x01A\x07\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00\x07\x03\x00\x00\x00\x01"...)
	b = append(b, "\x00\x21\x00\x02\x00\x00\x00\x00"...)                                         // access, this, super, interfaces
	b = append(b, "\x00\x01\x00\x00\x00\x01\x00\x01\x00\x01\x00\x01\x00\x00\x00\x02\xff\xff"...) // a field with an attribute
	return append(b, "\x00\x00\x00\x00"...)
}

func sampleWAV(r *rand.ChaCha8) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x22\x56\x00\x00\x44\xac\x00\x00\x02\x00\x10\x00data")
	b = le.AppendUint32(b, 9000)
	b = append(b, noise(r, 9000)...)
	le.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func atom(name string, data []byte) []byte {
	return append(append(be.AppendUint32(nil, uint32(len(data)+8)), name...), data...)
}

func sampleMP4(r *rand.ChaCha8) []byte {
	b := atom("ftyp", []byte("isom\x00\x00\x02\x00isomiso2"))
	b = append(b, atom("moov", noise(r, 500))...)
	data := noise(r, 6000)
	b = append(b, be.AppendUint64(append(be.AppendUint32(nil, 1), "mdat"...), uint64(len(data)+16))...)
	return append(b, data...)
}

func sampleMP3(r *rand.ChaCha8) []byte {
	b := append([]byte("ID3\x03\x00\x00\x00\x00\x01\x00"), make([]byte, 128)...)
	copy(b[10:], "TIT2")
	for range 20 {
		f := append([]byte{0xff, 0xfb, 0x90, 0x00}, noise(r, 413)...) // 128 kbit/s at 44.1 kHz
		b = append(b, f...)
	}
	return append(append(b, "TAG"...), make([]byte, 125)...)
}

func sampleOgg(r *rand.ChaCha8) []byte {
	var b []byte
	for i := range 4 {
		flags := byte(0)
		if i == 0 {
			flags = 2
		} else if i == 3 {
			flags = 4
		}
		p := append([]byte{'O', 'g', 'g', 'S', 0, flags}, make([]byte, 16)...)
		p = append(p, 0, 0, 0, 0, 8)
		p = append(p, bytes.Repeat([]byte{255}, 8)...)
		p = append(p, noise(r, 8*255)...)
		sum := uint32(0)
		for _, c := range p {
			sum = sum<<8 ^ oggTable[byte(sum>>24)^c]
		}
		le.PutUint32(p[22:], sum)
		b = append(b, p...)
	}
	return b
}

func sampleFLAC(r *rand.ChaCha8) []byte {
	b := append([]byte("fLaC\x80\x00\x00\x22"), noise(r, 34)...)
	for i := range 5 {
		f := []byte{0xff, 0xf8, 0xc9, 0x18, byte(i)}
		s8 := uint8(0)
		for _, c := range f {
			s8 = flac8[s8^c]
		}
		f = append(append(f, s8), noise(r, 1500)...)
		s16 := uint16(0)
		for _, c := range f {
			s16 = s16<<8 ^ flac16[byte(s16>>8)^c]
		}
		b = append(b, be.AppendUint16(f, s16)...)
	}
	return b
}

func sampleTTF(r *rand.ChaCha8) []byte {
	b := []byte("\x00\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00")
	var data []byte
	for i, name := range []string{"cmap", "glyf", "head", "loca"} {
		d := noise(r, 1000+4*i)
		sum := uint32(0)
		for p := d; len(p) > 0; p = p[4:] {
			sum += be.Uint32(p)
		}
		if name == "head" {
			sum++
		}
		b = be.AppendUint32(be.AppendUint32(be.AppendUint32(append(b, name...), sum), uint32(12+64+len(data))), uint32(len(d)))
		data = append(data, d...)
	}
	return append(b, data...)
}

func sampleWOFF(r *rand.ChaCha8) []byte {
	b := append([]byte("wOFF\x00\x01\x00\x00"), make([]byte, 36+20)...)
	be.PutUint16(b[12:], 1)
	copy(b[44:], "glyf")
	be.PutUint32(b[48:], 64)
	be.PutUint32(b[52:], 3000)
	b = append(b, noise(r, 3000)...)
	be.PutUint32(b[8:], uint32(len(b)))
	return b
}

func sampleOLE(r *rand.ChaCha8) []byte {
	const used = 12 // sectors, of which the first is the table
	b := make([]byte, 512)
	copy(b, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	copy(b[24:], "\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00")
	le.PutUint32(b[44:], 1)
	le.PutUint32(b[68:], 0xfffffffe)
	fat := bytes.Repeat([]byte{0xff}, 512)
	for i := range uint32(used) {
		le.PutUint32(fat[i*4:], i+1)
	}
	le.PutUint32(fat, 0xfffffffd)
	le.PutUint32(fat[(used-1)*4:], 0xfffffffe)
	return append(append(b, fat...), noise(r, (used-1)*512)...)
}

func hashed(b []byte) []byte {
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

func samplePack(t testing.TB, r *rand.ChaCha8) []byte {
	b := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02")
	for range 2 {
		b = append(b, 0x30|0x80, 0x10)
		b = append(b, sampleZlib(t, noise(r, 3000))...)
	}
	return hashed(b)
}

func samplePackIndex(r *rand.ChaCha8) []byte {
	b := append([]byte("\xfftOc\x00\x00\x00\x02"), make([]byte, 1024)...)
	be.PutUint32(b[8+1020:], 50)
	b = append(b, noise(r, 50*24)...)
	b = append(b, make([]byte, 50*4)...)
	b = append(b, noise(r, 20)...)
	return hashed(b)
}

func sampleUTF16() []byte {
	b := []byte{0xff, 0xfe}
	for _, c := range "Text of two bytes a letter, grün.\r\n" + strings.Repeat("And so on. ", 500) {
		b = le.AppendUint16(b, uint16(c))
	}
	return b
}

func sampleText(n int) []byte {
	s := []byte("A text that goes on\n\n")
	for i := 0; len(s) < n; i++ {
		s = fmt.Appendf(s, "and on, as line %d says, up to its end,\n", i*i)
	}
	return s[:max(n, 1)]
}

func unpack(t testing.TB, s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
}
