package image

import (
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"os"
	"slices"
	"sync"
)

// An ewfTable is a table section, or its copy in a table2 section: where in the segment
// file a run of chunks lies.
type ewfTable struct {
	name    string
	file    *os.File
	size    int64 // bytes of the file
	at      int64 // of the section
	base    int64 // byte of the file that entries count from
	end     int64 // of the last chunk, at most
	entries []uint32
	plain   int // entries from here on are 32 bits of offset: see ewfPlain
}

const (
	ewfTableLen = 24      // bytes of the header
	ewfDeflated = 1 << 31 // in an entry: the chunk is a zlib stream; the rest is its offset
	ewfNoEntry  = 1<<32 - 1
)

// read reads the entries of t, and tells how many there should be: -1 where that is not
// known. t ends where its section does. Entries whose checksum is wrong are left in t.
func (t *ewfTable) read(sectionEnd int64) (count int64, err error) {
	start := t.at + ewfSectionLen
	head, err := fetchAll(t.file, start, ewfTableLen)
	if err != nil {
		return -1, fmt.Errorf("header: %w", err)
	}
	count = int64(le.Uint32(head))
	t.base = int64(le.Uint64(head[8:]))
	if !ewfSumHolds(head, 20) {
		return -1, fmt.Errorf("header: %w", errEwfSum)
	}
	if t.base < 0 || t.base > t.size {
		return count, fmt.Errorf("counts offsets from byte %d of a file of %d", uint64(t.base), t.size)
	}
	start += ewfTableLen
	if 4*count > sectionEnd-start {
		return count, fmt.Errorf("%d entries in %d bytes", count, sectionEnd-start)
	}
	b, err := fetchAll(t.file, start, int(4*count))
	if err != nil {
		return count, fmt.Errorf("entries: %w", err)
	}
	t.entries = make([]uint32, count)
	for i := range t.entries {
		t.entries[i] = le.Uint32(b[4*i:])
	}
	t.plain = ewfPlain(t.entries)
	if count == 0 {
		return 0, nil
	}
	if at, _, _ := t.entry(0); at == start+4*count {
		return count, nil // SMART's have no checksum: chunks begin in its place
	}
	sum := fetch(t.file, start+4*count, 4)
	if len(sum) < 4 || adler32.Checksum(b) != le.Uint32(sum) {
		return count, fmt.Errorf("entries: %w", errEwfSum)
	}
	return count, nil
}

// ewfPlain finds where offsets grew beyond 31 bits: EnCase 6.7 let them run into the bit
// that says deflated, and stored those chunks. Chunks lie in the order of their entries.
func ewfPlain(entries []uint32) int {
	for i := 1; i < len(entries); i++ {
		if entries[i-1]|ewfDeflated > ewfNoEntry-2*maxEwfChunk && entries[i]&^ewfDeflated < 2*maxEwfChunk {
			return i
		}
	}
	return len(entries)
}

// entry tells where chunk k of the table lies in the file.
func (t *ewfTable) entry(k int) (at int64, deflated, ok bool) {
	e := t.entries[k]
	if e == ewfNoEntry {
		return 0, false, false
	}
	if k >= t.plain {
		return t.base + int64(e), false, true
	}
	return t.base + int64(e&^ewfDeflated), e&ewfDeflated != 0, true
}

// agree keeps of two copies whose entries fail their checksums what both say.
func (t *ewfTable) agree(u *ewfTable) bool {
	if len(t.entries) == 0 || len(t.entries) != len(u.entries) || t.base != u.base {
		return false
	}
	for i, e := range u.entries {
		if t.entries[i] != e {
			t.entries[i] = ewfNoEntry
		}
	}
	t.plain = min(t.plain, u.plain)
	return true
}

func (t *ewfTable) equal(u *ewfTable) bool {
	return t.base == u.base && slices.Equal(t.entries, u.entries)
}

// decode fills dst with chunk k of the table. All but the image's last chunk are of the
// same length; the last may have been filled up to it. At is where in the file that lies.
func (t *ewfTable) decode(dst []byte, k, length int) (at int64, err error) {
	at, deflated, ok := t.entry(k)
	if !ok {
		return t.at + ewfSectionLen + ewfTableLen + 4*int64(k), errors.New("table and table2 differ, and both fail their checksums")
	}
	end := t.end
	if end <= at {
		end = t.size
	}
	if k+1 < len(t.entries) {
		if next, _, ok := t.entry(k + 1); ok && next > at {
			end = min(end, next)
		}
	}
	if !deflated {
		err = t.stored(dst, at, len(dst))
		if err == errEwfSum && len(dst) < length && end-at >= int64(length)+4 {
			err = t.stored(dst, at, length)
		}
		return at, err
	}
	// Deflate adds less than that to what it cannot make smaller.
	n := min(end-at, int64(length+length/64+1024), t.size-at)
	if n <= 0 {
		return at, io.ErrUnexpectedEOF
	}
	b := ewfBuffer(int(n))
	defer ewfBuffers.Put(b)
	if err := readFull(t.file, *b, at); err != nil {
		return at, err
	}
	return at, inflateZlib(dst, *b, length)
}

// stored reads a chunk of n bytes and the checksum behind it.
func (t *ewfTable) stored(dst []byte, at int64, n int) error {
	b := ewfBuffer(n + 4)
	defer ewfBuffers.Put(b)
	if err := readFull(t.file, *b, at); err != nil {
		return err
	}
	if !ewfSumHolds(*b, n) {
		return errEwfSum
	}
	copy(dst, *b)
	return nil
}

var ewfBuffers sync.Pool // of *[]byte

func ewfBuffer(n int) *[]byte {
	if b, _ := ewfBuffers.Get().(*[]byte); b != nil && cap(*b) >= n {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n)
	return &b
}
