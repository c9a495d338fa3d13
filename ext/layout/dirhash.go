package layout

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// A HashVersion names the function that orders the names of an indexed
// directory: dx_root_info.hash_version and s_def_hash_version (DX_HASH_*,
// fs/ext4/ext4.h).
//
// On disk only Legacy, HalfMD4, TEA and SipHash occur. The first three hash
// the bytes of a name as C chars, whose signedness depended on the machine;
// the superblock's s_flags say which was meant, and Unsigned applies it.
type HashVersion uint8

// The hash versions, by their number on disk.
const (
	HashLegacy          HashVersion = 0
	HashHalfMD4         HashVersion = 1
	HashTEA             HashVersion = 2
	HashLegacyUnsigned  HashVersion = 3
	HashHalfMD4Unsigned HashVersion = 4
	HashTEAUnsigned     HashVersion = 5
	HashSipHash         HashVersion = 6 // keyed, for casefolded encrypted directories
)

var hashNames = [...]string{
	"legacy", "half_md4", "tea",
	"legacy_unsigned", "half_md4_unsigned", "tea_unsigned", "siphash",
}

// String gives the name tune2fs uses.
func (v HashVersion) String() string {
	if int(v) < len(hashNames) {
		return hashNames[v]
	}
	return fmt.Sprintf("unknown hash %d", uint8(v))
}

// Known reports whether v is a version DirHash or SipDirHash computes.
func (v HashVersion) Known() bool { return int(v) < len(hashNames) }

// Unsigned gives the version to hash with where the superblock says that chars
// are unsigned (EXT2_FLAGS_UNSIGNED_HASH in s_flags).
func (v HashVersion) Unsigned() HashVersion {
	if v <= HashTEA {
		return v + HashLegacyUnsigned
	}
	return v
}

// htreeEOF is the hash no name may have: it marks the end of a directory
// (EXT4_HTREE_EOF_32BIT shifted into place, fs/ext4/ext4.h).
const htreeEOF = 0x7fffffff << 1

// closeHash clears the bit that the index uses as its collision mark and steps
// aside from the end mark.
func closeHash(hash uint32) uint32 {
	hash &^= 1
	if hash == htreeEOF {
		hash -= 2
	}
	return hash
}

// DirHash hashes a name as an indexed directory orders it: ext4fs_dirhash,
// fs/ext4/hash.c. The seed is s_hash_seed, read as four little-endian words;
// all zeros stand for the built-in seed. In a casefolded directory the name
// must be folded first. The minor hash, 0 for the legacy versions, is not
// stored in the index; seek positions and no-key names use it.
//
// SipHash needs a key, see SipDirHash: it and unknown versions give zeros.
func DirHash(v HashVersion, seed [4]uint32, name []byte) (hash, minor uint32) {
	state := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	if seed != [4]uint32{} {
		state = seed
	}
	switch v {
	case HashLegacy, HashLegacyUnsigned:
		hash = legacyHash(name, v == HashLegacy)
	case HashHalfMD4, HashHalfMD4Unsigned:
		var in [8]uint32
		for ; len(name) > 0; name = name[min(32, len(name)):] {
			hashWords(in[:], name, v == HashHalfMD4)
			halfMD4(&state, &in)
		}
		hash, minor = state[1], state[2]
	case HashTEA, HashTEAUnsigned:
		var in [4]uint32
		for ; len(name) > 0; name = name[min(16, len(name)):] {
			hashWords(in[:], name, v == HashTEA)
			tea(&state, &in)
		}
		hash, minor = state[0], state[1]
	default:
		return 0, 0
	}
	return closeHash(hash), minor
}

// charValue widens a byte as a C char of the given signedness does.
func charValue(c byte, signed bool) uint32 {
	if signed {
		return uint32(int32(int8(c)))
	}
	return uint32(c)
}

// hashWords fills words from the front of name, four bytes a word, first byte
// highest. What the name does not fill holds its remaining length in all four
// bytes. A negative char borrows from the bytes above it, as the sum in C did.
func hashWords(words []uint32, name []byte, signed bool) {
	pad := uint32(len(name)) | uint32(len(name))<<8
	pad |= pad << 16
	for i := range words {
		if i*4+4 <= len(name) {
			w := binary.BigEndian.Uint32(name[i*4:])
			if !signed || w&0x80808080 == 0 {
				words[i] = w
				continue
			}
		}
		words[i] = pad
		for j := i * 4; j < min(i*4+4, len(name)); j++ {
			words[i] = words[i]<<8 + charValue(name[j], signed)
		}
	}
}

// legacyHash is the hash of the first htree releases (dx_hack_hash).
func legacyHash(name []byte, signed bool) uint32 {
	newer, older := uint32(0x12a3fe2d), uint32(0x37abe8f9)
	for _, c := range name {
		h := older + (newer ^ charValue(c, signed)*7152373)
		if h&0x80000000 != 0 {
			h -= 0x7fffffff
		}
		newer, older = h, newer
	}
	return newer << 1
}

// tea runs sixteen rounds of the Tiny Encryption Algorithm, the name being the
// key and half of the state the text.
func tea(state, key *[4]uint32) {
	const delta = 0x9e3779b9
	x, y := state[0], state[1]
	for sum, round := uint32(0), 0; round < 16; round++ {
		sum += delta
		x += (y<<4 + key[0]) ^ (y + sum) ^ (y>>5 + key[1])
		y += (x<<4 + key[2]) ^ (x + sum) ^ (x>>5 + key[3])
	}
	state[0] += x
	state[1] += y
}

// halfMD4 is MD4 cut down to eight words and eight steps a round
// (half_md4_transform). It runs once for each name of a file system: the steps are
// written out, and what the step before gave comes into each as late as can be.
func halfMD4(state *[4]uint32, in *[8]uint32) {
	const add2, add3 = 0x5a827999, 0x6ed9eba1
	a, b, c, d := state[0], state[1], state[2], state[3]
	a = bits.RotateLeft32(a+in[0]+(d^b&(c^d)), 3)
	d = bits.RotateLeft32(d+in[1]+(c^a&(b^c)), 7)
	c = bits.RotateLeft32(c+in[2]+(b^d&(a^b)), 11)
	b = bits.RotateLeft32(b+in[3]+(a^c&(d^a)), 19)
	a = bits.RotateLeft32(a+in[4]+(d^b&(c^d)), 3)
	d = bits.RotateLeft32(d+in[5]+(c^a&(b^c)), 7)
	c = bits.RotateLeft32(c+in[6]+(b^d&(a^b)), 11)
	b = bits.RotateLeft32(b+in[7]+(a^c&(d^a)), 19)

	a = bits.RotateLeft32(a+in[1]+add2+c&d+b&(c^d), 3)
	d = bits.RotateLeft32(d+in[3]+add2+b&c+a&(b^c), 5)
	c = bits.RotateLeft32(c+in[5]+add2+a&b+d&(a^b), 9)
	b = bits.RotateLeft32(b+in[7]+add2+d&a+c&(d^a), 13)
	a = bits.RotateLeft32(a+in[0]+add2+c&d+b&(c^d), 3)
	d = bits.RotateLeft32(d+in[2]+add2+b&c+a&(b^c), 5)
	c = bits.RotateLeft32(c+in[4]+add2+a&b+d&(a^b), 9)
	b = bits.RotateLeft32(b+in[6]+add2+d&a+c&(d^a), 13)

	a = bits.RotateLeft32(a+in[3]+add3+(b^(c^d)), 3)
	d = bits.RotateLeft32(d+in[7]+add3+(a^(b^c)), 9)
	c = bits.RotateLeft32(c+in[2]+add3+(d^(a^b)), 11)
	b = bits.RotateLeft32(b+in[6]+add3+(c^(d^a)), 15)
	a = bits.RotateLeft32(a+in[1]+add3+(b^(c^d)), 3)
	d = bits.RotateLeft32(d+in[5]+add3+(a^(b^c)), 9)
	c = bits.RotateLeft32(c+in[0]+add3+(d^(a^b)), 11)
	b = bits.RotateLeft32(b+in[4]+add3+(c^(d^a)), 15)
	state[0] += a
	state[1] += b
	state[2] += c
	state[3] += d
}
