package image

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// A simgSum checks the checksums of an Android sparse image: CRC-32 of all that came
// before. By sparse_format.h ranges that nobody cares about count as zeros, while libsparse
// leaves them out: either is right.
type simgSum struct {
	s      *simg
	known  bool      // there are checksums
	done   int64     // bytes of the image that are in the sums
	judged int64     // of them, those that a checksum was compared with
	runs   []simgRun // one that agrees with a checksum proves the bytes it is of
	bad    []*DamageError

	care  int64 // where the first bytes begin that nobody cares about, -1 for none
	loose bool  // only leaving these out agreed with a checksum: how many they are is not proven
}

// A simgRun is a sum as it goes on from one place, in one of the two ways.
type simgRun struct {
	crc   uint32
	zeros bool  // counts what nobody cares about
	from  int64 // byte of the image; what lies before it is in the sum as a checksum has it
}

func newSimgSum(s *simg, known bool) *simgSum {
	return &simgSum{s: s, known: known, runs: []simgRun{{zeros: true}, {}}, care: -1}
}

// check compares what there is up to byte end of the image with the checksum that lies at
// byte at of the file. Only now is any of it read: most images have none.
func (c *simgSum) check(want uint32, at, end int64) {
	c.known = true
	err := c.sum(end)
	i := slices.IndexFunc(c.runs, func(r simgRun) bool { return r.crc == want })
	if i >= 0 {
		c.loose = c.loose || c.care >= 0 && !c.runs[i].zeros
		c.right(c.runs[i].from)
	} else {
		if err == nil {
			err = fmt.Errorf("it is %#08x, and %#08x is stored", c.runs[0].crc, want)
		}
		c.wrong(at, c.judged, end, err)
		// If it is the bytes that are wrong, the next checksum can tell of those behind them.
		c.runs = append(c.runs[:min(len(c.runs), 2)], simgRun{want, true, end}, simgRun{want, false, end})
	}
	c.judged = end
}

// right notes that a checksum proves what lies from byte from on: then it was others that
// were wrong.
func (c *simgSum) right(from int64) {
	for n := len(c.bad) - 1; n >= 0 && c.bad[n].Offset >= from; n-- {
		d := c.bad[n]
		c.s.faults = append(c.s.faults, fmt.Errorf("checksum of the first %d bytes: %w, and a later one agrees with them", d.Offset+d.Length, d.Err))
		c.bad = c.bad[:n]
	}
}

// wrong notes that nothing proves a range: not the checksum at byte at of the file.
func (c *simgSum) wrong(at, off, end int64, err error) {
	if off < end {
		c.bad = append(c.bad, &DamageError{c.s.name, "checksum", at, off, end - off, err})
	} else {
		c.s.faults = append(c.s.faults, fmt.Errorf("checksum of the first %d bytes: %w", end, err))
	}
}

// close tells of what is damaged, and gives that. The chunks were read as far as byte at of
// the file, end of the image; if not whole, they break off there, and a checksum with them.
func (c *simgSum) close(at, end int64, whole, accept bool) []*DamageError {
	if !whole && c.known {
		from := c.judged
		if c.loose {
			from = min(from, c.care)
		}
		if from < end {
			c.wrong(at, from, end, errors.New("the one that covers these bytes is lost"))
		}
	}
	for _, d := range c.bad {
		if !accept {
			d.Err = fmt.Errorf("%w; %s", d.Err, byAccepting)
		}
		c.s.faults = append(c.s.faults, d)
	}
	return c.bad
}

// sum takes the bytes up to end into all runs, or drops these if it cannot.
func (c *simgSum) sum(end int64) error {
	for c.done < end {
		r, n := c.s.rangeAt(c.done)
		n = min(n, end-c.done)
		if r.kind == simgDontCare && c.care < 0 {
			c.care = c.done
		}
		if err := c.take(r, r.at+c.done-r.start, n); err != nil {
			c.done, c.runs = end, nil
			return err
		}
		c.done += n
	}
	return nil
}

// take adds n bytes of a range to the runs.
func (c *simgSum) take(r simgRange, at, n int64) error {
	switch r.kind {
	case simgDontCare, simgFill:
		word := le.AppendUint32(nil, r.fill)
		for i, run := range c.runs {
			if r.kind == simgFill || run.zeros {
				c.runs[i].crc = crcRepeat(run.crc, word, n/4)
			}
		}
		return nil
	}
	b := make([]byte, min(n, 1<<20))
	for ; n > 0; n -= int64(len(b)) {
		b = b[:min(int64(len(b)), n)]
		if err := readFull(c.s.file, b, at); err != nil {
			return err
		}
		at += int64(len(b))
		for i, run := range c.runs {
			c.runs[i].crc = crc32.Update(run.crc, crc32.IEEETable, b)
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
