package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	luks2BinLen = 4096
	luks2Min    = 16 << 10 // of a header with its JSON area
	luks2Max    = 4 << 20
	luksObjects = 32 // of each kind, as cryptsetup
)

// A luks2Copy is one of the two headers that a volume has.
type luks2Copy struct {
	at, size int64
	seq      uint64 // counts up with each change
	meta     luks2Meta
}

// luks2Meta is the JSON area. Numbers of 64 bits are strings in it.
type luks2Meta struct {
	Keyslots luksMap[luks2Keyslot] `json:"keyslots"`
	Segments luksMap[luks2Segment] `json:"segments"`
	Digests  luksMap[luksDigest]   `json:"digests"`
	Config   struct {
		Requirements struct {
			Mandatory [luksObjects]string `json:"mandatory"`
		} `json:"requirements"`
	} `json:"config"`
}

type luks2Keyslot struct {
	Type    string `json:"type"` // "luks2" or "reencrypt"
	KeySize int    `json:"key_size"`
	AF      struct {
		Type    string `json:"type"`
		Stripes int    `json:"stripes"`
		Hash    string `json:"hash"`
	} `json:"af"`
	Area struct {
		Type       string `json:"type"`
		Offset     int64  `json:"offset,string"`
		Encryption string `json:"encryption"`
		KeySize    int    `json:"key_size"`
	} `json:"area"`
	KDF      luksKDF `json:"kdf"`
	Priority *int    `json:"priority"` // 0: only when asked for, 1, 2: before others; nil: 1
}

type luks2Segment struct {
	Type       string `json:"type"` // "crypt" or "linear", or with hardware "hw-opal…"
	Offset     int64  `json:"offset,string"`
	Size       string `json:"size"` // "dynamic" or bytes
	Tweak      uint64 `json:"iv_tweak,string"`
	Encryption string `json:"encryption"`
	SectorSize int    `json:"sector_size"`
	Integrity  *struct {
		Type string `json:"type"`
	} `json:"integrity"`
	Flags [luksObjects]string `json:"flags"`
}

// A luksMap holds objects by number. There are no more than luksObjects.
type luksMap[T any] map[string]T

// UnmarshalJSON stops at what is too much.
func (m *luksMap[T]) UnmarshalJSON(b []byte) error {
	*m = luksMap[T]{}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("no object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		if len(*m) == luksObjects {
			return fmt.Errorf("more than %d objects", luksObjects)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		(*m)[t.(string)] = v
	}
	return nil
}

// names are the keys in the order of numbers.
func (m luksMap[T]) names() []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return list
}

// readLUKS2 reads the header of a LUKS2 volume: the newest of its two copies that is sound.
func readLUKS2(r io.ReaderAt, size int64) (*luksHeader, error) {
	first, err1 := readLUKS2Copy(r, 0)
	var second *luks2Copy
	err2 := errors.New("there is no other")
	if err1 == nil {
		second, err2 = readLUKS2Copy(r, first.size)
	} else {
		for at := int64(luks2Min); at <= luks2Max && second == nil; at *= 2 {
			if string(fetch(r, at, len(luksMagic2))) == luksMagic2 {
				second, err2 = readLUKS2Copy(r, at)
			}
		}
	}
	var warnings []string
	use := first
	switch {
	case err1 != nil && err2 != nil:
		return nil, fmt.Errorf("no header is sound: %w; %w", err1, err2)
	case err1 != nil:
		warnf(&warnings, "%v; the second one is used", err1)
		use = second
	case err2 != nil:
		warnf(&warnings, "second header: %v", err2)
	case first.seq != second.seq:
		if second.seq > first.seq {
			use = second
		}
		warnf(&warnings, "the header at byte 0 is change %d, that at byte %d change %d: the newer one is used", first.seq, second.at, second.seq)
	}
	h, err := use.meta.header(size)
	if err != nil {
		return nil, err
	}
	h.warnings = warnings
	return h, nil
}

// readLUKS2Copy reads the header at byte at: 0 for the first one.
func readLUKS2Copy(r io.ReaderAt, at int64) (*luks2Copy, error) {
	bad := func(format string, args ...any) (*luks2Copy, error) {
		return nil, fmt.Errorf("header at byte %d: %w", at, fmt.Errorf(format, args...))
	}
	head, err := fetchAll(r, at, luks2BinLen)
	if err != nil {
		return bad("%w", err)
	}
	n, err := decodeLUKS2Size(head, at)
	if err != nil {
		return bad("%w", err)
	}
	b, err := fetchAll(r, at, int(n))
	if err != nil {
		return bad("%w", err)
	}
	c, err := decodeLUKS2(b, at)
	if err != nil {
		return bad("%w", err)
	}
	return c, nil
}

// decodeLUKS2Size decodes how long the header at byte at is, with its JSON area: struct
// luks2_hdr_disk of cryptsetup, the LUKS2 on-disk format specification.
func decodeLUKS2Size(b []byte, at int64) (int64, error) {
	magic := luksMagic
	if at != 0 {
		magic = luksMagic2
	}
	if len(b) < luks2BinLen || string(b[:6]) != magic { // magic
		return 0, errors.New("no magic")
	}
	if v := be.Uint16(b[0x6:]); v != 2 { // version
		return 0, fmt.Errorf("version %d", v)
	}
	size := be.Uint64(b[0x8:]) // hdr_size
	if size < luks2Min || size > luks2Max || at != 0 && uint64(at) != size {
		return 0, fmt.Errorf("a size of %d bytes cannot be", size)
	}
	if own := be.Uint64(b[0x100:]); own != uint64(at) { // hdr_offset
		return 0, fmt.Errorf("it says that it lies at byte %d", own)
	}
	return int64(size), nil
}

// decodeLUKS2 decodes a header with its JSON area.
func decodeLUKS2(b []byte, at int64) (*luks2Copy, error) {
	size, err := decodeLUKS2Size(b, at)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) < size {
		return nil, io.ErrUnexpectedEOF
	}
	h, err := luksHash(cstring(b[0x48:0x68])) // checksum_alg
	if err != nil {
		return nil, fmt.Errorf("checksum: %w", err)
	}
	sum := h()
	sum.Write(b[:0x1c0])
	sum.Write(make([]byte, 64)) // csum
	sum.Write(b[0x200:size])
	if !bytes.Equal(sum.Sum(nil), b[0x1c0:0x1c0+sum.Size()]) {
		return nil, errors.New("its checksum does not match")
	}
	text := b[luks2BinLen:size]
	end := bytes.IndexByte(text, 0)
	if end < 0 {
		return nil, errors.New("its JSON area has no end")
	}
	c := &luks2Copy{at: at, size: size, seq: be.Uint64(b[0x10:])} // seqid
	if err := json.Unmarshal(text[:end], &c.meta); err != nil {
		return nil, fmt.Errorf("its JSON area: %s", cut(err.Error()))
	}
	return c, nil
}

// header makes of metadata what is needed to read a volume of size bytes. What is not
// supported is an error that names it.
func (m *luks2Meta) header(size int64) (*luksHeader, error) {
	for _, r := range m.Config.Requirements.Mandatory {
		switch {
		case strings.Contains(r, "reencrypt"):
			return nil, fmt.Errorf("re-encryption is in progress (requirement %q): not supported", cut(r))
		case r != "":
			return nil, fmt.Errorf("requirement %q is not supported", cut(r))
		}
	}
	for _, k := range m.Keyslots {
		if k.Type == "reencrypt" {
			return nil, errors.New("re-encryption is in progress: not supported")
		}
	}
	if len(m.Segments) != 1 {
		return nil, fmt.Errorf("%d segments, want 1: not supported", len(m.Segments))
	}
	id := m.Segments.names()[0]
	s := m.Segments[id]
	switch {
	case s.Flags[0] != "":
		return nil, fmt.Errorf("a segment with flag %q is not supported", cut(s.Flags[0]))
	case s.Type != "crypt":
		return nil, fmt.Errorf("a segment of type %q is not supported", cut(s.Type))
	case s.Integrity != nil:
		return nil, fmt.Errorf("integrity protection (%q) is not supported", cut(s.Integrity.Type))
	case s.SectorSize != 512 && s.SectorSize != 1024 && s.SectorSize != 2048 && s.SectorSize != 4096:
		return nil, fmt.Errorf("sectors of %d bytes cannot be", s.SectorSize)
	case s.Offset == 0:
		return nil, errDetached
	case s.Offset < 0 || s.Offset%cipherUnit != 0:
		return nil, fmt.Errorf("a segment at byte %d cannot be", s.Offset)
	}
	h := &luksHeader{at: s.Offset, size: size, sector: s.SectorSize, tweak: s.Tweak}
	var err error
	if s.Size != "dynamic" {
		if h.size, err = strconv.ParseInt(s.Size, 10, 64); err != nil || h.size < 0 {
			return nil, fmt.Errorf("a segment of %q bytes cannot be", cut(s.Size))
		}
	}
	if h.cipher, err = decodeLUKSCipher(s.Encryption); err != nil {
		return nil, err
	}
	m.slots(h, id, size)
	return h, nil
}

// slots adds the key slots for segment id to h: those to be preferred first, and last
// those that are only used when they are asked for.
func (m *luks2Meta) slots(h *luksHeader, id string, size int64) {
	for _, name := range m.Keyslots.names() {
		k := m.Keyslots[name]
		s := luksSlot{name: cut(name), kdf: k.KDF, areaKey: k.Area.KeySize, at: k.Area.Offset, keyLen: k.KeySize,
			stripes: k.AF.Stripes, hash: k.AF.Hash, priority: 1}
		if k.Priority != nil {
			s.priority = *k.Priority
		}
		bound := false
		for _, d := range m.Digests.names() {
			d := m.Digests[d]
			if !slices.Contains(d.Keyslots[:], name) || !slices.Contains(d.Segments[:], id) {
				continue
			}
			bound = true
			if d.Type == "pbkdf2" && len(d.Digest) >= 20 && len(d.Digest) <= 64 {
				s.digests = append(s.digests, d)
			}
		}
		if !bound { // its key is for something else
			continue
		}
		err := error(nil)
		switch {
		case k.Type != "luks2" || k.AF.Type != "luks1" || k.Area.Type != "raw":
			err = fmt.Errorf("type %q, split %q, area %q is not supported", cut(k.Type), cut(k.AF.Type), cut(k.Area.Type))
		case !h.cipher.fits(k.KeySize):
			err = fmt.Errorf("a volume key of %d bytes is not supported", k.KeySize)
		default:
			if s.cipher, err = decodeLUKSCipher(k.Area.Encryption); err == nil {
				err = s.check(size)
			}
		}
		if err != nil {
			h.skipped = append(h.skipped, fmt.Sprintf("key slot %q: %v", s.name, err))
			continue
		}
		h.slots = append(h.slots, s)
	}
	slices.SortStableFunc(h.slots, func(a, b luksSlot) int { return b.priority - a.priority })
}
