package carve

// Huffman coding is the one check that JPEG has: a decoder that has lost its
// place soon meets a code that does not exist, or too many coefficients, and does
// not come to the end of the last block just where the marker stands. So scans
// are decoded, as far as it takes to know where each code ends.

// A jpegFrame is what the segments say of a picture.
type jpegFrame struct {
	checked     bool // a form that is decoded here: 8 bits, baseline or progressive
	progressive bool
	w, h        int
	comps       []jpegComp
	interval    int // MCUs between restart markers
	dc, ac      [4]*jpegTable
}

type jpegComp struct {
	id   byte
	h, v int
	w    int      // blocks in a row, as interleaved
	set  []uint64 // which coefficients of each block are not zero, for progressive pictures
}

// maxJPEGBlocks bounds what is remembered of a progressive picture: 8 bytes a block.
const maxJPEGBlocks = 2 << 20

// frame takes in a start-of-frame segment.
func (f *jpegFrame) frame(marker byte, b []byte) bool {
	if len(b) < 6 || len(b) != 6+3*int(b[5]) || f.comps != nil {
		return false
	}
	f.h, f.w = int(be.Uint16(b[1:])), int(be.Uint16(b[3:]))
	f.progressive = marker == 0xc2
	f.checked = b[0] == 8 && marker <= 0xc2 && f.h > 0 && f.w > 0 && b[5] <= 4 && b[5] > 0
	for c := b[6:]; len(c) > 0; c = c[3:] {
		f.comps = append(f.comps, jpegComp{id: c[0], h: int(c[1] >> 4), v: int(c[1] & 15)})
	}
	if !f.checked {
		return true
	}
	hmax, vmax := f.most()
	if hmax == 0 {
		return false
	}
	mw, mh, blocks := (f.w+8*hmax-1)/(8*hmax), (f.h+8*vmax-1)/(8*vmax), 0
	for i := range f.comps {
		c := &f.comps[i]
		c.w = mw * c.h
		blocks += c.w * mh * c.v
	}
	if f.progressive && blocks > maxJPEGBlocks {
		f.checked = false
		return true
	}
	for i := range f.comps {
		if c := &f.comps[i]; f.progressive {
			c.set = make([]uint64, c.w*mh*c.v)
		}
	}
	return true
}

// most gives the largest sampling factors, zeros where one is none.
func (f *jpegFrame) most() (h, v int) {
	for _, c := range f.comps {
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return 0, 0
		}
		h, v = max(h, c.h), max(v, c.v)
	}
	return h, v
}

// A jpegTable decodes one Huffman code.
type jpegTable struct {
	fast  [1 << 9]uint16 // value and length<<8 by the next bits, 0 where the code is longer
	most  [17]int32      // largest code of each length, -1 where there is none
	first [17]int32      // index of the value of a code, less the code
	vals  []byte
}

// tables takes in a segment of Huffman tables.
func (f *jpegFrame) tables(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 17 || b[0]&15 > 3 || b[0]>>4 > 1 {
			return false
		}
		t := &jpegTable{}
		code, n := int32(0), int32(0)
		for l := 1; l <= 16; l++ {
			count := int32(b[l])
			t.first[l] = n - code
			code += count
			n += count
			t.most[l] = code - 1
			if count == 0 {
				t.most[l] = -1
			}
			if code > 1<<l {
				return false
			}
			code <<= 1
		}
		if n > 256 || len(b) < 17+int(n) {
			return false
		}
		t.vals = append(t.vals, b[17:17+n]...)
		k, at := 0, 0
		for l := 1; l <= 9; l++ {
			for range int(b[l]) {
				for i := range 1 << (9 - l) {
					t.fast[at<<(9-l)|i] = uint16(l)<<8 | uint16(t.vals[k])
				}
				at++
				k++
			}
			at <<= 1
		}
		if b[0]>>4 == 0 {
			f.dc[b[0]&15] = t
		} else {
			f.ac[b[0]&15] = t
		}
		b = b[17+n:]
	}
	return true
}

// jpegBits reads entropy-coded data bit by bit, up to a marker.
type jpegBits struct {
	c      *cursor
	acc    uint64
	n      int  // bits in acc
	marker byte // where one was met; then all that is left is in acc
	bad    bool // more was asked for than there is, or a code does not exist
}

func (r *jpegBits) fill() {
	for r.n <= 48 && r.marker == 0 {
		if b := r.c.buf; len(b) >= 4 && b[0] != 0xff && b[1] != 0xff && b[2] != 0xff && b[3] != 0xff && r.n <= 32 {
			r.acc = r.acc<<32 | uint64(be.Uint32(b))
			r.n += 32
			r.c.buf = b[4:]
			r.c.off += 4
			continue
		}
		b, err := r.c.ReadByte()
		if err == nil && b == 0xff {
			m := byte(0xff)
			for m == 0xff && err == nil {
				m, err = r.c.ReadByte()
			}
			if err == nil && m != 0 {
				r.marker = m
				return
			}
		}
		if err != nil {
			r.marker = 1 // none, but nothing more comes
			return
		}
		r.acc = r.acc<<8 | uint64(b)
		r.n += 8
	}
}

// code decodes one value.
func (r *jpegBits) code(t *jpegTable) int {
	if r.n < 16 {
		r.fill()
	}
	var look uint32 // the next 16 bits; ones behind the end, as the padding is
	if r.n >= 16 {
		look = uint32(r.acc>>(r.n-16)) & 0xffff
	} else {
		look = uint32(r.acc<<(16-r.n)|1<<(16-r.n)-1) & 0xffff
	}
	if e := t.fast[look>>7]; e != 0 {
		r.n -= int(e >> 8)
		r.bad = r.bad || r.n < 0
		return int(e & 0xff)
	}
	for l := 10; l <= 16; l++ {
		if c := int32(look >> (16 - l)); c <= t.most[l] {
			r.n -= l
			if i := int(t.first[l] + c); i >= 0 && i < len(t.vals) && r.n >= 0 {
				return int(t.vals[i])
			}
			break
		}
	}
	r.bad = true
	return 0
}

// bits reads n bits, at most 16.
func (r *jpegBits) bits(n int) int {
	if r.n < n {
		r.fill()
	}
	if r.n < n {
		r.bad = true
		return 0
	}
	r.n -= n
	return int(r.acc>>r.n) & (1<<n - 1)
}

// restart passes over a restart marker, which has to be the next in order.
func (r *jpegBits) restart(n int) bool {
	r.fill()
	if !r.padded() || r.marker != 0xd0+byte(n%8) {
		return false
	}
	r.acc, r.n, r.marker = 0, 0, 0
	return true
}

// padded reports whether nothing is left but the bits that fill the last byte.
func (r *jpegBits) padded() bool { return r.n < 8 && !r.bad }

// A jpegScan is one scan: which components it has, and which of their
// coefficients.
type jpegScan struct {
	f        *jpegFrame
	comps    []*jpegComp
	dc, ac   []*jpegTable
	from, to int
	refine   bool
	r        *jpegBits
	run      int // blocks to come without coefficients
	x, y, n  int // the MCU to come: place and number
	restarts int
}

// A jpegMark keeps the state of a scan at the last MCU that begins before an
// offset, so that what might follow there can be decoded without all before it.
type jpegMark struct {
	off  int64
	scan jpegScan
	bits jpegBits
	at   int64 // how far the bits had been read
	ok   bool
}

// keep takes the state of a scan.
func (m *jpegMark) keep(sc *jpegScan) {
	m.scan, m.bits, m.at, m.ok = *sc, *sc.r, sc.r.c.off, true
}

// resume goes on with a scan in another stream and reports whether it comes to
// the end of it.
func (m *jpegMark) resume(s *stream) bool {
	sc, bits := m.scan, m.bits
	bits.c = s.cursor(m.at)
	sc.r = &bits
	_, ok := sc.all()
	return ok && bits.padded()
}

// decode goes through the scan whose header is b and whose data lies at an
// offset. It gives the place of the marker behind it.
func (f *jpegFrame) decode(s *stream, b []byte, off int64) (end int64, restarts int) {
	n := 0
	if len(b) > 0 {
		n = int(b[0])
	}
	if n < 1 || n > len(f.comps) || len(b) != 4+2*n {
		return 0, 0
	}
	scan := &jpegScan{f: f, r: &jpegBits{c: s.cursor(off)}}
	for i := range n {
		for j := range f.comps {
			if f.comps[j].id == b[1+2*i] {
				scan.comps = append(scan.comps, &f.comps[j])
				break
			}
		}
		scan.dc = append(scan.dc, f.dc[b[2+2*i]>>4&3])
		scan.ac = append(scan.ac, f.ac[b[2+2*i]&3])
	}
	scan.from, scan.to, scan.refine = int(b[1+2*n]), int(b[2+2*n]), b[3+2*n]>>4 != 0
	if !f.progressive {
		scan.from, scan.to, scan.refine = 0, 63, false
	}
	if len(scan.comps) != n || scan.from > scan.to || scan.to > 63 || scan.from > 0 && n > 1 {
		return 0, 0
	}
	for i := range n {
		if scan.from == 0 && !scan.refine && scan.dc[i] == nil || scan.to > 0 && scan.ac[i] == nil {
			return 0, 0
		}
	}
	restarts, ok := scan.all()
	if !ok || !scan.r.padded() {
		return 0, 0
	}
	scan.r.fill()
	if scan.r.n >= 8 || scan.r.marker < 0xc0 {
		return 0, 0
	}
	return scan.r.c.off - 2, restarts
}

// all goes through the MCUs of a scan: a block of each component where it has
// one, else as many as its sampling says.
func (sc *jpegScan) all() (restarts int, ok bool) {
	f := sc.f
	hmax, vmax := f.most()
	mw, mh := (f.w+8*hmax-1)/(8*hmax), (f.h+8*vmax-1)/(8*vmax)
	single := len(sc.comps) == 1
	if single {
		c := sc.comps[0]
		mw, mh = (f.w*c.h+8*hmax-1)/(8*hmax), (f.h*c.v+8*vmax-1)/(8*vmax)
	}
	mark := sc.r.c.s.mark
	if f.progressive {
		mark = nil // what is known of coefficients would have to be kept, too
	}
	for ; sc.y < mh; sc.x, sc.y = 0, sc.y+1 {
		if sc.r.c.s.spent() {
			return 0, false
		}
		sc.r.c.s.charge(mw) // a block may take less than a byte, and for hostile pictures nothing
		for ; sc.x < mw; sc.x++ {
			if mark != nil && sc.r.c.off <= mark.off {
				mark.keep(sc)
			}
			if f.interval > 0 && sc.n > 0 && sc.n%f.interval == 0 {
				if !sc.r.restart(sc.restarts) {
					return 0, false
				}
				sc.run = 0
				sc.restarts++
			}
			sc.n++
			for i, c := range sc.comps {
				if single {
					sc.block(i, c, sc.y*c.w+sc.x)
					continue
				}
				for v := range c.v {
					for h := range c.h {
						sc.block(i, c, (sc.y*c.v+v)*c.w+sc.x*c.h+h)
					}
				}
			}
			if sc.r.bad {
				return 0, false
			}
		}
	}
	return sc.restarts, true
}

// block passes over one block of 64 coefficients.
func (sc *jpegScan) block(i int, c *jpegComp, at int) {
	r, k := sc.r, sc.from
	if k == 0 {
		if sc.refine {
			r.bits(1)
		} else {
			n := r.code(sc.dc[i])
			if n > 16 {
				r.bad = true
				return
			}
			r.bits(n)
		}
		if k++; sc.to == 0 {
			return
		}
	}
	var set *uint64
	if c.set != nil {
		if at >= len(c.set) {
			r.bad = true
			return
		}
		set = &c.set[at]
	}
	if sc.refine {
		sc.refined(i, set, k)
		return
	}
	if sc.run > 0 {
		sc.run--
		return
	}
	for t := sc.ac[i]; k <= sc.to && !r.bad; k++ {
		v := r.code(t)
		zeros, n := v>>4, v&15
		if n == 0 {
			if zeros == 15 {
				k += 15
				continue
			}
			if zeros > 0 && !sc.f.progressive {
				r.bad = true
			}
			sc.run = 1<<zeros - 1
			if zeros > 0 {
				sc.run += r.bits(zeros)
			}
			return
		}
		k += zeros
		r.bits(n)
		if k > sc.to {
			r.bad = true
		} else if set != nil {
			*set |= 1 << k
		}
	}
}

// refined passes over one more bit of each coefficient that is not zero, and over
// those that become so.
func (sc *jpegScan) refined(i int, set *uint64, k int) {
	r := sc.r
	if sc.run == 0 {
		for ; k <= sc.to && !r.bad; k++ {
			v := r.code(sc.ac[i])
			zeros, n := v>>4, v&15
			if n == 0 && zeros < 15 {
				sc.run = 1 << zeros
				if zeros > 0 {
					sc.run += r.bits(zeros)
				}
				break
			}
			if n > 1 {
				r.bad = true
				return
			}
			r.bits(n)
			for ; k <= sc.to; k++ {
				if *set>>k&1 != 0 {
					r.bits(1)
				} else if zeros--; zeros < 0 {
					break
				}
			}
			if n == 1 {
				if k > sc.to {
					r.bad = true
					return
				}
				*set |= 1 << k
			}
		}
	}
	if sc.run > 0 {
		for ; k <= sc.to; k++ {
			if *set>>k&1 != 0 {
				r.bits(1)
			}
		}
		sc.run--
	}
}
