package image

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
)

// DefaultKDFMemory is what Options.KDFMemory stands for where it is 0: what cryptsetup
// takes for a new key slot at most. MaxKDFMemory is the most that it takes at all.
const (
	DefaultKDFMemory = 1 << 30
	MaxKDFMemory     = 4 << 30
)

// A KeyError reports an encrypted volume that has no key slot for the passphrase given.
type KeyError struct {
	Tried   int      // key slots that were tried
	Skipped []string // key slots that could not be, and why
}

func (e *KeyError) Error() string {
	s := "no key slot fits the passphrase"
	if len(e.Skipped) > 0 {
		s += fmt.Sprintf(" (%d tried; %s)", e.Tried, strings.Join(e.Skipped, "; "))
	}
	return s
}

// A LockedError reports encrypted volumes that did not open, where what was asked for may
// lie in them.
type LockedError struct {
	Name   string // the evidence
	Volume string // the first of them
	Err    error  // why it did not open: a *KeyError, or what is not supported or damaged
	Found  error  // what could be said without it, nil if that is a file system
}

func (e *LockedError) Error() string {
	if e.Found == nil {
		return fmt.Sprintf("%s: %s stays locked: %v", e.Name, e.Volume, e.Err)
	}
	return fmt.Sprintf("%v; %s stays locked: %v", e.Found, e.Volume, e.Err)
}

// Unwrap gives both errors, as far as there are two.
func (e *LockedError) Unwrap() []error {
	if e.Found == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Found}
}

// Locked lists the encrypted volumes for which a key was given that did not open them. It
// asks for none.
func (im *Image) Locked() []Partition {
	im.stackMu.Lock()
	defer im.stackMu.Unlock()
	if im.stack == nil {
		return nil
	}
	return im.stack.table.locked()
}

func (t *Table) locked() (list []Partition) {
	for _, p := range t.Partitions {
		if p.LockErr != nil {
			list = append(list, p)
		}
	}
	return list
}

// blame says that what was not found may lie in what is locked. Where a key was given that
// opens nothing, a file system beside what it was for is not what was meant.
func (t *Table) blame(name, sel string, p Partition, err error) (Partition, error) {
	locked := t.locked()
	if len(locked) == 0 {
		return p, err
	}
	first := LockedError{Name: name, Volume: locked[0].name(), Err: locked[0].LockErr, Found: err}
	if err != nil {
		return p, &first
	}
	for _, l := range locked {
		if _, wrong := l.LockErr.(*KeyError); !wrong || sel != "" {
			return p, nil
		}
	}
	for _, other := range t.Partitions {
		if other.Kind == "decrypted" {
			return p, nil
		}
	}
	return Partition{}, &first
}

// A luksHeader is what the header of either version says: where the data lie, and how
// they are encrypted.
type luksHeader struct {
	at, size int64 // of the data, in bytes of the volume
	cipher   luksCipher
	sector   int    // bytes that are encrypted as one
	tweak    uint64 // number of the first sector, in 512 bytes
	slots    []luksSlot
	skipped  []string // key slots that cannot be tried, and why
	warnings []string
}

// openLUKS opens the encrypted volume of size bytes in r: LUKS1, or LUKS2 by the newest of
// its headers. It asks for a passphrase once it knows that it could use one, and wipes it.
func (o Options) openLUKS(r io.ReaderAt, size int64, passphrase func() ([]byte, error)) (io.ReaderAt, int64, error) {
	h, err := readLUKS(r, size)
	if err != nil {
		return nil, 0, err
	}
	if len(h.slots) == 0 {
		return nil, 0, fmt.Errorf("no key slot can be used: %s", strings.Join(append(h.skipped, "there are no others"), "; "))
	}
	pass, err := passphrase()
	if err != nil {
		return nil, 0, err
	}
	defer clear(pass)
	key, err := h.unlock(r, pass, newKDFBudget(o.KDFMemory))
	if err != nil {
		return nil, 0, err
	}
	defer clear(key)
	c, err := h.cipher.keyed(key)
	if err != nil {
		return nil, 0, err
	}
	v := &luksVolume{r: r, at: h.at, size: h.size, sector: int64(h.sector), tweak: h.tweak, cipher: c, warnings: h.warnings}
	return v, v.size, nil
}

// readLUKS reads the header of either version.
func readLUKS(r io.ReaderAt, size int64) (*luksHeader, error) {
	b := fetch(r, 0, luks1Len)
	var h *luksHeader
	var err error
	if len(b) == luks1Len && string(b[:6]) == luksMagic && be.Uint16(b[6:]) == 1 {
		h, err = decodeLUKS1(b, size)
	} else {
		h, err = readLUKS2(r, size)
	}
	if err != nil {
		return nil, err
	}
	if room := size - h.at; h.at <= 0 || room < int64(h.sector) {
		return nil, fmt.Errorf("the data begin at byte %d of %d: cut off, or a detached header, which is not supported", h.at, size)
	} else if h.size > room {
		h.size = room
	}
	h.size -= h.size % int64(h.sector)
	return h, nil
}

// A luksVolume is the data of an encrypted volume. It keeps nothing of what it reads, and
// is read from any number of goroutines.
type luksVolume struct {
	r        io.ReaderAt
	at, size int64 // of the data in r
	sector   int64
	tweak    uint64
	cipher   *sectorCipher
	warnings []string
}

// luksPart is how much a goroutine gets at least, of a read that is worth several.
const luksPart = 64 << 10

// ReadAt reads as io.ReaderAt says.
func (v *luksVolume) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, &ReadError{Name: "decrypted volume", Offset: off, Length: int64(len(p)), Err: errNegative}
	case off >= v.size:
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > v.size-off {
		p, end = p[:v.size-off], io.EOF
	}
	done := 0
	if in := off % v.sector; in != 0 {
		n, err := v.within(p, off-in, int(in))
		if done = n; err != nil {
			return done, err
		}
	}
	whole := len(p) - done - (len(p)-done)%int(v.sector)
	n, err := v.sectors(p[done:][:whole], off+int64(done))
	if done += n; err != nil {
		return done, err
	}
	if done < len(p) {
		n, err := v.within(p[done:], off+int64(done), 0)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, end
}

// within fills p, up to its end or that of the sector, from byte in of the sector at off.
func (v *luksVolume) within(p []byte, off int64, in int) (int, error) {
	b := make([]byte, v.sector)
	if _, err := v.run(b, off); err != nil {
		return 0, err
	}
	return copy(p, b[in:]), nil
}

// sectors fills p, which is whole sectors, on several cores where it is long.
func (v *luksVolume) sectors(p []byte, off int64) (int, error) {
	parts := min(len(p)/luksPart, runtime.GOMAXPROCS(0))
	if parts < 2 {
		return v.run(p, off)
	}
	length := len(p) / parts
	length += int(v.sector) - length%int(v.sector)
	read, errs := make([]int, parts), make([]error, parts)
	var wg sync.WaitGroup
	for i := range parts {
		from := min(i*length, len(p))
		part := p[from:min(from+length, len(p))]
		wg.Go(func() { read[i], errs[i] = v.run(part, off+int64(from)) })
	}
	wg.Wait()
	done := 0
	for i, n := range read {
		if done += n; errs[i] != nil {
			return done, errs[i]
		}
	}
	return done, nil
}

// run fills p, which is whole sectors.
func (v *luksVolume) run(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := v.r.ReadAt(p, v.at+off)
	whole := n - n%int(v.sector)
	v.cipher.decrypt(p[:whole], int(v.sector), v.tweak+uint64(off)/cipherUnit)
	if whole == len(p) {
		return whole, nil
	}
	clear(p[whole:n])
	return whole, inRange(err, "decrypted volume", off+int64(whole), int64(len(p)-whole))
}
