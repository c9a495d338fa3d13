package layout

import (
	"bytes"
	"testing"
)

// TestIllegalName puts each byte at each place of names of all lengths up to 40, between bytes
// next to those that are illegal.
func TestIllegalName(t *testing.T) {
	for _, around := range []byte{0x01, 0x2e, 0x30, 0x7f, 0x80, 0xaf, 0xff} {
		for n := range 41 {
			name := bytes.Repeat([]byte{around}, n)
			for at := range n {
				for c := range 256 {
					name[at] = byte(c)
					if want := c == 0 || c == '/'; IllegalName(name) != want {
						t.Fatalf("%q: %v", name, !want)
					}
				}
				name[at] = around
			}
			if IllegalName(name) {
				t.Fatalf("%q", name)
			}
		}
	}
}
