package image

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/xts"
)

// luks1Bytes is a header with one key slot, and one that is not used.
func luks1Bytes() []byte {
	b := make([]byte, luks1Len)
	copy(b, luksMagic+"\x00\x01aes")
	copy(b[0x28:], "xts-plain64")
	copy(b[0x48:], "sha256")
	be.PutUint32(b[0x68:], 2056)
	be.PutUint32(b[0x6c:], 32)
	copy(b[0x70:], bytes.Repeat([]byte{0xd1}, 20))
	copy(b[0x84:], bytes.Repeat([]byte{0x5a}, 32))
	be.PutUint32(b[0xa4:], 1000)
	copy(b[0xa8:], testUUID)
	for i := range luks1Slots {
		be.PutUint32(b[0xd0+i*0x30:], luks1Dead)
		be.PutUint32(b[0xd0+i*0x30+0x28:], uint32(8+256*i))
		be.PutUint32(b[0xd0+i*0x30+0x2c:], 4000)
	}
	be.PutUint32(b[0xd0+0x30:], luks1Active)
	be.PutUint32(b[0xd0+0x34:], 2000)
	return b
}

func TestDecodeLUKS1(t *testing.T) {
	for _, tt := range []struct {
		name    string
		at      int
		hex     string
		err     string
		skipped string
	}{
		{"as it is", 0, "", "<nil>", ""},
		{"cipher", 0x8, hex.EncodeToString([]byte("serpent\x00")), `cipher "serpent-xts-plain64" is not supported`, ""},
		{"mode", 0x28, hex.EncodeToString([]byte("xts-\x1b[2J\x00")), `cipher "aes-xts-\x1b[2J" is not supported`, ""},
		{"hash", 0x48, hex.EncodeToString([]byte("whirlpool\x00")), `hash "whirlpool" is not supported`, ""},
		{"detached", 0x68, "00000000", errDetached.Error(), ""},
		{"key of 31 bytes", 0x6c, "0000001f", "a key of 31 bytes is not supported", ""},
		{"key of 4 GiB", 0x6c, "ffffffff", "a key of 4294967295 bytes is not supported", ""},
		{"state", 0xd0 + 0x60, "0000cafe", "<nil>", "key slot 2: state 0xcafe at byte 304 cannot be"},
		{"area", 0xd0 + 0x30 + 0x28, "ffffffff", "<nil>", "key slot 1: its area at byte 2199023255040 is not in the volume"},
		{"area in the header", 0xd0 + 0x30 + 0x28, "00000000", "<nil>", "key slot 1: its area at byte 0 is not in the volume"},
		{"stripes", 0xd0 + 0x30 + 0x2c, "00080001", "<nil>", "key slot 1: 524289 stripes cannot be"},
		{"no stripes", 0xd0 + 0x30 + 0x2c, "00000000", "<nil>", "key slot 1: 0 stripes cannot be"},
	} {
		b := luks1Bytes()
		copy(b[tt.at:], unhex(t, tt.hex))
		h, err := decodeLUKS1(b, 4*mib)
		if fmt.Sprint(err) != tt.err {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.err)
		}
		if h == nil {
			continue
		}
		if h.at != 2056*512 || h.sector != 512 || h.cipher != (luksCipher{xts: true, wide: true}) || strings.Join(h.skipped, "; ") != tt.skipped {
			t.Errorf("%s: %+v", tt.name, h)
		}
		if tt.skipped == "" || strings.HasPrefix(tt.skipped, "key slot 2") {
			if len(h.slots) != 1 || h.slots[0].name != "1" || h.slots[0].at != 264*512 || h.slots[0].stripes != 4000 ||
				h.slots[0].kdf.Iterations != 2000 || h.slots[0].digests[0].Iterations != 1000 || h.slots[0].keyLen != 32 {
				t.Errorf("%s: %+v", tt.name, h.slots)
			}
		} else if len(h.slots) != 0 {
			t.Errorf("%s: %+v", tt.name, h.slots)
		}
	}
}

// luks2Bytes is a header of 16 KiB, sealed.
func luks2Bytes(text string, at int64, seq uint64) []byte {
	b := make([]byte, luks2Min)
	copy(b, luksMagic)
	if at != 0 {
		copy(b, luksMagic2)
	}
	be.PutUint16(b[0x6:], 2)
	be.PutUint64(b[0x8:], luks2Min)
	be.PutUint64(b[0x10:], seq)
	copy(b[0x48:], "sha256")
	copy(b[0xa8:], testUUID)
	be.PutUint64(b[0x100:], uint64(at))
	copy(b[luks2BinLen:], text)
	sealLUKS2(b)
	return b
}

func sealLUKS2(b []byte) {
	clear(b[0x1c0:0x200])
	sum := sha256.Sum256(b)
	copy(b[0x1c0:], sum[:])
}

// luks2Text is the JSON area of a fixture.
func luks2Text(t testing.TB, name string) (text string, disk []byte) {
	t.Helper()
	disk, err := os.ReadFile(volumeFiles(t, "luks/"+name)[0])
	if err != nil {
		t.Fatal(err)
	}
	return cstring(disk[luks2BinLen:luks2Min]), disk
}

// What is not supported or cannot be is named. No passphrase is asked for in vain.
func TestLUKS2Refuses(t *testing.T) {
	text, disk := luks2Text(t, "v2-512")
	for _, tt := range []struct{ old, new, err string }{
		{`"config":{`, `"config":{"requirements":{"mandatory":["online-reencrypt-v2"]},`, `re-encryption is in progress (requirement "online-reencrypt-v2"): not supported`},
		{`"config":{`, `"config":{"requirements":{"mandatory":["opal\u001b"]},`, `requirement "opal\x1b" is not supported`},
		{`"keyslots":{`, `"keyslots":{"7":{"type":"reencrypt"},`, "re-encryption is in progress: not supported"},
		{`"segments":{`, `"segments":{"1":{"type":"linear","offset":"4096","size":"dynamic"},`, "2 segments, want 1: not supported"},
		{`"iv_tweak"`, `"flags":["in-reencryption"],"iv_tweak"`, `a segment with flag "in-reencryption" is not supported`},
		{`"iv_tweak"`, `"integrity":{"type":"hmac(sha256)"},"iv_tweak"`, `integrity protection ("hmac(sha256)") is not supported`},
		{`"type":"crypt"`, `"type":"hw-opal-crypt"`, `a segment of type "hw-opal-crypt" is not supported`},
		{`"sector_size":512`, `"sector_size":8192`, "sectors of 8192 bytes cannot be"},
		{`"sector_size":512`, `"sector_size":0`, "sectors of 0 bytes cannot be"},
		{`"offset":"524288"`, `"offset":"0"`, errDetached.Error()},
		{`"offset":"524288"`, `"offset":"524289"`, "a segment at byte 524289 cannot be"},
		{`"offset":"524288"`, `"offset":"1099511627776"`, "the data begin at byte 1099511627776 of 1048576: cut off, or a detached header, which is not supported"},
		{`"offset":"524288"`, `"offset":"-512"`, "a segment at byte -512 cannot be"},
		{`"size":"dynamic"`, `"size":"-1"`, `a segment of "-1" bytes cannot be`},
		{`"encryption":"aes-xts-plain64","sector`, `"encryption":"aegis128-random","sector`, `cipher "aegis128-random" is not supported`},
		{`"af":{`, `"af":7,"no":{`, "no header is sound: header at byte 0: its JSON area: json: cannot unmarshal number into Go struct field"},
	} {
		b := bytes.Clone(disk)
		changed := strings.ReplaceAll(text, tt.old, tt.new)
		copy(b, luks2Bytes(changed, 0, 9))
		copy(b[luks2Min:], luks2Bytes(changed, luks2Min, 9))
		_, _, err := Options{}.openLUKS(bytes.NewReader(b), int64(len(b)), func() ([]byte, error) {
			t.Errorf("%s: asked", tt.new)
			return nil, nil
		})
		if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %s", tt.new, err, tt.err)
		}
	}
	// What is wrong with key slots is told once none of the others fits.
	for _, tt := range []struct{ old, new, err string }{
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"argon2id","time":4,"memory":1073741824,"cpus":4`, "argon2id asks for 1048576 MiB of memory, and 1024 MiB are allowed"},
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"argon2id","time":4000000000,"memory":32,"cpus":4`, "argon2id asks for 4000000000 passes over 0 MiB of memory: too much work"},
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"argon2i","time":4,"memory":32,"cpus":255`, "argon2i of 4 passes, 32 KiB and 255 threads cannot be"},
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"argon2i","time":0,"memory":32,"cpus":1`, "argon2i of 0 passes, 32 KiB and 1 threads cannot be"},
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"pbkdf2","hash":"sha256","iterations":4294967295`, "pbkdf2 asks for 4294967295 iterations: too much work"},
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"pbkdf2","hash":"sha256","iterations":-1`, "pbkdf2 of -1 iterations cannot be"},
		{`"type":"pbkdf2","hash":"sha256","iterations":1000`, `"type":"scrypt"`, `key derivation "scrypt" is not supported`},
		{`"stripes":4000`, `"stripes":9000000`, "9000000 stripes cannot be"},
		{`"stripes":4000`, `"stripes":-1`, "-1 stripes cannot be"},
		{`"hash":"sha256"},"area"`, `"hash":"tiger"},"area"`, `hash "tiger" is not supported`},
		{`"encryption":"aes-xts-plain64","key_size":32`, `"encryption":"serpent-xts-plain64","key_size":32`, `cipher "serpent-xts-plain64" is not supported`},
		{`"encryption":"aes-xts-plain64","key_size":32`, `"encryption":"aes-xts-plain64","key_size":16`, `a key of 16 bytes is not supported`},
		{`"type":"luks2","key_size":32`, `"type":"luks2","key_size":99`, `a volume key of 99 bytes is not supported`},
		{`"digest":"`, `"digest":"AAAA","old":"`, `no digest is for it`},
	} {
		b := bytes.Clone(disk)
		changed := strings.ReplaceAll(text, tt.old, tt.new)
		copy(b, luks2Bytes(changed, 0, 9))
		_, _, err := Options{}.openLUKS(bytes.NewReader(b), int64(len(b)), func() ([]byte, error) { return []byte("third"), nil })
		if err == nil || changed == text || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %s", tt.new, err, tt.err)
		}
	}
	// One that cannot be tried is no hindrance.
	b := bytes.Clone(disk)
	copy(b, luks2Bytes(strings.Replace(text, `"type":"pbkdf2"`, `"type":"scrypt"`, 1), 0, 9))
	if _, _, err := (Options{}).openLUKS(bytes.NewReader(b), int64(len(b)), func() ([]byte, error) { return []byte("third"), nil }); err != nil {
		t.Error(err)
	}
}

// The newest header that is sound is used, wherever the other is damaged.
func TestLUKS2Copies(t *testing.T) {
	text, disk := luks2Text(t, "v2-512")
	const broken = `{"segments":{}}`
	for _, tt := range []struct {
		name          string
		first, second []byte
		err, warning  string
	}{
		{"both", luks2Bytes(text, 0, 3), luks2Bytes(text, luks2Min, 3), "", ""},
		{"first is older", luks2Bytes(broken, 0, 3), luks2Bytes(text, luks2Min, 4), "", "the header at byte 0 is change 3, that at byte 16384 change 4: the newer one is used"},
		{"second is older", luks2Bytes(text, 0, 4), luks2Bytes(broken, luks2Min, 3), "", "the header at byte 0 is change 4, that at byte 16384 change 3: the newer one is used"},
		{"first is zeros", make([]byte, luks2Min), luks2Bytes(text, luks2Min, 3), "", "header at byte 0: no magic; the second one is used"},
		{"second is zeros", luks2Bytes(text, 0, 3), make([]byte, luks2Min), "", "second header: header at byte 16384: no magic"},
		{"first is damaged", append(luks2Bytes(text, 0, 3)[:5000], make([]byte, luks2Min-5000)...), luks2Bytes(text, luks2Min, 3), "", "header at byte 0: its checksum does not match; the second one is used"},
		{"second is elsewhere's", luks2Bytes(text, 0, 3), luks2Bytes(text, 2*luks2Min, 4), "", "second header: header at byte 16384: it says that it lies at byte 32768"},
		{"none", luks2Bytes("{", 0, 3), luks2Bytes("[]", luks2Min, 3), "no header is sound: header at byte 0: its JSON area: unexpected end of JSON input; header at byte 16384: its JSON area: json: cannot unmarshal array", ""},
		{"without end", luks2Bytes(strings.Repeat(" ", luks2Min-luks2BinLen), 0, 3), luks2Bytes("", luks2Min, 3), "no header is sound: header at byte 0: its JSON area has no end", ""},
		{"many objects", luks2Bytes(`{"keyslots":{`+manyObjects(33)+`}}`, 0, 3), luks2Bytes(`{"keyslots":{`+manyObjects(33)+`}}`, luks2Min, 3), "no header is sound: header at byte 0: its JSON area: more than 32 objects", ""},
	} {
		b := bytes.Clone(disk)
		copy(b, tt.first)
		copy(b[luks2Min:], tt.second)
		h, err := readLUKS2(bytes.NewReader(b), int64(len(b)))
		if tt.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil || len(h.slots) == 0 || strings.Join(h.warnings, "\n") != tt.warning {
			t.Errorf("%s: %+v, %v", tt.name, h, err)
		}
	}
}

func manyObjects(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"%d":{}`, i))
	}
	return strings.Join(list, ",")
}

// A warning of damage comes with the volume, and a damaged first header is found to be one.
func TestLUKS2SecondHeader(t *testing.T) {
	disk := volumeFiles(t, "luks/v2-512")
	f, err := os.OpenFile(disk[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	im, _ := withKey(t, "third", disk...)
	p, err := im.Select("")
	if err != nil || p.Content.Label != "v2-512" {
		t.Errorf("%+v, %v", p, err)
	}
	warned(t, volumesOf(t, im).Partitions[0].Warnings, "header at byte 0: no magic; the second one is used")
}

// More memory than is usual is spent only where that was said.
func TestKDFMemory(t *testing.T) {
	kdf := luksKDF{Type: "argon2id", Time: 1, Memory: 2 << 10, CPUs: 1, Salt: make([]byte, 32)}
	if _, err := kdf.derive(nil, 32, newKDFBudget(1<<20)); err == nil {
		t.Error("2 MiB were taken of 1 MiB")
	}
	budget := newKDFBudget(2 << 20)
	for range maxPasses {
		if _, err := kdf.derive(nil, 32, budget); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := kdf.derive(nil, 32, budget); err == nil || !strings.Contains(err.Error(), "too much work") {
		t.Error(err)
	}
	if b := newKDFBudget(1 << 40); b.memory != MaxKDFMemory {
		t.Errorf("%d bytes", b.memory)
	}
}

// XTS is that of golang.org/x/crypto and of IEEE 1619, whose vector 10 begins so.
func TestXTS(t *testing.T) {
	key := unhex(t, "2718281828459045235360287471352662497757247093699959574966967627 3141592653589793238462643383279502884197169399375105820974944592")
	c, err := luksCipher{xts: true, wide: true}.keyed(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, 512)
	for i := range plain {
		plain[i] = byte(i)
	}
	theirs, err := xts.NewCipher(aes.NewCipher, key)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	theirs.Encrypt(b, plain, 0xff)
	if !bytes.HasPrefix(b, unhex(t, "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b")) {
		t.Errorf("%x", b[:32])
	}
	c.decrypt(b, 512, 0xff)
	if !bytes.Equal(b, plain) {
		t.Error("not decrypted")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{512, 1024, 2048, 4096} {
		for _, wide := range []bool{true, false} {
			c.wide = wide
			want := randomBytes(3*size, uint64(size))
			got, first := bytes.Clone(want), rnd.Uint64()
			c.decrypt(got, size, first)
			for i := range 3 {
				n := first + uint64(i*size/512)
				if !wide {
					n = uint64(uint32(n))
				}
				theirs.Decrypt(want[i*size:][:size], want[i*size:][:size], n)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("sectors of %d bytes, wide %v: differ", size, wide)
			}
		}
	}
}

var smallBudget = kdfBudget{memory: 1 << 20, pbkdf2: 4000, argon2: 4 << 20}

// peekLUKS opens and reads what a header says, by a key that is cheap to derive.
func peekLUKS(t *testing.T, h *luksHeader, b []byte) {
	t.Helper()
	if h.at < 0 || h.size < 0 || h.at+h.size > int64(len(b)) || h.sector < 512 || h.size%int64(h.sector) != 0 {
		t.Fatalf("%+v of %d bytes", h, len(b))
	}
	budget := smallBudget
	key, err := h.unlock(bytes.NewReader(b), []byte("third"), &budget)
	if err != nil {
		if err.Error() == "" {
			t.Error("an error without words")
		}
		key = make([]byte, 32)
	}
	c, err := h.cipher.keyed(key)
	if err != nil {
		return
	}
	v := &luksVolume{r: bytes.NewReader(b), at: h.at, size: h.size, sector: int64(h.sector), tweak: h.tweak, cipher: c}
	p := make([]byte, 5000)
	for _, off := range []int64{0, h.size / 2, h.size - 100} {
		if n, err := v.ReadAt(p, max(off, 0)); n < len(p) && err == nil {
			t.Fatalf("%d bytes without error", n)
		}
	}
}

// FuzzLUKS1 changes a header.
func FuzzLUKS1(f *testing.F) {
	f.Add(luks1Bytes())
	disk, err := os.ReadFile(volumeFiles(f, "luks/v1-xts")[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(disk[:luks1Len])
	f.Fuzz(func(t *testing.T, head []byte) {
		b := bytes.Clone(disk)
		copy(b, head[:min(len(head), luks1Len)])
		h, err := readLUKS(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		peekLUKS(t, h, b)
	})
}

// FuzzLUKS2 changes the fields of both headers, and the JSON area; checksums are made right.
func FuzzLUKS2(f *testing.F) {
	for _, name := range []string{"v2-512", "v2-4k", "v2-cbc"} {
		text, _ := luks2Text(f, name)
		f.Add(text, []byte{}, false)
		f.Add(text, []byte("\x00\x0f\x20\x00\x10\x01"), true)
	}
	_, disk := luks2Text(f, "v2-512")
	f.Fuzz(func(t *testing.T, text string, patches []byte, swap bool) {
		if len(text) > luks2Min-luks2BinLen {
			return
		}
		heads := [2][]byte{luks2Bytes(text, 0, 3), luks2Bytes(text, luks2Min, 3)}
		for ; len(patches) >= 3; patches = patches[3:] { // place, value
			h := heads[patches[0]>>7]
			h[int(patches[0]&3)<<8|int(patches[1])] = patches[2]
		}
		sealLUKS2(heads[0])
		sealLUKS2(heads[1])
		b := bytes.Clone(disk)
		if swap {
			clear(b[:luks2Min])
		} else {
			copy(b, heads[0])
		}
		copy(b[luks2Min:], heads[1])
		h, err := readLUKS(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		peekLUKS(t, h, b)
	})
}

// A header that is changed anywhere, or a volume that ends early, gives no other bytes
// than before: LUKS2 by its checksums, LUKS1 as far as the digest of the key reaches.
func TestLUKSCorruptions(t *testing.T) {
	for _, name := range []string{"v1-xts", "v2-512", "v2-4k"} {
		_, disk := luks2Text(t, name)
		key := "third"
		if name == "v2-4k" {
			key = "extscope"
		}
		open := func(b []byte) (*luksVolume, error) {
			r, _, err := Options{}.openLUKS(bytes.NewReader(b), int64(len(b)), func() ([]byte, error) { return []byte(key), nil })
			if err != nil {
				return nil, err
			}
			return r.(*luksVolume), nil
		}
		whole, err := open(disk)
		if err != nil {
			t.Fatal(name, err)
		}
		want := make([]byte, whole.size)
		if _, err := whole.ReadAt(want, 0); err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(4, 5))
		opened := 0
		for range *corruptions {
			b := bytes.Clone(disk)
			if rnd.IntN(4) == 0 {
				b = b[:rnd.IntN(len(b))]
			} else {
				for range 1 + rnd.IntN(3) {
					at := rnd.IntN(2 * luks2Min)
					if name == "v1-xts" { // its fields that the key's digest depends on
						at = 0x70 + rnd.IntN(0xa4-0x70)
					}
					b[at] ^= 1 << rnd.IntN(8)
				}
			}
			v, err := open(b)
			if err != nil {
				continue
			}
			opened++
			got := make([]byte, v.size)
			if n, err := v.ReadAt(got, 0); err != nil || v.size > whole.size || !bytes.Equal(got[:n], want[:n]) {
				t.Fatalf("%s: %d bytes, %v", name, n, err)
			}
		}
		if name != "v1-xts" && opened == 0 {
			t.Errorf("%s: none was opened", name)
		}
	}
}

// The splitter's parts are diffused as cryptsetup does, for hashes that are no divisor of
// the key's length, too; the fixtures hold the rest.
func TestAFMerge(t *testing.T) {
	for _, name := range []string{"sha1", "sha256", "sha512", "ripemd160"} {
		h, err := luksHash(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{16, 32, 64} {
			key := randomBytes(n, uint64(n))
			split := randomBytes(n*5, 7)
			sum := make([]byte, n)
			for i := range 4 {
				for k := range n {
					sum[k] ^= split[i*n+k]
				}
				diffuseSlowly(sum, h)
			}
			for k := range n {
				split[4*n+k] = sum[k] ^ key[k]
			}
			if got := afMerge(split, n, 5, h()); !bytes.Equal(got, key) {
				t.Errorf("%s: %x, want %x", name, got, key)
			}
		}
	}
	if _, err := luksHash("SHA256"); err != nil {
		t.Error(err)
	}
	if err := (&KeyError{Tried: 1, Skipped: []string{"a"}}).Error(); err != "no key slot fits the passphrase (1 tried; a)" {
		t.Error(err)
	}
}

func diffuseSlowly(b []byte, h func() hash.Hash) {
	size := h().Size()
	for i := 0; i*size < len(b); i++ {
		end := min((i+1)*size, len(b))
		d := h()
		d.Write([]byte{0, 0, 0, byte(i)})
		d.Write(b[i*size : end])
		copy(b[i*size:end], d.Sum(nil))
	}
}
