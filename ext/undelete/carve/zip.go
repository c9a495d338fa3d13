package carve

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

func startsZIP(b []byte) bool {
	return string(b[:4]) == "PK\x03\x04" && b[5] == 0 && le.Uint16(b[26:]) > 0 && le.Uint16(b[26:]) < 1024 && b[9] == 0
}

// A zipWalk is the state of walkZIP.
type zipWalk struct {
	s       *stream
	off     int64
	members int
	checked int   // whose contents agree with their checksum
	central int64 // where the central directory starts
	listed  int   // members in it
	kind    string
}

// walkZIP goes over the members, the central directory and the records that end
// it, and holds each against the others.
func walkZIP(s *stream) verdict {
	z := &zipWalk{s: s}
	for {
		b := s.at(z.off, 4)
		if b == nil || b[0] != 'P' && z.central != 0 {
			return verdict{}
		}
		ok := false
		switch string(b) {
		case "PK\x03\x04":
			ok = z.central == 0 && z.member()
		case "PK\x01\x02":
			ok = z.entry()
		case "PK\x06\x06": // zip64: the length of what follows
			if b := s.at(z.off+4, 8); b != nil && le.Uint64(b) < 1<<20 {
				z.off += 12 + int64(le.Uint64(b))
				ok = true
			}
		case "PK\x06\x07":
			z.off += 20
			ok = true
		case "PK\x05\x06":
			return z.end()
		default:
			ok = z.central == 0 && z.members > 0 && z.signing()
		}
		if !ok || s.spent() {
			return verdict{}
		}
	}
}

// member checks one member against its checksum.
func (z *zipWalk) member() bool {
	h := z.s.at(z.off, 30)
	if h == nil {
		return false
	}
	flags, method := le.Uint16(h[6:]), le.Uint16(h[8:])
	want, packed, size := le.Uint32(h[14:]), int64(le.Uint32(h[18:])), int64(le.Uint32(h[22:]))
	nameLen, extraLen := int(le.Uint16(h[26:])), int(le.Uint16(h[28:]))
	name := string(z.s.at(z.off+30, min(nameLen, 256)))
	if name == "" && nameLen > 0 {
		return false
	}
	if packed == 0xffffffff || size == 0xffffffff {
		packed, size = z.zip64(z.off+30+int64(nameLen), extraLen, packed, size)
	}
	body := z.off + 30 + int64(nameLen) + int64(extraLen)
	z.look(name, body, packed, method)
	described := flags&8 != 0
	encrypted := flags&1 != 0
	z.members++
	if described && (packed == 0 || encrypted) {
		return z.described(body, method, encrypted)
	}
	if packed < 0 {
		return false
	}
	end := body + packed
	switch {
	case encrypted || method != 0 && method != 8:
		if z.s.foreignIn(body, end) {
			return false
		}
	case method == 0:
		sum, ok := z.s.crc(body, packed)
		if !ok || sum != want {
			return false
		}
		z.checked++
	default:
		sum := crc32.NewIEEE()
		to, n, ok := z.s.inflate(body, sum)
		if !ok || to != end || n != size || sum.Sum32() != want {
			return false
		}
		z.checked++
	}
	z.off = end
	if described {
		return z.descriptor(want, packed, size)
	}
	return true
}

// described passes over a member whose length comes behind it.
func (z *zipWalk) described(body int64, method uint16, encrypted bool) bool {
	if method == 8 && !encrypted {
		sum := crc32.NewIEEE()
		to, n, ok := z.s.inflate(body, sum)
		if !ok {
			return false
		}
		z.off = to
		z.checked++
		return z.descriptor(sum.Sum32(), to-body, n)
	}
	// Only its mark tells where the descriptor is.
	for off := body; ; {
		b := z.s.some(off)
		if b == nil {
			return false
		}
		i := bytes.Index(b, []byte("PK\x07\x08"))
		if i < 0 {
			off += int64(max(len(b)-3, 1))
			continue
		}
		off += int64(i)
		if d := z.s.at(off, 12); d != nil && int64(le.Uint32(d[8:])) == off-body {
			want := le.Uint32(d[4:])
			if method == 0 && !encrypted {
				if sum, ok := z.s.crc(body, off-body); !ok || sum != want {
					return false
				}
				z.checked++
			}
			z.off = off
			return z.descriptor(want, off-body, -1)
		}
		off += 4
	}
}

// descriptor passes over checksum and lengths, with or without a mark, of 32 or
// 64 bits. size is negative where it is not known.
func (z *zipWalk) descriptor(sum uint32, packed, size int64) bool {
	b := z.s.at(z.off, 24)
	if b == nil {
		return false
	}
	n := int64(0)
	if string(b[:4]) == "PK\x07\x08" {
		b, n = b[4:], 4
	}
	if le.Uint32(b) != sum {
		return false
	}
	switch {
	case le.Uint32(b[4:]) == uint32(packed) && (size < 0 || le.Uint32(b[8:]) == uint32(size)):
		n += 12
	case le.Uint64(b[4:]) == uint64(packed) && le.Uint64(b[12:]) == uint64(size):
		n += 20
	default:
		return false
	}
	z.off += n
	return true
}

// zip64 takes the lengths from the extra field of a member.
func (z *zipWalk) zip64(off int64, n int, packed, size int64) (int64, int64) {
	b := z.s.at(off, n)
	for len(b) >= 4 {
		id, l := le.Uint16(b), int(le.Uint16(b[2:]))
		b = b[4:]
		if l > len(b) {
			break
		}
		if f := b[:l]; id == 1 {
			if size == 0xffffffff && len(f) >= 8 {
				size, f = int64(le.Uint64(f)&(1<<62-1)), f[8:]
			}
			if packed == 0xffffffff && len(f) >= 8 {
				packed = int64(le.Uint64(f) & (1<<62 - 1))
			}
			break
		}
		b = b[l:]
	}
	return packed, size
}

// entry holds one entry of the central directory against the member it names.
func (z *zipWalk) entry() bool {
	if z.central == 0 {
		z.central = z.off
	}
	h := z.s.at(z.off, 46)
	if h == nil {
		return false
	}
	z.off += 46 + int64(le.Uint16(h[28:])) + int64(le.Uint16(h[30:])) + int64(le.Uint16(h[32:]))
	z.listed++
	return int64(le.Uint32(h[42:])) < z.central || le.Uint32(h[42:]) == 0xffffffff
}

// signing passes over the block of signatures in an Android package: its length
// stands in front and behind.
func (z *zipWalk) signing() bool {
	b := z.s.at(z.off, 8)
	if b == nil {
		return false
	}
	n := le.Uint64(b)
	if n < 24 || n > 64<<20 {
		return false
	}
	end := z.off + 8 + int64(n)
	if t := z.s.at(end-24, 24); t == nil || le.Uint64(t) != n || string(t[8:]) != "APK Sig Block 42" {
		return false
	}
	z.off = end
	return true
}

func (z *zipWalk) end() verdict {
	h := z.s.at(z.off, 22)
	if h == nil || z.members == 0 {
		return verdict{}
	}
	count, at, comment := int(le.Uint16(h[10:])), le.Uint32(h[16:]), int64(le.Uint16(h[20:]))
	if count != z.listed&0xffff && count != 0xffff || z.listed > z.members {
		return verdict{}
	}
	if int64(at) != z.central && at != 0xffffffff {
		return verdict{}
	}
	v := verdict{size: z.off + 22 + comment, sure: z.checked == z.members}
	v.why = fmt.Sprintf("central directory agrees with all %d members, %d checksums hold", z.members, z.checked)
	if t, ok := zipKinds[z.kind]; ok {
		v.typ, v.ext = t[0], t[1]
	}
	return v
}

// zipKinds are formats that are ZIP archives inside: MIME type and extension.
var zipKinds = map[string][2]string{
	"docx": {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"},
	"xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"},
	"pptx": {"application/vnd.openxmlformats-officedocument.presentationml.presentation", ".pptx"},
	"jar":  {"application/java-archive", ".jar"},
	"apk":  {"application/vnd.android.package-archive", ".apk"},
	"epub": {"application/epub+zip", ".epub"},
	"odt":  {"application/vnd.oasis.opendocument.text", ".odt"},
	"ods":  {"application/vnd.oasis.opendocument.spreadsheet", ".ods"},
	"odp":  {"application/vnd.oasis.opendocument.presentation", ".odp"},
	"odg":  {"application/vnd.oasis.opendocument.graphics", ".odg"},
}

// look takes from a member's name what kind of archive this is.
func (z *zipWalk) look(name string, body, packed int64, method uint16) {
	has := func(p string) bool { return len(name) >= len(p) && name[:len(p)] == p }
	switch {
	case name == "AndroidManifest.xml":
		z.kind = "apk"
	case z.kind != "":
	case has("word/"):
		z.kind = "docx"
	case has("xl/"):
		z.kind = "xlsx"
	case has("ppt/"):
		z.kind = "pptx"
	case has("META-INF/MANIFEST.MF") && z.members < 3:
		z.kind = "jar"
	case name == "mimetype" && method == 0 && packed > 0 && packed < 128:
		t := string(z.s.at(body, int(packed)))
		for k, v := range zipKinds {
			if v[0] == t {
				z.kind = k
			}
		}
	}
}
