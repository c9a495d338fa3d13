package layout

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// A FscryptMode names a cipher (FSCRYPT_MODE_*, include/uapi/linux/fscrypt.h).
type FscryptMode uint8

var fscryptModes = map[FscryptMode]string{
	1: "AES-256-XTS", 2: "AES-256-GCM", 3: "AES-256-CBC", 4: "AES-256-CTS-CBC",
	5: "AES-128-CBC-ESSIV", 6: "AES-128-CTS-CBC", 7: "SM4-XTS", 8: "SM4-CTS-CBC",
	9: "Adiantum", 10: "AES-256-HCTR2",
}

// String gives the cipher's name. 7 and 8 were Speck in kernel 4.18 and 4.19.
func (m FscryptMode) String() string {
	if name, ok := fscryptModes[m]; ok {
		return name
	}
	return fmt.Sprintf("unknown mode %d", uint8(m))
}

// FscryptFlags say how names are padded and keys derived (FSCRYPT_POLICY_FLAG*).
type FscryptFlags uint8

// The flags. The two lowest bits, FscryptPadMask, are a number.
const (
	FscryptPadMask     FscryptFlags = 0x03
	FscryptDirectKey   FscryptFlags = 0x04
	FscryptIVInoLblk64 FscryptFlags = 0x08
	FscryptIVInoLblk32 FscryptFlags = 0x10
)

// Padding gives what the length of names is rounded up to, in bytes.
func (f FscryptFlags) Padding() int { return 4 << (f & FscryptPadMask) }

// String gives the padding and the names of the flags.
func (f FscryptFlags) String() string {
	parts := []string{fmt.Sprintf("pad %d", f.Padding())}
	rest := f &^ FscryptPadMask
	for _, n := range [...]struct {
		bit  FscryptFlags
		name string
	}{
		{FscryptDirectKey, "direct key"},
		{FscryptIVInoLblk64, "iv_ino_lblk_64"},
		{FscryptIVInoLblk32, "iv_ino_lblk_32"},
	} {
		if rest&n.bit != 0 {
			parts = append(parts, n.name)
			rest &^= n.bit
		}
	}
	if rest != 0 {
		parts = append(parts, fmt.Sprintf("%#x", uint8(rest)))
	}
	return strings.Join(parts, ", ")
}

// A FscryptContext is the encryption policy of one inode: the value of its
// xattr with index 9 and name "c" (union fscrypt_context,
// fs/crypto/fscrypt_private.h). Holding it, one holds no key.
type FscryptContext struct {
	Version         uint8 // 1 or 2
	Contents        FscryptMode
	Filenames       FscryptMode
	Flags           FscryptFlags
	LogDataUnitSize uint8  // version 2; 0 means the block size
	Key             []byte // version 1: master_key_descriptor, 8 bytes; 2: master_key_identifier, 16
	Nonce           []byte // 16 bytes, this inode's own
}

const (
	fscryptV1Length = 28 // struct fscrypt_context_v1
	fscryptV2Length = 40 // struct fscrypt_context_v2
)

// DecodeFscryptContext decodes an encryption context. Key and Nonce are slices
// of b. The error, if any, is a *CorruptError with an offset from the start of b.
func DecodeFscryptContext(b []byte) (FscryptContext, error) {
	bad := func(field string, value uint64) (FscryptContext, error) {
		return FscryptContext{}, &CorruptError{"encryption context", field, 0, value}
	}
	if len(b) < 4 {
		return bad("length", uint64(len(b)))
	}
	c := FscryptContext{
		Version:   b[0x0],               // version
		Contents:  FscryptMode(b[0x1]),  // contents_encryption_mode
		Filenames: FscryptMode(b[0x2]),  // filenames_encryption_mode
		Flags:     FscryptFlags(b[0x3]), // flags
	}
	switch {
	case c.Version == 1 && len(b) == fscryptV1Length:
		c.Key = b[0x4:0xc:0xc]     // master_key_descriptor
		c.Nonce = b[0xc:0x1c:0x1c] // nonce
	case c.Version == 2 && len(b) == fscryptV2Length:
		c.LogDataUnitSize = b[0x4]  // log2_data_unit_size
		c.Key = b[0x8:0x18:0x18]    // master_key_identifier
		c.Nonce = b[0x18:0x28:0x28] // nonce
	case c.Version == 1 || c.Version == 2:
		return bad("length", uint64(len(b)))
	default:
		return bad("version", uint64(c.Version))
	}
	return c, nil
}

// String gives the policy on one line, the nonce left out.
func (c FscryptContext) String() string {
	key := "descriptor"
	if c.Version == 2 {
		key = "identifier"
	}
	s := fmt.Sprintf("v%d, contents %s, names %s, %s, key %s %s",
		c.Version, c.Contents, c.Filenames, c.Flags, key, hex.EncodeToString(c.Key))
	if c.LogDataUnitSize != 0 {
		s += fmt.Sprintf(", data unit 2^%d", c.LogDataUnitSize)
	}
	return s
}
