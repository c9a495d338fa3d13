package layout

import "testing"

// Key and message count up from 0; the sums are those of openssl mac SIPHASH
// with -macopt size:8, 15 bytes being the example of the SipHash paper.
func TestSipDirHash(t *testing.T) {
	var key [16]byte
	for i := range key {
		key[i] = byte(i)
	}
	for n, sum := range map[int]string{
		0: "310e0edd47db6f72", 1: "fd67dc93c539f874", 7: "37d1018bf50002ab", 8: "6224939a79f5f593", 9: "b0e4a90bdf82009e",
		15: "e545be4961ca29a1", 16: "db9bc2577fcc2a3f", 63: "724506eb4c328a95", 255: "1ab24dc7fe69c1a9",
	} {
		message := make([]byte, n)
		for i := range message {
			message[i] = byte(i)
		}
		want := le.Uint64(hexBytes(t, sum))
		if got := sipHash24(le.Uint64(key[0:]), le.Uint64(key[8:]), message); got != want {
			t.Errorf("%d bytes: sum %#x, want %#x", n, got, want)
		}
		hash, minor := SipDirHash(key, message)
		if hash != uint32(want>>32)&^1 || minor != uint32(want) {
			t.Errorf("%d bytes: hash %#x minor %#x, sum %#x", n, hash, minor, want)
		}
	}
}
