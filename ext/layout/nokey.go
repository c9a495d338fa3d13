package layout

import (
	"crypto/sha256"
	"encoding/base64"
)

const (
	noKeyBytes   = 149 // bytes of struct fscrypt_nokey_name
	noKeyMinimum = 16  // FSCRYPT_FNAME_MIN_MSG_LEN: no cipher gives shorter names
)

// A NoKeyRule says which hash the kernel writes into the no-key names of a
// directory, as ext4_readdir and htree_dirblock_to_tree choose it (fs/ext4/dir.c
// and namei.c; seen on Linux 6.18, but for casefolded directories).
type NoKeyRule struct {
	// Casefolded: the directory has the casefold flag. Being encrypted too, it
	// stores the hash of each name behind it.
	Casefolded bool
	// Indexed: the kernel reads the directory in hash order. That takes the
	// dir_index feature, and either the index flag on the directory or a size
	// of exactly one block. An encrypted directory is never inline.
	Indexed bool
	// HashVersion comes from the index if the index flag is set, else it is
	// s_def_hash_version. Unsigned must have been applied.
	HashVersion HashVersion
	Seed        [4]uint32 // s_hash_seed
}

// NoKeyHash gives the two words that go in front of a no-key name. name is the
// ciphertext; stored are the two words behind it in a casefolded directory's
// entry (struct ext4_dir_entry_hash). They are 0 where no hash was at hand, that
// is in a directory of several blocks without index and in any directory of a
// file system without dir_index. (Linux 5.13 to 6.10 put there the eight bytes
// that happen to follow the name.)
func NoKeyHash(r NoKeyRule, name []byte, stored [2]uint32) (hash, minor uint32) {
	switch {
	case r.Casefolded:
		return stored[0], stored[1]
	case r.Indexed:
		return DirHash(r.HashVersion, r.Seed, name)
	}
	return 0, 0
}

// NoKeyName spells an encrypted name as a kernel without the key lists it:
// struct fscrypt_nokey_name, fs/crypto/fname.c, in base64url without padding.
// hash and minor come from NoKeyHash; what exceeds 149 bytes of the ciphertext
// goes in as its SHA-256. It is nil for a ciphertext shorter than 16 bytes,
// which no cipher makes and the kernel won't list.
func NoKeyName(hash, minor uint32, ciphertext []byte) []byte {
	if len(ciphertext) < noKeyMinimum {
		return nil
	}
	raw := make([]byte, 0, 8+noKeyBytes+sha256.Size)
	raw = le.AppendUint32(raw, hash)                                    // dirhash[0]
	raw = le.AppendUint32(raw, minor)                                   // dirhash[1]
	raw = append(raw, ciphertext[:min(len(ciphertext), noKeyBytes)]...) // bytes
	if len(ciphertext) > noKeyBytes {
		sum := sha256.Sum256(ciphertext[noKeyBytes:])
		raw = append(raw, sum[:]...) // sha256
	}
	return base64.RawURLEncoding.AppendEncode(nil, raw)
}

// EncryptedSymlinkTarget gives the ciphertext of an encrypted symlink's target
// from the link's content: struct fscrypt_symlink_data, fs/crypto/hooks.c, a
// 16-bit length and that many bytes. Without the key it reads as
// NoKeyName(0, 0, ciphertext). ok is false if the length is wrong.
func EncryptedSymlinkTarget(b []byte) (ciphertext []byte, ok bool) {
	if len(b) < 2 {
		return nil, false
	}
	n := int(le.Uint16(b[0x0:])) // len
	if n == 0 || n > len(b)-2 {
		return nil, false
	}
	return b[2 : 2+n : 2+n], true // encrypted_path
}
