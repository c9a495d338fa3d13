package layout

import "math/bits"

// XattrEntryHash computes e_hash from a name without prefix and its value:
// ext4_xattr_hash_entry, fs/ext4/xattr.c. Where the value lies in an inode, the
// four little-endian bytes of XattrValueHash take its place. Entries in an
// inode's body have 0 instead, unless their value lies in an inode.
func XattrEntryHash(name, value []byte) uint32 {
	return xattrEntryHash(name, value, false)
}

// XattrEntryHashSigned is XattrEntryHash as kernels before 6.2 computed it on
// machines with signed chars. It differs for names with bytes above 0x7f, and
// both are accepted.
func XattrEntryHashSigned(name, value []byte) uint32 {
	return xattrEntryHash(name, value, true)
}

func xattrEntryHash(name, value []byte, signed bool) uint32 {
	var hash uint32
	for _, c := range name {
		hash = bits.RotateLeft32(hash, 5) ^ charValue(c, signed)
	}
	// The value counts in words, filled up with zeros as on disk.
	for ; len(value) > 0; value = value[min(4, len(value)):] {
		var word [4]byte
		copy(word[:], value)
		hash = bits.RotateLeft32(hash, 16) ^ le.Uint32(word[:])
	}
	return hash
}

// XattrBlockHash computes h_hash from the entries of a block in their order:
// ext4_xattr_rehash, fs/ext4/xattr.c. One entry without hash makes it 0.
func XattrBlockHash(entries []XattrEntry) uint32 {
	var hash uint32
	for _, e := range entries {
		if e.Hash == 0 {
			return 0
		}
		hash = bits.RotateLeft32(hash, 16) ^ e.Hash
	}
	return hash
}

// XattrValueHash computes the hash of a value kept in an inode of its own,
// which that inode holds in i_atime (ext4_xattr_inode_hash). seed is the file
// system's checksum seed.
func XattrValueHash(seed uint32, value []byte) uint32 {
	return CRC32C(seed, value)
}
