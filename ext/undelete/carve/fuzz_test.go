package carve

import (
	"bytes"
	"testing"
)

// FuzzFind has hostile contents, whole.
func FuzzFind(f *testing.F) {
	var all []byte
	for _, s := range samples(f) {
		f.Add(s.data, uint16(0), false)
		f.Add(s.data, uint16(1), true)
		all = append(all, s.data...)
		all = append(all, make([]byte, (1024-len(all)%1024)%1024)...)
	}
	f.Add(all[:min(len(all), 100<<10)], uint16(7), false)
	f.Fuzz(func(t *testing.T, b []byte, used uint16, indirect bool) {
		if len(b) > 256<<10 {
			return
		}
		d := &disk{size: 1024}
		for i := 0; len(b) > 0; i++ { // each bit of used is a block in use
			n := min(len(b), d.size)
			d.put(b[:n], used>>(i%16)&1 == 0)
			b = b[n:]
		}
		first := d.find(t, Options{Indirect: indirect})
		again := d.find(t, Options{Indirect: indirect})
		if len(first) != len(again) {
			t.Fatalf("%d pieces, then %d", len(first), len(again))
		}
	})
}

// FuzzWalk has one walk after the other over hostile contents, also where they do
// not begin as the format does.
func FuzzWalk(f *testing.F) {
	for _, s := range samples(f) {
		b := append(s.data, make([]byte, 1024)...)
		f.Add(sniff(b), s.data)
	}
	f.Fuzz(func(t *testing.T, id uint8, b []byte) {
		if len(b) == 0 || len(b) > 256<<10 {
			return
		}
		w := &formats[1+int(id)%(len(formats)-1)]
		if int(id)%len(formats) == 0 {
			w = &textFormat
		}
		d := &disk{size: 1024}
		d.put(b, true)
		sp, err := newSpace(bytes.NewReader(d.b), d.free, Options{BlockSize: 1024})
		if err != nil {
			t.Fatal(err)
		}
		c := &carver{space: sp, work: 64 << 20}
		c.try(0, w)
		checkPieces(t, c.pieces, d.free, d.size)
	})
}
