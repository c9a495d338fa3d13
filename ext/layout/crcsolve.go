package layout

// A crcMatrix is a linear map of CRC32C registers over GF(2): what it makes of each
// single bit.
type crcMatrix [32]uint32

func (m *crcMatrix) apply(v uint32) uint32 {
	out := uint32(0)
	for i := 0; v != 0; i, v = i+1, v>>1 {
		out ^= m[i] & -(v & 1)
	}
	return out
}

// twice is the map applied twice.
func (m *crcMatrix) twice() (out crcMatrix) {
	for i, column := range m {
		out[i] = m.apply(column)
	}
	return out
}

// crcPowers is enough for lengths of up to 128 KiB - 1.
const crcPowers = 17

// crcForth and crcBack advance a register over 1<<k zero bytes, and take it back.
// Since CRC32C(s, m) is CRC32C(0, m) with s advanced over len(m) zeros added, they
// solve for the register that a checksum began with.
var crcForth, crcBack = func() (forth, back [crcPowers]crcMatrix) {
	for i := range 32 {
		forth[0][i] = CRC32C(1<<i, []byte{0})
	}
	// One byte back: the top byte of a table entry tells which entry it is.
	var table, byTop [256]uint32
	for i := range table {
		table[i] = CRC32C(uint32(i), []byte{0})
		byTop[table[i]>>24] = uint32(i)
	}
	for i := range 32 {
		v := uint32(1) << i
		k := byTop[v>>24]
		back[0][i] = (v^table[k])<<8 | k
	}
	for k := 1; k < crcPowers; k++ {
		forth[k], back[k] = forth[k-1].twice(), back[k-1].twice()
	}
	return forth, back
}()

// crcOver advances a register over n zero bytes, and crcBefore takes it back; n is
// below 1<<crcPowers.
func crcOver(v uint32, n int) uint32   { return crcSteps(&crcForth, v, n) }
func crcBefore(v uint32, n int) uint32 { return crcSteps(&crcBack, v, n) }

func crcSteps(m *[crcPowers]crcMatrix, v uint32, n int) uint32 {
	for k := 0; n != 0 && k < crcPowers; k, n = k+1, n>>1 {
		if n&1 != 0 {
			v = m[k].apply(v)
		}
	}
	return v
}

// SeedOf gives the seed with which n bytes have the CRC32C sum, where with seed 0 they
// have plain.
func SeedOf(sum, plain uint32, n int) uint32 { return crcBefore(sum^plain, n) }

// crcWord gives the word that takes a register from one value to another.
func crcWord(from, to uint32) uint32 { return crcBefore(to, 4) ^ from }

// GenerationOf gives the generation of the inode whose checksums start from seed, as
// InodeSeed makes it; fs is the file system's seed.
func GenerationOf(fs, seed uint32, ino Ino) uint32 {
	return crcWord(crc32cLE32(fs, uint32(ino)), seed)
}

// InoOf gives the number of that inode.
func InoOf(fs, seed, gen uint32) Ino { return Ino(crcWord(fs, crcBefore(seed, 4)^gen)) }

// FSSeedOf gives the seed of the file system that an inode is of, by the seed of the
// inode's checksums.
func FSSeedOf(seed uint32, ino Ino, gen uint32) uint32 {
	return crcBefore(crcBefore(seed, 4)^gen, 4) ^ uint32(ino)
}

// UUIDOf gives a UUID, all but its last four bytes zero, whose checksum is a seed: where
// only the seed of a file system is known it stands for the UUID.
func UUIDOf(seed uint32) (id UUID) {
	le.PutUint32(id[12:], crcWord(CRC32C(^uint32(0), id[:12]), seed))
	return id
}
