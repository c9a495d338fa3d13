package layout

// InodeSums checks the checksums of many inodes: InodeChecksum takes four stretches for
// one, and a checksum of few bytes costs as much as one of many. It is made by
// NewInodeSums, and for one goroutine.
type InodeSums struct {
	seed uint32
	size int
	buf  []byte

	// What HoldAll needs, all of it linear: the checksum that a sum becomes behind an
	// inode of zeros, and what a number, a generation and a stored checksum do to it.
	shift, ino, generation, stored linear
	start                          uint32 // what the seed does
}

// NewInodeSums is for inodes of a size in bytes, 128 or more. seed is the file system's.
func NewInodeSums(seed uint32, size int) *InodeSums {
	s := &InodeSums{seed: seed, size: size}
	zeros := make([]byte, 8+size)
	s.start = CRC32C(seed, zeros)
	s.shift = newLinear(func(v uint32) uint32 { return CRC32C(v, zeros[8:]) })
	s.ino = newLinear(func(v uint32) uint32 { return CRC32C(crc32cLE32(0, v), zeros[4:]) })
	s.generation = newLinear(func(v uint32) uint32 { return CRC32C(crc32cLE32(0, v), zeros[8:]) })
	if s.wide() {
		s.stored = newLinear(func(v uint32) uint32 {
			in := make([]byte, size)
			le.PutUint16(in[0x7c:], uint16(v))
			le.PutUint16(in[0x82:], uint16(v>>16))
			return CRC32C(v, in[:0]) ^ CRC32C(0, in)
		})
	}
	return s
}

// wide reports whether inodes have room for i_checksum_hi.
func (s *InodeSums) wide() bool { return s.size >= 0x84 }

// Hold reports whether the raw inode b has the checksum that its contents give.
func (s *InodeSums) Hold(b []byte, ino Ino) bool {
	if len(b) < 0x84 {
		in := DecodeInode(b)
		sum, _ := InodeChecksum(b, InodeSeed(s.seed, ino, in.Generation))
		return sum == in.Checksum
	}
	s.buf = le.AppendUint32(s.buf[:0], uint32(ino))
	s.buf = append(s.buf, b[0x64:0x68]...) // i_generation
	s.buf = append(s.buf, b...)
	in := s.buf[8:]
	low := le.Uint16(in[0x7c:])
	le.PutUint16(in[0x7c:], 0)
	if le.Uint16(in[0x80:]) < 4 {
		return uint16(CRC32C(s.seed, s.buf)) == low
	}
	high := le.Uint16(in[0x82:])
	le.PutUint16(in[0x82:], 0)
	return CRC32C(s.seed, s.buf) == uint32(high)<<16|uint32(low)
}

// HoldAll reports whether all inodes in b, one behind the other from number first on,
// have the checksums that their contents give; those that are all zeros count for
// nothing. One checksum of b is held against what those that are stored make of it, so
// two errors that cancel each other out pass, as one in 2^32 does in any of them. Where it
// gives false, Hold tells of each.
func (s *InodeSums) HoldAll(b []byte, first Ino) bool {
	if !s.wide() {
		return false
	}
	sum := uint32(0)
	for at := 0; at < len(b); at += s.size {
		in := b[at:][:s.size]
		sum = s.shift.of(sum)
		if AllZero(in) {
			continue
		}
		if le.Uint16(in[0x80:]) < 4 { // i_extra_isize: half of the checksum is not stored
			return false
		}
		stored := uint32(le.Uint16(in[0x82:]))<<16 | uint32(le.Uint16(in[0x7c:]))
		number := uint32(first) + uint32(at/s.size)
		sum ^= s.start ^ s.ino.of(number) ^ s.generation.of(le.Uint32(in[0x64:])) ^ s.stored.of(stored)
	}
	return CRC32C(0, b) == sum
}

// AllZero reports whether b, a multiple of eight bytes long, is nothing but zeros.
func AllZero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if le.Uint64(b) != 0 {
			return false
		}
	}
	return true
}

// A linear is a function for which f(a^b) is f(a)^f(b), by the bytes of what it is of.
type linear [4][256]uint32

func newLinear(f func(uint32) uint32) (l linear) {
	for i := range l {
		for bit := range 8 {
			l[i][1<<bit] = f(1 << (8*i + bit))
		}
		for v := range 256 {
			l[i][v] = l[i][v&(v-1)] ^ l[i][v&-v]
		}
	}
	return l
}

func (l *linear) of(v uint32) uint32 {
	return l[0][byte(v)] ^ l[1][byte(v>>8)] ^ l[2][byte(v>>16)] ^ l[3][v>>24]
}
