package image

import (
	"errors"
	"fmt"
)

const (
	luksMagic   = "LUKS\xba\xbe"
	luksMagic2  = "SKUL\xba\xbe" // of LUKS2's second header
	luks1Len    = 592            // struct luks_phdr without padding
	luks1Slots  = 8
	luks1Active = 0x00ac71f3
	luks1Dead   = 0x0000dead
)

// errDetached is a header whose data lie elsewhere.
var errDetached = errors.New("a detached header, whose data are elsewhere: not supported")

// decodeLUKS1 decodes the header of a volume of size bytes: struct luks_phdr of cryptsetup,
// the on-disk format specification 1.2.
func decodeLUKS1(b []byte, size int64) (*luksHeader, error) {
	if len(b) < luks1Len {
		return nil, fmt.Errorf("a header of %d bytes, want %d", len(b), luks1Len)
	}
	hashSpec := cstring(b[0x48:0x68]) // hashSpec
	h := &luksHeader{
		at:     int64(be.Uint32(b[0x68:])) * cipherUnit, // payloadOffset
		size:   size,
		sector: cipherUnit,
	}
	if h.at == 0 {
		return nil, errDetached
	}
	var err error
	h.cipher, err = decodeLUKSCipher(cstring(b[0x8:0x28]) + "-" + cstring(b[0x28:0x48])) // cipherName, cipherMode
	if err != nil {
		return nil, err
	}
	keyLen := int(be.Uint32(b[0x6c:])) // keyBytes
	if !h.cipher.fits(keyLen) {
		return nil, fmt.Errorf("a key of %d bytes is not supported", keyLen)
	}
	if _, err := luksHash(hashSpec); err != nil {
		return nil, err
	}
	digest := luksDigest{
		Hash:       hashSpec,
		Digest:     b[0x70:0x84],                   // mkDigest
		Salt:       b[0x84:0xa4],                   // mkDigestSalt
		Iterations: int64(be.Uint32(b[0xa4:0xa8])), // mkDigestIterations
	}
	for i := range luks1Slots {
		k := b[0xd0+i*0x30:][:0x30]
		s := luksSlot{
			name: fmt.Sprint(i),
			kdf: luksKDF{
				Type: "pbkdf2", Hash: hashSpec,
				Iterations: int64(be.Uint32(k[0x4:])), // passwordIterations
				Salt:       k[0x8:0x28],               // passwordSalt
			},
			cipher: h.cipher, areaKey: keyLen, keyLen: keyLen, hash: hashSpec,
			at:      int64(be.Uint32(k[0x28:])) * cipherUnit, // keyMaterialOffset
			stripes: int(be.Uint32(k[0x2c:])),                // stripes
			digests: []luksDigest{digest},
		}
		switch state := be.Uint32(k[0x0:]); state { // active
		case luks1Dead:
			continue
		case luks1Active:
			if err = s.check(size); err == nil {
				h.slots = append(h.slots, s)
				continue
			}
		default:
			err = fmt.Errorf("state %#x at byte %d cannot be", state, 0xd0+i*0x30)
		}
		h.skipped = append(h.skipped, fmt.Sprintf("key slot %d: %v", i, err))
	}
	return h, nil
}
