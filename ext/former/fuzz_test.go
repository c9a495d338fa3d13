package former_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/former"
	"github.com/extscope/extscope/ext/replay"
	"github.com/extscope/extscope/ext/undelete"
)

// FuzzScan scans whatever bytes.
func FuzzScan(f *testing.F) {
	for _, name := range []string{"small", "small-ext2"} {
		image := exttest.Bytes(f, name)
		f.Add(image[:16<<10])
		for at := 0; at+64<<10 <= len(image) && at < 512<<10; at += 64 << 10 {
			f.Add(image[at:][:64<<10])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		r := bytes.NewReader(data)
		tr, err := former.Scan(ctx, r, int64(len(data)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := former.Find(ctx, r, int64(len(data)), tr, nil, true); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzLook looks for what damaged images were, and for all files in that. Fuzz data is a
// byte that chooses an image, and patches of it: three bytes of offset, one of length, one
// that says how often the bytes come, and the bytes.
func FuzzLook(f *testing.F) {
	var images [][]byte
	for i, name := range []string{"small", "small-ext2", "small-inline", "journal/history", "journal/history-ext3", "journal/rot", "demo.img"} {
		images = append(images, bytes.Clone(exttest.Bytes(f, name)))
		f.Add([]byte{byte(i), 0, 4, 0, 4, 255, 0, 0, 0, 0})   // no superblock
		f.Add([]byte{byte(i), 0, 4, 0, 255, 255, 0, 0, 0, 0}) // no more than that
		f.Add([]byte{byte(i), 0, 8, 0, 4, 255, 1, 2, 3, 4})   // nor descriptors
		f.Add([]byte{byte(i), 0x18, 4, 0, 1, 1, 2})           // another block size
		f.Add([]byte{byte(i), 0, 0, 0, 8, 255, 9, 8, 7, 6, 5, 4, 3, 2, 0, 8, 0, 8, 255, 9, 8, 7, 6, 5, 4, 3, 2})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || int(data[0]) >= len(images) {
			return
		}
		image := images[data[0]]
		base := bytes.Clone(image)
		defer copy(image, base)
		for data = data[1:]; len(data) > 5; {
			n, at := min(int(data[3]), len(data)-5), int(data[0])|int(data[1])<<8|int(data[2])<<16
			for range int(data[4]) {
				if at < len(image) {
					at += copy(image[at:], data[5:5+n])
				}
			}
			data = data[5+n:]
		}
		lookAt(t, image)
	})
}

// lookAt looks for the former file system of an image and for all that was in it.
func lookAt(t *testing.T, image []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	found, err := former.Look(ctx, bytes.NewReader(image), int64(len(image)), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := found.Volume
	if w == nil {
		return
	}
	v, err := replay.Open(w.Reader, w.Size, replay.Options{})
	if err != nil {
		return
	}
	r, err := undelete.Find(ctx, v, undelete.Options{Carve: true, Former: &undelete.Former{Other: w.Other, Mounted: w.Mounted, Used: w.Used.Meets, Lost: w.Lost, Blank: w.Blank, Guessed: w.Guessed}})
	if err != nil {
		t.Fatal(err)
	}
	for c := range r.All() {
		if c.Recoverable() && c.Size < 1<<22 {
			if err := r.CopyContents(ctx, &bytes.Buffer{}, c, r.Contents(c, false)); errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
	}
}
