package image

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// inflateInputs are bytes of several kinds.
func inflateInputs(t testing.TB) map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise, skewed := make([]byte, 100_000), make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for i := range skewed { // long codes
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	self, err := os.ReadFile("inflate.go")
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"nothing": nil, "one": {7}, "zeros": make([]byte, 100_000), "noise": noise, "skewed": skewed, "text": self,
		"pairs": bytes.Repeat([]byte{1, 2}, 5000), "threes": bytes.Repeat([]byte("abc"), 5000), "sevens": bytes.Repeat([]byte("abcdefg"), 5000),
	}
}

// Whatever compress/flate writes is read back.
func TestInflate(t *testing.T) {
	for name, want := range inflateInputs(t) {
		for level := -2; level <= 9; level++ {
			var z bytes.Buffer
			w, err := flate.NewWriter(&z, level)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write(want[:len(want)/2])
			_ = w.Flush()
			_, _ = w.Write(want[len(want)/2:])
			w.Close()
			stream := append(z.Bytes(), "behind it"...)
			dst := make([]byte, len(want)+level+2)
			n, used, err := inflate(dst, stream)
			if err != nil || used != len(stream)-9 || !bytes.Equal(dst[:n], want) {
				t.Errorf("%s, level %d: %d of %d bytes, used %d of %d, %v", name, level, n, len(want), used, len(stream)-9, err)
			}
			if len(want) == 0 {
				continue
			}
			if _, _, err := inflate(dst[:len(want)-1], stream); err != errTooLong {
				t.Errorf("%s, level %d, room for less: %v", name, level, err)
			}
			for cut := 0; cut < z.Len(); cut += 1 + z.Len()/50 {
				if n, _, err := inflate(dst, stream[:cut]); err == nil {
					t.Errorf("%s, level %d, cut at %d: %d bytes", name, level, cut, n)
				}
			}
		}
	}
}

// Streams that zlib(3) refuses, or takes though they are odd.
func TestInflateOdd(t *testing.T) {
	for _, tt := range []struct{ name, hex, want string }{
		{"block type 3", "07", "deflate stream cannot be right"},
		{"stored, wrong complement", "01 0100 0000 00", "deflate stream cannot be right"},
		{"stored", "01 0100 feff 41", `"A"`},
		{"stored, cut", "01 0200 fdff 41", "unexpected EOF"},
		{"fixed, distance too far", "03 02 00 00", "deflate stream cannot be right"},
		{"fixed, symbol 286", "1b 03 00 00", "deflate stream cannot be right"},
		{"too many distances", "05 1f 00 00", "deflate stream cannot be right"},
		{"no code of lengths", "05 00 00 00 00 00", "deflate stream cannot be right"},
		{"empty", "", "unexpected EOF"},
		{"fixed, empty", "0300", `""`},
	} {
		dst := make([]byte, 10)
		n, _, err := inflate(dst, unhex(t, tt.hex))
		got := fmt.Sprintf("%q", dst[:n])
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// FuzzInflate holds what is read of any bytes against compress/flate.
func FuzzInflate(f *testing.F) {
	for _, b := range inflateInputs(f) {
		for _, level := range []int{1, 9, -2} {
			var z bytes.Buffer
			w, _ := flate.NewWriter(&z, level)
			_, _ = w.Write(b[:min(len(b), 3000)])
			w.Close()
			f.Add(z.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(b)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(in), 1<<16+1))
		dst := make([]byte, 1<<16)
		n, used, err := inflate(dst, b)
		switch {
		case len(want) > 1<<16:
			if err == nil {
				t.Fatal("more than there is room for")
			}
		case (err == nil) != (wantErr == nil):
			t.Fatalf("%d bytes, %v; want %d, %v", n, err, len(want), wantErr)
		case err == nil && (!bytes.Equal(dst[:n], want) || used != len(b)-in.Len()):
			t.Fatalf("%d bytes of %d used, want %d of %d", n, used, len(want), len(b)-in.Len())
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	text := inflateInputs(b)["text"]
	text = bytes.Repeat(text, 1+32768/len(text))[:32768]
	stream := deflated(text)
	dst := make([]byte, len(text))
	b.Run("slices", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := inflateZlib(dst, stream, len(dst)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("zlib", func(b *testing.B) { // of the standard library
		b.SetBytes(int64(len(text)))
		r, err := zlib.NewReader(bytes.NewReader(stream))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := r.(zlib.Resetter).Reset(bytes.NewReader(stream), nil); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(r, dst); err != nil {
				b.Fatal(err)
			}
		}
	})
}
