package audit_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/exttest"
)

// bases are the images that fuzz data patches, by the first byte of it.
var bases = []string{"small", "small-ext2", "small-inline"}

// patched makes an image of fuzz data: of a first byte below 3 the base of that
// number with patches, each three bytes of offset, one of length, and the bytes;
// else the data itself.
func patched(images [][]byte, data []byte) []byte {
	if len(data) == 0 || int(data[0]) >= len(images) {
		return data
	}
	image := bytes.Clone(images[data[0]])
	for data = data[1:]; len(data) > 4; {
		at := int(data[0]) | int(data[1])<<8 | int(data[2])<<16
		n := min(int(data[3]), len(data)-4)
		if at < len(image) {
			copy(image[at:], data[4:4+n])
		}
		data = data[4+n:]
	}
	return image
}

// asPatches is the fuzz data that makes image from a base, nil where they are of
// different lengths.
func asPatches(number int, base, image []byte) []byte {
	if len(base) != len(image) {
		return nil
	}
	data := []byte{byte(number)}
	for at := 0; at < len(base); {
		if base[at] == image[at] {
			at++
			continue
		}
		end := at + 1
		for end < len(base) && end-at < 255 && !bytes.Equal(base[end:min(end+8, len(base))], image[end:min(end+8, len(base))]) {
			end++
		}
		data = append(data, byte(at), byte(at>>8), byte(at>>16), byte(end-at))
		data = append(data, image[at:end]...)
		at = end
	}
	return data
}

// seed adds the hostile images, as patches.
func seed(f *testing.F) [][]byte {
	var images [][]byte
	for _, name := range bases {
		images = append(images, exttest.Bytes(f, name))
	}
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		image := exttest.HostileImage(f, name)
		var best []byte
		for i, base := range images {
			if data := asPatches(i, base, image); data != nil && (best == nil || len(data) < len(best)) {
				best = data
			}
		}
		if best != nil && len(best) < 20000 {
			f.Add(best)
		}
	}
	f.Add([]byte{0})
	f.Add(append([]byte{1}, 0x38, 0x04, 0, 2, 0, 0))
	return images
}

func FuzzAudit(f *testing.F) {
	images := seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		image := patched(images, data)
		within(t, func(ctx context.Context) {
			fsys, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
			if err != nil {
				return
			}
			if _, err := audit.Run(ctx, fsys, audit.Options{}); err != nil {
				t.Error(err)
			}
		})
	})
}

// A sparse image is zeros but for some stretches, of any size.
type sparse struct {
	size  int64
	parts map[int64][]byte // by offset, in units of sparseUnit
	once  sync.Once
}

const sparseUnit = 1 << 16

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	var err error
	if int64(len(p)) > s.size-off {
		p, err = p[:s.size-off], io.EOF
	}
	for n := 0; n < len(p); {
		at := off + int64(n)
		in := int(at % sparseUnit)
		step := min(len(p)-n, sparseUnit-in)
		if part := s.parts[at/sparseUnit]; part != nil {
			copy(p[n:n+step], part[in:])
		} else {
			clear(p[n : n+step])
		}
		n += step
	}
	return len(p), err
}

// at gives the bytes from off on, to be changed; they do not reach past the
// next multiple of sparseUnit.
func (s *sparse) at(off int64) []byte {
	s.once.Do(func() {
		if s.parts == nil {
			s.parts = map[int64][]byte{}
		}
	})
	part := s.parts[off/sparseUnit]
	if part == nil {
		part = make([]byte, sparseUnit)
		s.parts[off/sparseUnit] = part
	}
	return part[off%sparseUnit:]
}

var le = binary.LittleEndian
