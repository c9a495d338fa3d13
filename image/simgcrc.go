package image

import (
	"fmt"
	"hash/crc32"
	"io"
)

// A simgSum checks the checksums of an Android sparse image: CRC-32 of all that came
// before. By sparse_format.h ranges that nobody cares about count as zeros, while libsparse
// leaves them out: either is right.
type simgSum struct {
	s       *simg
	done    int64 // bytes of the image that are in the sums
	good    int64 // of them, those that agreed
	zeros   uint32
	skipped uint32
	failed  error
}

// check compares what there is up to byte end of the image with a checksum. Only now is
// any of it read: most images have none.
func (c *simgSum) check(want uint32, end int64) {
	for c.done < end && c.failed == nil {
		r, n := c.s.rangeAt(c.done)
		n = min(n, end-c.done)
		c.failed = c.take(r, r.at+c.done-r.start, n)
		c.done += n
	}
	err := c.failed
	switch {
	case err != nil:
	case want == c.zeros || want == c.skipped:
		c.good = end
		return
	default:
		err = fmt.Errorf("it is %#08x, and %#08x is stored: some of these bytes are wrong", c.zeros, want)
	}
	if c.good < end {
		c.s.faults = append(c.s.faults, &DamageError{c.s.name, "checksum", -1, c.good, end - c.good, err})
	} else {
		c.s.faults = append(c.s.faults, fmt.Errorf("checksum of the first %d bytes: %w", end, err))
	}
}

// take adds n bytes of a range to the sums.
func (c *simgSum) take(r simgRange, at, n int64) error {
	switch r.kind {
	case simgDontCare:
		c.zeros = crcRepeat(c.zeros, make([]byte, 4), n/4)
	case simgFill:
		word := le.AppendUint32(nil, r.fill)
		c.zeros, c.skipped = crcRepeat(c.zeros, word, n/4), crcRepeat(c.skipped, word, n/4)
	default:
		b := make([]byte, min(n, 1<<20))
		for ; n > 0; n -= int64(len(b)) {
			b = b[:min(int64(len(b)), n)]
			if got, err := c.s.file.ReadAt(b, at); got < len(b) {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
			at += int64(len(b))
			c.zeros, c.skipped = crc32.Update(c.zeros, crc32.IEEETable, b), crc32.Update(c.skipped, crc32.IEEETable, b)
		}
	}
	return nil
}

// crcRepeat is the CRC-32 of what crc is that of, and n times the pattern behind it. It
// takes time with the logarithm of n.
func crcRepeat(crc uint32, pattern []byte, n int64) uint32 {
	// What len(pattern) bytes of any contents do to a CRC is linear: a matrix over GF(2),
	// whose column i is what becomes of bit i alone.
	var shift [32]uint32
	zeros := make([]byte, len(pattern))
	none := crc32.Update(0, crc32.IEEETable, zeros)
	for i := range shift {
		shift[i] = crc32.Update(1<<i, crc32.IEEETable, zeros) ^ none
	}
	part := crc32.ChecksumIEEE(pattern) // of as many patterns as shift is for
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			crc = applyCRC(&shift, crc) ^ part
		}
		part ^= applyCRC(&shift, part)
		var twice [32]uint32
		for i := range twice {
			twice[i] = applyCRC(&shift, shift[i])
		}
		shift = twice
	}
	return crc
}

func applyCRC(m *[32]uint32, crc uint32) uint32 {
	var sum uint32
	for i := 0; crc != 0; i, crc = i+1, crc>>1 {
		if crc&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}
