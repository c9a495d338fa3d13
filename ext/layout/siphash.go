package layout

import "math/bits"

// SipDirHash hashes a name in a casefolded encrypted directory (HashSipHash):
// SipHash-2-4 of the folded name under a key derived from the directory's
// encryption key, fscrypt_fname_siphash in fs/crypto/fname.c. Without that key
// the hash can't be computed; it is stored behind each name instead.
func SipDirHash(key [16]byte, name []byte) (hash, minor uint32) {
	sum := sipHash24(le.Uint64(key[0:]), le.Uint64(key[8:]), name)
	return closeHash(uint32(sum >> 32)), uint32(sum)
}

// sipHash24 is SipHash with two rounds a word and four at the end (Aumasson
// and Bernstein, 2012).
func sipHash24(k0, k1 uint64, b []byte) uint64 {
	v := [4]uint64{
		k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573,
	}
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		sipWord(&v, le.Uint64(b))
	}
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	sipWord(&v, last)
	v[2] ^= 0xff
	for range 4 {
		sipRound(&v)
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

func sipWord(v *[4]uint64, word uint64) {
	v[3] ^= word
	sipRound(v)
	sipRound(v)
	v[0] ^= word
}

func sipRound(v *[4]uint64) {
	v[0] += v[1]
	v[2] += v[3]
	v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
	v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
	v[0] = bits.RotateLeft64(v[0], 32)
	v[2] += v[1]
	v[0] += v[3]
	v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
	v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
	v[2] = bits.RotateLeft64(v[2], 32)
}
