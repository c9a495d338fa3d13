package history_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// fuzzImages are what FuzzHistory changes: those without checksums, or with a log
// without, let changes through to what reads copies.
var fuzzImages = []string{"journal/history", "journal/history-ext3", "journal/history-fast", "journal/rot",
	"crash journal/ext3-1k", "crash journal/no-csum", "crash journal/fast-commit-1k", "crash journal/fast-commit-inline", "crash journal/wrapped-ext3"}

// A fuzzImage is one of them, that is changed in place and put right again.
type fuzzImage struct {
	image []byte
	fast  []int64 // where the blocks of the fast-commit area lie
	bs    int
}

func openFuzzImage(t testing.TB, name string) *fuzzImage {
	t.Helper()
	f := &fuzzImage{}
	if crash, ok := bytes.CutPrefix([]byte(name), []byte("crash ")); ok {
		f.image, _ = exttest.CrashBytes(t, string(crash))
	} else {
		f.image = bytes.Clone(exttest.Bytes(t, name))
	}
	l := openBytes(t, f.image)
	f.bs = l.View.Home.BlockSize()
	facts := l.Journal.Facts()
	for n := facts.FCFirst; n < facts.FCLast; n++ {
		f.fast = append(f.fast, l.Journal.Log().Offset(n))
	}
	return f
}

// patch applies fuzz data: patches, each three bytes of offset, one of length, and the
// bytes. It gives what undoes them.
func (f *fuzzImage) patch(data []byte) (undo func()) {
	type old struct {
		at    int
		bytes []byte
	}
	var olds []old
	set := func(at int, b []byte) {
		if at < len(f.image) {
			n := min(len(b), len(f.image)-at)
			olds = append(olds, old{at, bytes.Clone(f.image[at : at+n])})
			copy(f.image[at:], b)
		}
	}
	for len(data) > 4 {
		n := min(int(data[3]), len(data)-4)
		set(int(data[0])|int(data[1])<<8|int(data[2])<<16, data[4:4+n])
		data = data[4+n:]
	}
	if len(olds) > 0 {
		f.seal(set)
	}
	return func() {
		for i := len(olds) - 1; i >= 0; i-- {
			copy(f.image[olds[i].at:], olds[i].bytes)
		}
	}
}

// seal puts right the checksums of fast commits.
func (f *fuzzImage) seal(set func(at int, b []byte)) {
	crc := uint32(0)
	for _, off := range f.fast {
		b := f.image[off:][:f.bs]
		for at := 0; at+4 <= len(b); {
			tag, n := le.Uint16(b[at:]), int(le.Uint16(b[at+2:]))
			if tag == 0 || tag > 9 || at+4+n > len(b) || tag == 8 && n < 8 {
				crc = 0
				break
			}
			if tag == 8 {
				if sum := layout.CRC32C(crc, b[at:at+8]); sum != le.Uint32(b[at+8:]) {
					set(int(off)+at+8, le.AppendUint32(nil, sum))
				}
				crc = 0
				break
			}
			crc = layout.CRC32C(crc, b[at:at+4+n])
			at += 4 + n
		}
	}
}

// aim adds patches to what the log of an image holds: a few of each kind of copy, to
// descriptor blocks, and to the records of fast commits.
func (f *fuzzImage) aim(t testing.TB, add func(patches ...any)) {
	l := openBytes(t, f.image)
	log := l.Journal.Log()
	seen := map[string]int{}
	for i, tx := range l.Transactions() {
		uses, err := l.Uses(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		if seen["descriptor"]++; seen["descriptor"] <= 2 {
			at := log.Offset(tx.Start)
			add(at+12, []byte{0, 0, 0, 1})
			add(at+12+6, []byte{0, 8})
			add(at+8, []byte{0xff, 0xff, 0xff, 0xff})
		}
		for k, u := range uses {
			if seen[u.Kind]++; seen[u.Kind] > 1 {
				continue
			}
			at := log.Offset(tx.Blocks[k].Log)
			size := int64(l.FS.InodeSize())
			switch u.Kind {
			case "inode table":
				for n := range min(int64(u.Count), 3) {
					add(at+n*size, []byte{0xed, 0x41}, at+n*size+0x1a, []byte{1}, at+n*size+0x20, []byte{0, 0, 8, 0})
					add(at+n*size+0x28, []byte{0x0a, 0xf3, 4, 0, 4, 0, 1, 0})
					add(at+n*size+0x64, []byte{1, 2, 3, 4})
				}
			case "superblock":
				add(at+0x18%int64(f.bs), []byte{2})
				add(at+0x400%int64(f.bs)+0x18, []byte{2})
				add(at+0x400%int64(f.bs)+0x58, []byte{0, 4})
			default:
				add(at, []byte{0xff, 0xff, 0xff, 0x7f})
				add(at+4, []byte{0, 0, 0xff, 0xff})
			}
		}
	}
	for i, fc := range l.Journal.FastCommits() {
		for k, r := range fc.Records {
			if seen[r.Tag.String()]++; seen[r.Tag.String()] > 1 {
				continue
			}
			add(r.Offset+4, []byte{2, 0, 0, 0})
			add(r.Offset+8, []byte{0xff, 0xff, 0xff, 0xff})
			if i+k == 0 {
				add(r.Offset, []byte{6})
			}
		}
	}
}

// FuzzHistory asks everything of images: fuzz data is a byte that chooses one, then
// patches.
func FuzzHistory(f *testing.F) {
	var images []*fuzzImage
	for i, name := range exttest.Some(2, fuzzImages) {
		image := openFuzzImage(f, name)
		images = append(images, image)
		f.Add([]byte{byte(i)})
		f.Add([]byte{byte(i), 0x18, 0x4, 0, 4, 0xff, 0xff, 0xff, 0xff})
		image.aim(f, func(patches ...any) {
			data := []byte{byte(i)}
			for k := 0; k < len(patches); k += 2 {
				at, b := patches[k].(int64), patches[k+1].([]byte)
				data = append(data, byte(at), byte(at>>8), byte(at>>16), byte(len(b)))
				data = append(data, b...)
			}
			f.Add(data)
		})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || int(data[0]) >= len(images) {
			return
		}
		image := images[data[0]]
		undo := image.patch(data[1:])
		defer undo()
		within(t, func() { everything(t, image.image) })
	})
}
