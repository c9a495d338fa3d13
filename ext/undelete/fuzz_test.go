package undelete

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/replay"
)

// FuzzFind asks for all that was deleted of changed images, and for its contents. Fuzz
// data is a byte that chooses an image, and patches of it: three bytes of offset, one
// of length, and the bytes.
func FuzzFind(f *testing.F) {
	var images [][]byte
	for i, name := range []string{"small", "small-ext2", "small-inline", "journal/history", "journal/history-ext3", "journal/history-fast", "journal/rot", "demo.img"} {
		images = append(images, bytes.Clone(exttest.Bytes(f, name)))
		f.Add([]byte{byte(i)})
		f.Add([]byte{byte(i), 0x18, 4, 0, 4, 0xff, 0xff, 0xff, 0xff})
		f.Add([]byte{byte(i), 0xe8, 4, 0, 4, 12, 0, 0, 0})
		for _, c := range findAll(f, images[i], Options{}) {
			if c.In != nil { // an extent root with an edge of what fits, where its map lies today
				at := c.In.Offset + 0x28
				f.Add([]byte{byte(i), byte(at), byte(at >> 8), byte(at >> 16), 8, 0x0a, 0xf3, 4, 0, 4, 0, 1, 0})
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || int(data[0]) >= len(images) {
			return
		}
		image := images[data[0]]
		base := bytes.Clone(image)
		defer copy(image, base)
		for data = data[1:]; len(data) > 4; {
			n, at := min(int(data[3]), len(data)-4), int(data[0])|int(data[1])<<8|int(data[2])<<16
			if at < len(image) {
				copy(image[at:], data[4:4+n])
			}
			data = data[4+n:]
		}
		findAll(t, image, Options{Versions: true, Carve: true})
	})
}

// findAll asks for all that was deleted of an image, and for its contents, within a
// time that no sound way through a small image takes. It gives the candidates.
func findAll(t testing.TB, image []byte, o Options) []*Candidate {
	t.Helper()
	v, err := replay.Open(bytes.NewReader(image), int64(len(image)), replay.Options{})
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := Find(ctx, v, o)
	if err != nil {
		t.Fatal(err)
	}
	for c := range r.All() {
		if c.Recoverable() && c.Size < 1<<22 {
			if err := r.Copy(ctx, &bytes.Buffer{}, c); errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
	}
	return slices.Collect(r.All())
}
