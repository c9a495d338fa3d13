package image

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
)

// A partReader knows more of a part that turns out to be damaged.
type partReader interface {
	// checked tells how many of its bytes are right nonetheless, by checksums of their
	// own, and whether those that came out are as many as they should be.
	checked() (n int64, ends bool)
}

// part unpacks one part to byte off of the image and tells how long it was, and whether
// that is known to be so.
func (p *packed) part(part part, off int64) (int64, bool) {
	r, err := part.open()
	if err == nil {
		defer r.Close()
	}
	most := part.size
	if most < 0 {
		most = p.limit - off
	}
	buf := make([]byte, 256<<10)
	var n int64
	for err == nil {
		var got int
		for err == nil && got < len(buf) {
			var more int
			more, err = r.Read(buf[got:])
			got += more
		}
		if int64(got) > most-n {
			if part.size < 0 {
				p.fail(p.tooLarge())
			}
			got, err = int(most-n), fmt.Errorf("unpacks to more than the %d bytes it should have", most)
			part.told = false
		}
		if werr := p.dst.put(buf[:got], off+n); werr != nil {
			p.fail(werr)
		}
		n += int64(got)
		if p.failed() != nil {
			return n, false
		}
	}
	if errors.Is(err, io.EOF) {
		if n >= part.size {
			return n, true
		}
		err = fmt.Errorf("unpacks to %d bytes, and should have %d", n, part.size)
	}
	part.sure = part.sure || part.told && n == part.size
	right := int64(0)
	if c, ok := r.(partReader); ok {
		var ends bool
		if right, ends = c.checked(); ends {
			part.size, part.sure = n, true
		}
	}
	p.fault(part, off, right, n, err)
	return n, part.size >= 0
}

// fault tells of a part that is damaged, and of which n bytes came out: the first of them
// are right, as checksums of their own say.
func (p *packed) fault(part part, off, right, n int64, err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("cut short: %w", err)
	}
	lost := max(part.size-n, 0)
	told := err
	if n > right || n == 0 {
		told = fmt.Errorf("%w; %d bytes came out, which no checksum stands for", told, n-right)
	}
	switch {
	case lost > 0:
		told = fmt.Errorf("%w; the rest is lost", told)
	case part.size < 0 || part.err != nil:
		told = fmt.Errorf("%w; what follows is lost", told)
	}
	what := p.packing.name + " " + part.what
	p.mu.Lock()
	defer p.mu.Unlock()
	if lost > 0 {
		p.lost = append(p.lost, lostRange{off + n, lost, &DamageError{p.name, what, part.at, off + n, lost, err}})
	}
	length := n - right + lost
	if length == 0 && (part.size < 0 || part.sure) {
		p.faults = append(p.faults, fmt.Errorf("%s at byte %d of %s: %w", what, part.at, filepath.Base(p.name), told))
		return
	}
	damage := &DamageError{p.name, what, part.at, off + right, length, told}
	p.faults = append(p.faults, damage)
	if part.size >= 0 && !part.sure {
		p.unsure = append(p.unsure, damage)
	}
}

// judge says, now that all parts are there, which bytes are not to be had: those that are
// lost, and those that damage leaves without a checksum, unless that is accepted.
func (p *packed) judge() {
	for _, d := range p.unsure {
		if rest := p.off - d.Offset; rest > d.Length {
			d.Err = fmt.Errorf("%w; and what follows byte %d is in its place only if that part has the length it claims", d.Err, d.Offset+d.Length)
			d.Length = rest
		}
	}
	p.lost.sort()
	var damaged []*DamageError
	where := func(err error) int64 {
		var d *DamageError
		if errors.As(err, &d) {
			return d.Offset
		}
		return math.MaxInt64
	}
	slices.SortStableFunc(p.faults, func(a, b error) int {
		return cmp.Or(cmp.Compare(where(a), where(b)), cmp.Compare(a.Error(), b.Error()))
	})
	for _, f := range p.faults {
		if d, ok := f.(*DamageError); ok && !p.accept {
			damaged = append(damaged, d)
		}
	}
	p.lost = p.lost.with(damaged)
	unhinted := map[*DamageError]bool{}
	for _, d := range damaged {
		unhinted[d] = true
	}
	for _, l := range p.lost {
		if unhinted[l.as] { // not all of it is lost
			l.as.Err = fmt.Errorf("%w; %s", l.as.Err, byAccepting)
			delete(unhinted, l.as)
		}
	}
}

// section reads n bytes of the file from byte at on, and counts them as done.
func (p *packed) section(at, n int64) io.Reader {
	return &countedReader{p, io.NewSectionReader(p.src, at, n)}
}

type countedReader struct {
	p *packed
	r io.Reader
}

func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.read += int64(n)
	if c.p.step != nil {
		if serr := c.p.step(c.p.read, c.p.size); serr != nil && c.p.fatal == nil {
			c.p.fatal = serr
		}
	}
	if c.p.fatal != nil {
		return 0, c.p.fatal
	}
	return n, err
}

// behind tells of bytes that belong to no part. Tapes and some tools fill up with zeros.
func (p *packed) behind(at, n int64) {
	warnf(&p.warnings, "%d bytes follow the %s data, from byte %d of the file on", n, p.packing.name, at)
}
