package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// withKey opens the first of paths with the others and a key, and counts how often it is
// asked for.
func withKey(t testing.TB, key string, paths ...string) (*Image, *int) {
	t.Helper()
	asked := new(int)
	im, err := Open(paths[0], Options{With: paths[1:], Passphrase: func(string) ([]byte, error) {
		*asked++
		return []byte(key), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im, asked
}

// Volumes that the kernel's dm-crypt wrote are read as it read them: each of the ciphers,
// with each of the keys.
func TestLUKS(t *testing.T) {
	truth := volumeTruth(t)
	for name, keys := range map[string][]string{
		"v1-xts": {"second\n", "third"}, "v2-512": {"second\n", "third"},
		"v1-essiv": {"extscope"}, "v1-plain": {"extscope"}, "v2-4k": {"extscope"}, "v2-cbc": {"extscope"},
	} {
		for _, key := range keys {
			im, asked := withKey(t, key, volumeFiles(t, "luks/"+name)...)
			p, err := im.Select("")
			if err != nil || p.Content.Label != name || p.Scheme != "luks" || p.Start != -1 || *asked != 1 {
				t.Errorf("%s, %q: %+v, %v, asked %d times", name, key, p, err, *asked)
				continue
			}
			if got, want := sum(t, im.Section(p)), truth["luks "+name]; got != want {
				t.Errorf("%s, %q: got %s, the kernel read %s", name, key, got, want)
			}
			readsAlike(t, im.Section(p))
		}
		for _, key := range []string{"wrong", "", "second", strings.Repeat("x", 1000)} {
			im, _ := withKey(t, key, volumeFiles(t, "luks/"+name)...)
			_, err := im.Select("")
			var wrong *KeyError
			var none *NotExtError
			if !errors.As(err, &wrong) || wrong.Tried == 0 || len(wrong.Skipped) > 0 || !errors.As(err, &none) {
				t.Errorf("%s, %q: %v", name, key, err)
			}
		}
	}
}

// readsAlike reads at random places from eight goroutines, and all at once.
func readsAlike(t *testing.T, r *Section) {
	t.Helper()
	want, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]byte, len(want)+100)
	if n, err := r.ReadAt(all, 0); n != len(want) || err != io.EOF || !bytes.Equal(all[:n], want) {
		t.Errorf("%d of %d bytes at once, %v", n, len(want), err)
	}
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 1))
			b := make([]byte, 300<<10)
			for range 60 {
				off, n := rnd.IntN(len(want)), rnd.IntN(1+rnd.IntN(len(b)))
				n = min(n, len(want)-off)
				if got, err := r.ReadAt(b[:n], int64(off)); got != n || err != nil && err != io.EOF || !bytes.Equal(b[:n], want[off:off+n]) {
					t.Errorf("%d of %d bytes at %d, %v", got, n, off, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// From a table over encryption and a volume group to a file system.
func TestLUKSNested(t *testing.T) {
	truth := volumeTruth(t)
	disk := volumeFiles(t, "nested/disk")
	im, asked := withKey(t, "extscope", disk...)
	if p, err := im.Select("boot"); err != nil || p.Number != 1 || *asked != 0 {
		t.Errorf("%+v, %v, asked %d times", p, err, *asked)
	}
	for _, name := range []string{"root", "home"} {
		p, err := im.Select("vgsealed/" + name)
		if err != nil || p.Content.Label != name || *asked != 1 {
			t.Fatalf("%+v, %v, asked %d times", p, err, *asked)
		}
		if got, want := sum(t, im.Section(p)), truth["nested vgsealed/"+name]; got != want {
			t.Errorf("%s: got %s, the kernel read %s", name, got, want)
		}
	}
	want := `1<0 gpt gpt "boot" Linux file system: ext4
2<0 gpt gpt "system" Linux file system: LUKS2
3<2 luks decrypted "" LUKS2: LVM2 member
4<3 lvm2 lv "vgsealed/root" linear: ext4
5<3 lvm2 lv "vgsealed/home" linear: ext4
`
	if got := outline(volumesOf(t, im)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	// A file system beside what a wrong key was for is taken only when it is asked for.
	im, _ = withKey(t, "wrong", disk...)
	var wrong *KeyError
	if p, err := im.Select(""); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "partition 2 stays locked: no key slot fits the passphrase") {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := im.Select("1"); err != nil || p.Content.Label != "boot" {
		t.Errorf("%+v, %v", p, err)
	}
	if locked := im.Locked(); len(locked) != 1 || locked[0].State != StateLocked || !errors.As(locked[0].LockErr, &wrong) {
		t.Errorf("%+v", locked)
	}
}

// An encrypted volume's own number and label lead to what is in it.
func TestLUKSBySelector(t *testing.T) {
	im, _ := withKey(t, "extscope", volumeFiles(t, "luks/v2-4k")...)
	for _, sel := range []string{"1", "four", "v2-4k", "2"} {
		if p, err := im.Select(sel); err != nil || p.Number != 2 {
			t.Errorf("%q: %+v, %v", sel, p, err)
		}
	}
	im, asked := withKey(t, "extscope", volumeFiles(t, "luks/v2-4k")...)
	if p, err := im.Select("nothing"); err == nil || *asked != 1 {
		t.Errorf("%+v, %v, asked %d times", p, err, *asked)
	}
}

// What is below ends early or cannot be read: an error with its range, no other bytes.
func TestLUKSDamage(t *testing.T) {
	c, err := luksCipher{xts: true, wide: true}.keyed(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	v := &luksVolume{r: bytes.NewReader(b[:600<<10+100]), at: 4096, size: 1<<20 - 4096, sector: 4096, cipher: c}
	whole := &luksVolume{r: bytes.NewReader(b), at: 4096, size: 1<<20 - 4096, sector: 4096, cipher: c}
	for _, off := range []int64{0, 1, 500 << 10, 590 << 10, 596<<10 - 1, 596 << 10, 700 << 10} {
		got, want := make([]byte, 300<<10), make([]byte, 300<<10)
		n, err := v.ReadAt(got, off)
		if _, err := whole.ReadAt(want, off); err != nil {
			t.Fatal(err)
		}
		var read *ReadError
		if wantN := min(max(596<<10-off, 0), 300<<10); int64(n) != wantN || !bytes.Equal(got[:n], want[:n]) {
			t.Errorf("at %d: %d bytes, want %d", off, n, wantN)
		} else if n < len(got) && (!errors.As(err, &read) || read.Offset > off+int64(n) || read.Offset+read.Length <= off+int64(n)) {
			t.Errorf("at %d: %d bytes, %v", off, n, err)
		}
	}
	for _, off := range []int64{-1, 1<<20 - 4096, 1 << 40} {
		if n, err := v.ReadAt(make([]byte, 10), off); n != 0 || err == nil {
			t.Errorf("at %d: %d bytes, %v", off, n, err)
		}
	}
}

func BenchmarkLUKS(b *testing.B) {
	const size = 64 << 20
	key := bytes.Repeat([]byte{7}, 64)
	raw := bytes.NewReader(make([]byte, size+4096))
	for _, bench := range []struct {
		spec   string
		key    int
		sector int64
	}{{"aes-xts-plain64", 64, 512}, {"aes-xts-plain64", 64, 4096}, {"aes-xts-plain64", 32, 512}, {"aes-cbc-essiv:sha256", 32, 512}} {
		s, err := decodeLUKSCipher(bench.spec)
		if err != nil {
			b.Fatal(err)
		}
		c, err := s.keyed(key[:bench.key])
		if err != nil {
			b.Fatal(err)
		}
		v := &luksVolume{r: raw, at: 4096, size: size, sector: bench.sector, cipher: c}
		for _, n := range []int{4 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s-%d/sector=%d/read=%dKiB", bench.spec, bench.key*8, bench.sector, n>>10), func(b *testing.B) {
				buf := make([]byte, n)
				b.SetBytes(int64(n))
				var off int64
				for b.Loop() {
					if _, err := v.ReadAt(buf, off); err != nil {
						b.Fatal(err)
					}
					off = (off + int64(n)) % size
				}
			})
		}
	}
}
