package image

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/ripemd160" //lint:ignore SA1019 what headers name is what has to be computed
)

const (
	// maxPBKDF2 bounds the blocks times iterations that all key slots of a volume may
	// ask for: minutes. cryptsetup asks for seconds of them.
	maxPBKDF2 = 1 << 29
	// maxPasses bounds what Argon2 may fill for all key slots of a volume, in times the
	// memory that one may take.
	maxPasses = 128
	// maxKeyMaterial is the longest area of a key slot that cryptsetup knows of.
	maxKeyMaterial = 16 << 20
	maxKDFThreads  = 4 // as cryptsetup
)

// A luksSlot is a key slot: the volume key, split and encrypted by a key that is derived
// from a passphrase.
type luksSlot struct {
	name     string
	kdf      luksKDF
	cipher   luksCipher
	areaKey  int // bytes of the derived key
	at       int64
	keyLen   int    // bytes of the volume key
	stripes  int    // that it is split into
	hash     string // that diffuses them
	digests  []luksDigest
	priority int
}

// A luksKDF is how a key is derived from a passphrase.
type luksKDF struct {
	Type       string `json:"type"` // "pbkdf2", "argon2i" or "argon2id"
	Hash       string `json:"hash"`
	Iterations int64  `json:"iterations"`
	Time       int64  `json:"time"`   // passes
	Memory     int64  `json:"memory"` // KiB
	CPUs       int64  `json:"cpus"`
	Salt       []byte `json:"salt"`
}

// A luksDigest tells whether a volume key is the right one.
type luksDigest struct {
	Type       string     `json:"type"` // "pbkdf2"
	Keyslots   [32]string `json:"keyslots"`
	Segments   [32]string `json:"segments"`
	Hash       string     `json:"hash"`
	Iterations int64      `json:"iterations"`
	Salt       []byte     `json:"salt"`
	Digest     []byte     `json:"digest"`
}

// luksHash is a hash by the name that headers give it.
func luksHash(name string) (func() hash.Hash, error) {
	switch strings.ToLower(name) {
	case "sha1":
		return sha1.New, nil
	case "sha224":
		return sha256.New224, nil
	case "sha256":
		return sha256.New, nil
	case "sha384":
		return sha512.New384, nil
	case "sha512":
		return sha512.New, nil
	case "ripemd160":
		return ripemd160.New, nil
	}
	return nil, fmt.Errorf("hash %q is not supported", cut(name))
}

// A kdfBudget is what may still be spent on key slots: a header may ask for anything.
type kdfBudget struct {
	memory int64 // bytes at once
	pbkdf2 int64 // blocks times iterations
	argon2 int64 // bytes times passes
}

func newKDFBudget(memory int64) *kdfBudget {
	if memory == 0 {
		memory = DefaultKDFMemory
	}
	memory = min(memory, MaxKDFMemory)
	return &kdfBudget{memory: memory, pbkdf2: maxPBKDF2, argon2: maxPasses * memory}
}

// derive derives a key of n bytes.
func (k *luksKDF) derive(pass []byte, n int, budget *kdfBudget) ([]byte, error) {
	switch k.Type {
	case "pbkdf2":
		return pbkdf2Key(k.Hash, pass, k.Salt, k.Iterations, n, budget)
	case "argon2i", "argon2id":
	default:
		return nil, fmt.Errorf("key derivation %q is not supported", cut(k.Type))
	}
	switch {
	case k.Time < 1 || k.Memory < 8*k.CPUs || k.CPUs < 1 || k.CPUs > maxKDFThreads:
		return nil, fmt.Errorf("%s of %d passes, %d KiB and %d threads cannot be", k.Type, k.Time, k.Memory, k.CPUs)
	case k.Memory > budget.memory>>10:
		return nil, fmt.Errorf("%s asks for %d MiB of memory, and %d MiB are allowed", k.Type, k.Memory>>10, budget.memory>>20)
	case k.Time > budget.argon2/(k.Memory<<10):
		return nil, fmt.Errorf("%s asks for %d passes over %d MiB of memory: too much work", k.Type, k.Time, k.Memory>>10)
	}
	budget.argon2 -= k.Time * k.Memory << 10
	do := argon2.Key
	if k.Type == "argon2id" {
		do = argon2.IDKey
	}
	return do(pass, k.Salt, uint32(k.Time), uint32(k.Memory), uint8(k.CPUs), uint32(n)), nil
}

func pbkdf2Key(name string, pass, salt []byte, iterations int64, n int, budget *kdfBudget) ([]byte, error) {
	h, err := luksHash(name)
	if err != nil {
		return nil, err
	}
	size := h().Size()
	blocks := int64((n + size - 1) / size)
	switch {
	case iterations < 1:
		return nil, fmt.Errorf("pbkdf2 of %d iterations cannot be", iterations)
	case iterations > budget.pbkdf2/blocks:
		return nil, fmt.Errorf("pbkdf2 asks for %d iterations: too much work", iterations)
	}
	budget.pbkdf2 -= iterations * blocks
	return pbkdf2.Key(h, string(pass), salt, int(iterations), n)
}

// unlock finds the volume key, by the first of the slots that gives one whose digest is
// right.
func (h *luksHeader) unlock(r io.ReaderAt, pass []byte, budget *kdfBudget) ([]byte, error) {
	failed := &KeyError{Skipped: h.skipped}
	for i := range h.slots {
		s := &h.slots[i]
		key, err := s.key(r, pass, budget)
		if err != nil {
			failed.Skipped = append(failed.Skipped, fmt.Sprintf("key slot %s: %v", s.name, err))
			continue
		}
		if key != nil {
			return key, nil
		}
		failed.Tried++
	}
	if failed.Tried == 0 {
		return nil, fmt.Errorf("no key slot can be used: %s", strings.Join(failed.Skipped, "; "))
	}
	return nil, failed
}

// key is the volume key by this slot, nil if the passphrase is not its own.
func (s *luksSlot) key(r io.ReaderAt, pass []byte, budget *kdfBudget) ([]byte, error) {
	diffuser, err := luksHash(s.hash)
	if err != nil {
		return nil, err
	}
	n := s.keyLen * s.stripes
	material, err := fetchAll(r, s.at, n+(cipherUnit-n%cipherUnit)%cipherUnit)
	if err != nil {
		return nil, err
	}
	defer clear(material)
	derived, err := s.kdf.derive(pass, s.areaKey, budget)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	c, err := s.cipher.keyed(derived)
	if err != nil {
		return nil, err
	}
	c.decrypt(material, cipherUnit, 0)
	key := afMerge(material, s.keyLen, s.stripes, diffuser())
	for i := range s.digests {
		if ok, err := s.digests[i].verify(key, budget); err != nil || ok {
			return key, err
		}
	}
	clear(key)
	return nil, nil
}

func (d *luksDigest) verify(key []byte, budget *kdfBudget) (bool, error) {
	sum, err := pbkdf2Key(d.Hash, key, d.Salt, d.Iterations, len(d.Digest), budget)
	if err != nil {
		return false, fmt.Errorf("digest: %w", err)
	}
	return subtle.ConstantTimeCompare(sum, d.Digest) == 1, nil
}

// check refuses a slot whose numbers cannot be right, before it is tried. size is that of
// the volume.
func (s *luksSlot) check(size int64) error {
	switch {
	case !s.cipher.fits(s.areaKey):
		return fmt.Errorf("a key of %d bytes is not supported", s.areaKey)
	case s.stripes < 1 || s.stripes > maxKeyMaterial/s.keyLen:
		return fmt.Errorf("%d stripes cannot be", s.stripes)
	case s.at < cipherUnit || s.at > size || int64(s.stripes*s.keyLen) > size-s.at:
		return fmt.Errorf("its area at byte %d is not in the volume", s.at)
	case len(s.digests) == 0:
		return fmt.Errorf("no digest is for it")
	}
	return nil
}

// afMerge puts a key together that was split, so that all of it is needed, by LUKS' anti-
// forensic splitter.
func afMerge(material []byte, keyLen, stripes int, h hash.Hash) []byte {
	key := make([]byte, keyLen)
	for i := range stripes {
		if i > 0 {
			afDiffuse(key, h)
		}
		subtle.XORBytes(key, key, material[i*keyLen:])
	}
	return key
}

// afDiffuse replaces each part of b, as long as the hash, by the hash of its number and it.
func afDiffuse(b []byte, h hash.Hash) {
	var number [4]byte
	var sum [sha512.Size]byte
	for i := 0; len(b) > 0; i++ {
		part := b[:min(len(b), h.Size())]
		be.PutUint32(number[:], uint32(i))
		h.Reset()
		h.Write(number[:])
		h.Write(part)
		copy(part, h.Sum(sum[:0]))
		b = b[len(part):]
	}
	clear(sum[:])
}
