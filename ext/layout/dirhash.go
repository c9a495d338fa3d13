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
	state := hashState(seed)
	switch v {
	case HashLegacy, HashLegacyUnsigned:
		hash = legacyHash(name, v == HashLegacy)
	case HashHalfMD4, HashHalfMD4Unsigned:
		both := [2][4]uint32{state} // of the other nothing is asked
		var in [2][8]uint32
		for ; len(name) > 0; name = name[min(32, len(name)):] {
			hashWords(in[0][:], name, v == HashHalfMD4)
			halfMD4(&both, &in)
		}
		hash, minor = both[0][1], both[0][2]
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

// AppendDirHashes appends the hash of each name to list, as DirHash gives it.
func AppendDirHashes(list []uint32, v HashVersion, seed [4]uint32, names [][]byte) []uint32 {
	if v == HashHalfMD4 || v == HashHalfMD4Unsigned {
		state := hashState(seed)
		var in [2][8]uint32
		for len(names) > 1 && fitsOne(names[0]) && fitsOne(names[1]) {
			hashWords(in[0][:], names[0], v == HashHalfMD4)
			hashWords(in[1][:], names[1], v == HashHalfMD4)
			both := [2][4]uint32{state, state}
			halfMD4(&both, &in)
			list, names = append(list, closeHash(both[0][1]), closeHash(both[1][1])), names[2:]
		}
	}
	for _, name := range names {
		hash, _ := DirHash(v, seed, name)
		list = append(list, hash)
	}
	return list
}

// fitsOne reports whether a name takes one round of halfMD4.
func fitsOne(name []byte) bool { return len(name) > 0 && len(name) <= 32 }

// hashState is what hashing begins with.
func hashState(seed [4]uint32) [4]uint32 {
	if seed == [4]uint32{} {
		return [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	}
	return seed
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
	for len(words) > 0 && len(name) >= 4 {
		w := binary.BigEndian.Uint32(name)
		if signed && w&0x80808080 != 0 {
			w = hashWord(pad, name[:4], true)
		}
		words[0] = w
		words, name = words[1:], name[4:]
	}
	for i := range words {
		words[i] = pad
	}
	if len(words) > 0 && len(name) > 0 {
		words[0] = hashWord(pad, name, signed)
	}
}

// hashWord shifts the bytes of a name into a word.
func hashWord(word uint32, name []byte, signed bool) uint32 {
	for _, c := range name {
		word = word<<8 + charValue(c, signed)
	}
	return word
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
// (half_md4_transform), of two names at once: the steps of one fill the time in which those
// of the other wait for each other. It runs for each name of a file system: they are
// written out, and what the step before gave comes into each as late as can be.
func halfMD4(state *[2][4]uint32, in *[2][8]uint32) {
	const add2, add3 = 0x5a827999, 0x6ed9eba1
	a, b, c, d := state[0][0], state[0][1], state[0][2], state[0][3]
	e, f, g, h := state[1][0], state[1][1], state[1][2], state[1][3]
	a = bits.RotateLeft32(a+in[0][0]+(d^b&(c^d)), 3)
	e = bits.RotateLeft32(e+in[1][0]+(h^f&(g^h)), 3)
	d = bits.RotateLeft32(d+in[0][1]+(c^a&(b^c)), 7)
	h = bits.RotateLeft32(h+in[1][1]+(g^e&(f^g)), 7)
	c = bits.RotateLeft32(c+in[0][2]+(b^d&(a^b)), 11)
	g = bits.RotateLeft32(g+in[1][2]+(f^h&(e^f)), 11)
	b = bits.RotateLeft32(b+in[0][3]+(a^c&(d^a)), 19)
	f = bits.RotateLeft32(f+in[1][3]+(e^g&(h^e)), 19)
	a = bits.RotateLeft32(a+in[0][4]+(d^b&(c^d)), 3)
	e = bits.RotateLeft32(e+in[1][4]+(h^f&(g^h)), 3)
	d = bits.RotateLeft32(d+in[0][5]+(c^a&(b^c)), 7)
	h = bits.RotateLeft32(h+in[1][5]+(g^e&(f^g)), 7)
	c = bits.RotateLeft32(c+in[0][6]+(b^d&(a^b)), 11)
	g = bits.RotateLeft32(g+in[1][6]+(f^h&(e^f)), 11)
	b = bits.RotateLeft32(b+in[0][7]+(a^c&(d^a)), 19)
	f = bits.RotateLeft32(f+in[1][7]+(e^g&(h^e)), 19)

	a = bits.RotateLeft32(a+in[0][1]+add2+c&d+b&(c^d), 3)
	e = bits.RotateLeft32(e+in[1][1]+add2+g&h+f&(g^h), 3)
	d = bits.RotateLeft32(d+in[0][3]+add2+b&c+a&(b^c), 5)
	h = bits.RotateLeft32(h+in[1][3]+add2+f&g+e&(f^g), 5)
	c = bits.RotateLeft32(c+in[0][5]+add2+a&b+d&(a^b), 9)
	g = bits.RotateLeft32(g+in[1][5]+add2+e&f+h&(e^f), 9)
	b = bits.RotateLeft32(b+in[0][7]+add2+d&a+c&(d^a), 13)
	f = bits.RotateLeft32(f+in[1][7]+add2+h&e+g&(h^e), 13)
	a = bits.RotateLeft32(a+in[0][0]+add2+c&d+b&(c^d), 3)
	e = bits.RotateLeft32(e+in[1][0]+add2+g&h+f&(g^h), 3)
	d = bits.RotateLeft32(d+in[0][2]+add2+b&c+a&(b^c), 5)
	h = bits.RotateLeft32(h+in[1][2]+add2+f&g+e&(f^g), 5)
	c = bits.RotateLeft32(c+in[0][4]+add2+a&b+d&(a^b), 9)
	g = bits.RotateLeft32(g+in[1][4]+add2+e&f+h&(e^f), 9)
	b = bits.RotateLeft32(b+in[0][6]+add2+d&a+c&(d^a), 13)
	f = bits.RotateLeft32(f+in[1][6]+add2+h&e+g&(h^e), 13)

	a = bits.RotateLeft32(a+in[0][3]+add3+(b^(c^d)), 3)
	e = bits.RotateLeft32(e+in[1][3]+add3+(f^(g^h)), 3)
	d = bits.RotateLeft32(d+in[0][7]+add3+(a^(b^c)), 9)
	h = bits.RotateLeft32(h+in[1][7]+add3+(e^(f^g)), 9)
	c = bits.RotateLeft32(c+in[0][2]+add3+(d^(a^b)), 11)
	g = bits.RotateLeft32(g+in[1][2]+add3+(h^(e^f)), 11)
	b = bits.RotateLeft32(b+in[0][6]+add3+(c^(d^a)), 15)
	f = bits.RotateLeft32(f+in[1][6]+add3+(g^(h^e)), 15)
	a = bits.RotateLeft32(a+in[0][1]+add3+(b^(c^d)), 3)
	e = bits.RotateLeft32(e+in[1][1]+add3+(f^(g^h)), 3)
	d = bits.RotateLeft32(d+in[0][5]+add3+(a^(b^c)), 9)
	h = bits.RotateLeft32(h+in[1][5]+add3+(e^(f^g)), 9)
	c = bits.RotateLeft32(c+in[0][0]+add3+(d^(a^b)), 11)
	g = bits.RotateLeft32(g+in[1][0]+add3+(h^(e^f)), 11)
	b = bits.RotateLeft32(b+in[0][4]+add3+(c^(d^a)), 15)
	f = bits.RotateLeft32(f+in[1][4]+add3+(g^(h^e)), 15)
	state[0][0] += a
	state[0][1] += b
	state[0][2] += c
	state[0][3] += d
	state[1][0] += e
	state[1][1] += f
	state[1][2] += g
	state[1][3] += h
}
