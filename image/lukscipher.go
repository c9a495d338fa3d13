package image

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
)

// cipherUnit is what sectors are counted in, whatever their size: dm-crypt does so unless
// told otherwise, and LUKS does not tell it.
const cipherUnit = 512

// A luksCipher is how sectors are encrypted, in dm-crypt's words: cipher, mode and where
// the initialisation vector comes from.
type luksCipher struct {
	xts   bool // or else CBC
	wide  bool // sectors are numbered by 64 bits, or else by the lower 32
	essiv bool // the number is encrypted by a hash of the key
}

// decodeLUKSCipher understands what a header says, as "aes-xts-plain64".
func decodeLUKSCipher(spec string) (luksCipher, error) {
	switch spec {
	case "aes-xts-plain64":
		return luksCipher{xts: true, wide: true}, nil
	case "aes-xts-plain":
		return luksCipher{xts: true}, nil
	case "aes-cbc-plain64":
		return luksCipher{wide: true}, nil
	case "aes-cbc-plain":
		return luksCipher{}, nil
	case "aes-cbc-essiv:sha256":
		return luksCipher{wide: true, essiv: true}, nil
	}
	return luksCipher{}, fmt.Errorf("cipher %q is not supported", cut(spec))
}

// cut keeps text from the disk short enough for a message.
func cut(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// fits tells whether a key may have n bytes. XTS takes two keys.
func (c luksCipher) fits(n int) bool {
	if c.xts {
		return n == 32 || n == 48 || n == 64
	}
	return n == 16 || n == 24 || n == 32
}

// A sectorCipher decrypts sectors with a key, from any number of goroutines.
type sectorCipher struct {
	luksCipher
	data cipher.Block
	iv   cipher.Block // encrypts the sector's number, nil: it is taken as it is
}

func (c luksCipher) keyed(key []byte) (*sectorCipher, error) {
	if !c.fits(len(key)) {
		return nil, fmt.Errorf("a key of %d bytes is not supported", len(key))
	}
	s := &sectorCipher{luksCipher: c}
	var err error
	if c.xts {
		if s.iv, err = aes.NewCipher(key[len(key)/2:]); err != nil {
			return nil, err
		}
		key = key[:len(key)/2]
	}
	if c.essiv {
		sum := sha256.Sum256(key)
		defer clear(sum[:])
		if s.iv, err = aes.NewCipher(sum[:]); err != nil {
			return nil, err
		}
	}
	s.data, err = aes.NewCipher(key)
	return s, err
}

// decrypt decrypts sectors of size bytes in place. The first is number first, counted in
// cipherUnit.
func (s *sectorCipher) decrypt(b []byte, size int, first uint64) {
	work := &struct { // what would be allocated for each sector
		iv     [aes.BlockSize]byte
		tweaks [cipherUnit]byte
	}{}
	for ; len(b) >= size; b = b[size:] {
		number := first
		if !s.wide {
			number = uint64(uint32(number))
		}
		clear(work.iv[:])
		le.PutUint64(work.iv[:], number)
		if s.iv != nil {
			s.iv.Encrypt(work.iv[:], work.iv[:])
		}
		if s.xts {
			s.decryptXTS(b[:size], le.Uint64(work.iv[:]), le.Uint64(work.iv[8:]), work.tweaks[:])
		} else {
			cipher.NewCBCDecrypter(s.data, work.iv[:]).CryptBlocks(b[:size], b[:size])
		}
		first += uint64(size / cipherUnit)
	}
}

// decryptXTS is XTS of IEEE 1619 from the encrypted tweak on. It makes the tweaks of as
// many blocks as tweaks has room for at once: so it is several times as fast as one that
// goes block by block.
func (s *sectorCipher) decryptXTS(b []byte, lo, hi uint64, tweaks []byte) {
	for len(b) > 0 {
		part := b[:min(len(b), len(tweaks))]
		for i := 0; i < len(part); i += aes.BlockSize {
			le.PutUint64(tweaks[i:], lo)
			le.PutUint64(tweaks[i+8:], hi)
			// Times x, modulo x^128 + x^7 + x^2 + x + 1.
			lo, hi = lo<<1^hi>>63*0x87, hi<<1|lo>>63
		}
		subtle.XORBytes(part, part, tweaks)
		for i := 0; i < len(part); i += aes.BlockSize {
			s.data.Decrypt(part[i:i+aes.BlockSize], part[i:i+aes.BlockSize])
		}
		subtle.XORBytes(part, part, tweaks)
		b = b[len(part):]
	}
}
