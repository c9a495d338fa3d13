package image

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// A brokenReader fails from byte at on.
type brokenReader struct {
	r  io.ReaderAt
	at int64
}

var errBroken = errors.New("broken")

func (b *brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.at {
		return 0, errBroken
	}
	if off+int64(len(p)) > b.at {
		n, _ := b.r.ReadAt(p[:b.at-off], off)
		return n, errBroken
	}
	return b.r.ReadAt(p, off)
}

func randomBytes(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// Each kind of segment, one after another, is what its definition says byte by byte.
func TestMapped(t *testing.T) {
	a, b := randomBytes(64<<10, 1), randomBytes(64<<10, 2)
	ra, rb := bytes.NewReader(a), bytes.NewReader(b)
	in := func(r io.ReaderAt, at int64) area { return area{r: r, at: at, room: 64<<10 - at, name: "disk"} }
	m := &mapped{name: "v"}
	m.add(segment{length: 5000, areas: []area{in(ra, 100)}})
	m.add(segment{length: 3000, areas: []area{in(ra, 5100)}}) // goes on
	m.add(segment{length: 2048})
	m.add(segment{length: 8192, stripe: 1024, areas: []area{in(rb, 0), in(ra, 512)}})
	m.add(segment{length: 4096, mirrored: true, areas: []area{
		{r: &brokenReader{rb, 21000}, at: 20000, room: 8192, name: "bad"}, {r: nil, name: "none"}, in(rb, 20000),
	}})
	want := append(bytes.Clone(a[100:8100]), make([]byte, 2048)...)
	for i := range 4 {
		want = append(want, b[i*1024:][:1024]...)
		want = append(want, a[512+i*1024:][:1024]...)
	}
	want = append(want, b[20000:24096]...)
	if len(m.segments) != 4 || m.size != int64(len(want)) {
		t.Fatalf("%d segments, %d bytes, want %d", len(m.segments), m.size, len(want))
	}
	if err := iotest.TestReader(io.NewSectionReader(m, 0, m.size), want); err != nil {
		t.Error(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		off := r.Int64N(m.size)
		p := make([]byte, r.IntN(6000))
		n, err := m.ReadAt(p, off)
		whole := off+int64(len(p)) <= m.size
		if !bytes.Equal(p[:n], want[off:][:n]) || whole != (err == nil) || !whole && (err != io.EOF || off+int64(n) != m.size) {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
	budget := missingWork
	if n := m.missing(0, m.size, &budget); n != 0 {
		t.Errorf("%d bytes missing", n)
	}
	if _, err := m.ReadAt(make([]byte, 1), -1); !errors.Is(err, errNegative) {
		t.Error(err)
	}
}

// What no member gives is told with the range of the volume, and what lies before it read.
func TestMappedMissing(t *testing.T) {
	a := randomBytes(8<<10, 3)
	ra := bytes.NewReader(a)
	sub := &mapped{name: "part"}
	sub.add(segment{length: 4096, areas: []area{{r: ra, room: 3000, name: "cut"}}})
	m := &mapped{name: "v"}
	m.add(segment{length: 1024, areas: []area{{r: ra, room: 8 << 10, name: "disk"}}})
	m.add(segment{length: 4096, areas: []area{{r: sub, room: 4096, name: "part"}}})
	m.add(segment{length: 2048, stripe: 512, areas: []area{{r: ra, room: 8 << 10, name: "disk"}, {name: "gone"}}})
	m.add(segment{length: 1024, mirrored: true, areas: []area{{r: &brokenReader{ra, 100}, room: 1024, name: "b1"}, {r: &brokenReader{ra, 300}, room: 1024, name: "b2"}}})
	budget := missingWork
	if n := m.missing(0, m.size, &budget); n != 1096+1024 {
		t.Errorf("%d bytes missing", n)
	}
	p := make([]byte, m.size)
	n, err := m.ReadAt(p, 0)
	var missing *MissingError
	if n != 1024+3000 || !errors.As(err, &missing) || *missing != (MissingError{Name: "cut", Volume: "v", Offset: 4024, Length: 1096}) {
		t.Errorf("%d, %#v", n, err)
	}
	n, err = m.ReadAt(p[:2048], 5120)
	if n != 512 || !errors.As(err, &missing) || *missing != (MissingError{Name: "gone", Volume: "v", Offset: 5632, Length: 512}) {
		t.Errorf("%d, %#v", n, err)
	}
	var read *ReadError
	n, err = m.ReadAt(p[:1024], 7168)
	if n != 300 || !errors.As(err, &read) || read.Offset != 7168+300 || read.Length != 724 || !errors.Is(err, errBroken) {
		t.Errorf("%d, %v", n, err)
	}
	if _, ok := m.alone(); ok {
		t.Error("several segments are alone")
	}
	one := &mapped{name: "w"}
	one.add(segment{length: 1024, areas: []area{{r: sub, at: 512, room: 3584, name: "part"}}})
	if _, ok := one.alone(); ok {
		t.Error("a cut member is alone")
	}
}

// BenchmarkMapped reads 64 MiB in order, by pieces of 1 MiB, and 4 KiB at random places, of
// what lies as it is, in two segments, and in stripes of 64 KiB on two disks.
func BenchmarkMapped(b *testing.B) {
	const size = 64 << 20
	a, c := bytes.NewReader(make([]byte, size)), bytes.NewReader(make([]byte, size))
	whole := area{r: a, room: size}
	two := &mapped{}
	two.add(segment{length: size / 2, areas: []area{{r: c, room: size}}})
	two.add(segment{length: size / 2, areas: []area{whole}})
	stripes := &mapped{}
	stripes.add(segment{length: size, stripe: 64 << 10, areas: []area{whole, {r: c, room: size}}})
	for _, bb := range []struct {
		name string
		r    io.ReaderAt
	}{{"raw", a}, {"linear", two}, {"striped", stripes}} {
		b.Run(bb.name+"/sequential", func(b *testing.B) {
			p := make([]byte, 1<<20)
			b.SetBytes(size)
			for b.Loop() {
				for off := int64(0); off < size; off += int64(len(p)) {
					if _, err := bb.r.ReadAt(p, off); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(bb.name+"/random", func(b *testing.B) {
			p := make([]byte, 4096)
			r := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				if _, err := bb.r.ReadAt(p, r.Int64N(size/4096)*4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
