package layout

import "fmt"

const (
	verityVersion    = 1
	verityDescLength = 0x100 // struct fsverity_descriptor without its signature
	veritySaltMax    = 32
)

// A VerityHash names the digest of an fs-verity Merkle tree
// (FS_VERITY_HASH_ALG_*, include/uapi/linux/fsverity.h).
type VerityHash uint8

// The digests, by their number on disk.
const (
	VeritySHA256 VerityHash = 1
	VeritySHA512 VerityHash = 2
)

// String gives the name fsverity(1) uses.
func (h VerityHash) String() string {
	switch h {
	case VeritySHA256:
		return "sha256"
	case VeritySHA512:
		return "sha512"
	}
	return fmt.Sprintf("unknown digest %d", uint8(h))
}

// Size gives the digest's length in bytes, 0 for an unknown one.
func (h VerityHash) Size() int {
	switch h {
	case VeritySHA256:
		return 32
	case VeritySHA512:
		return 64
	}
	return 0
}

// A VerityDescriptor says what a file protected by fs-verity must hold: struct
// fsverity_descriptor, include/uapi/linux/fsverity.h.
//
// ext4 keeps it behind the end of such a file: the Merkle tree begins at i_size
// rounded up to 65536, the descriptor at the next block after the tree, and the
// last four bytes of the file's last mapped block hold the descriptor's length
// with its signature (fs/ext4/verity.c).
type VerityDescriptor struct {
	Version      uint8
	Hash         VerityHash
	LogBlockSize uint8  // of the Merkle tree: 12 means 4096 bytes
	DataSize     uint64 // of the file, in bytes
	RootHash     []byte // as long as the digest; all 64 bytes for an unknown one
	Salt         []byte // up to 32 bytes
	Signature    []byte // PKCS#7 in DER, or none
}

// DecodeVerityDescriptor decodes a descriptor. The first byte of b lies at byte
// off of the file system. Hashes, salt and signature are slices of b. The error,
// if any, is a *CorruptError.
func DecodeVerityDescriptor(b []byte, off int64) (VerityDescriptor, error) {
	bad := func(field string, at int64, value uint64) (VerityDescriptor, error) {
		return VerityDescriptor{}, &CorruptError{"verity descriptor", field, off + at, value}
	}
	if len(b) < verityDescLength {
		return bad("length", 0, uint64(len(b)))
	}
	d := VerityDescriptor{
		Version:      b[0x0],             // version
		Hash:         VerityHash(b[0x1]), // hash_algorithm
		LogBlockSize: b[0x2],             // log_blocksize
		DataSize:     le.Uint64(b[0x8:]), // data_size
		RootHash:     b[0x10:0x50:0x50],  // root_hash
	}
	saltSize := int(b[0x3])       // salt_size
	sigSize := le.Uint32(b[0x4:]) // sig_size
	switch {
	case d.Version != verityVersion:
		return bad("version", 0x0, uint64(d.Version))
	case saltSize > veritySaltMax:
		return bad("salt_size", 0x3, uint64(saltSize))
	case uint64(sigSize) > uint64(len(b)-verityDescLength):
		return bad("sig_size", 0x4, uint64(sigSize))
	}
	if n := d.Hash.Size(); n != 0 {
		d.RootHash = d.RootHash[:n:n]
	}
	d.Salt = b[0x50 : 0x50+saltSize : 0x50+saltSize] // salt
	d.Signature = b[verityDescLength:][:sigSize:sigSize]
	return d, nil
}
