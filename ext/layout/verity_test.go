package layout

import (
	"fmt"
	"testing"
)

// Made by hand after struct fsverity_descriptor. The root hash is that of an
// empty file (all zeros), or 01 02 03 and zeros.
func TestDecodeVerityDescriptor(t *testing.T) {
	const root = "010203 .61. "
	for _, tt := range []struct{ name, dump, want, error string }{
		{"sha256", "01 01 0c 00 00000000 0010000000000000 .64. .32. .144.", "sha256 12 4096 root 32 salt  sig ", ""},
		{"sha512, salted", "01 02 0c 03 00000000 0000000001000000 " + root + "aabbcc .29. .144.", "sha512 12 4294967296 root 64 salt aabbcc sig ", ""},
		{"signed", "01 01 0a 20 02000000 0100000000000000 " + root + "aa .31. .144. 3082 ff", "sha256 10 1 root 32 salt aa" + fmt.Sprintf("%062d", 0) + " sig 3082", ""},
		{"unknown digest", "01 07 0c 00 00000000 0100000000000000 " + root + ".176.", "unknown digest 7 12 1 root 64 salt  sig ", ""},
		{"version", "02 01 0c 00 .252.", "", "corrupt verity descriptor: version is 0x2 at byte 512"},
		{"salt too long", "01 01 0c 21 .252.", "", "corrupt verity descriptor: salt_size is 0x21 at byte 515"},
		{"signature past the end", "01 01 0c 00 01000000 .248.", "", "corrupt verity descriptor: sig_size is 0x1 at byte 516"},
		{"huge signature", "01 01 0c 00 ffffffff .248.", "", "corrupt verity descriptor: sig_size is 0xffffffff at byte 516"},
		{"short", "01 .254.", "", "corrupt verity descriptor: length is 0xff at byte 512"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := DecodeVerityDescriptor(hexBytes(t, tt.dump), 512)
			wantError(t, err, tt.error)
			if err != nil {
				return
			}
			got := fmt.Sprintf("%s %d %d root %d salt %x sig %x", d.Hash, d.LogBlockSize, d.DataSize, len(d.RootHash), d.Salt, d.Signature)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzDecodeVerityDescriptor(f *testing.F) {
	f.Add(hexBytes(f, "01 01 0c 03 02000000 0010000000000000 .64. .32. .144. 3082"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeVerityDescriptor(b, 0)
		if err == nil && (len(d.Salt) > 32 || len(d.RootHash) > 64 || len(d.Signature) > len(b)) {
			t.Errorf("%+v", d)
		}
	})
}
