package undelete

import (
	"bytes"

	"math/rand/v2"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

func TestHostileImages(t *testing.T) {
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		t.Run(name, func(t *testing.T) { findAll(t, exttest.HostileImage(t, name), Options{}) })
	}
	for _, name := range exttest.Some(10, exttest.HostileJournalNames()) {
		t.Run(name, func(t *testing.T) { findAll(t, exttest.HostileJournal(t, name), Options{}) })
	}
}

// TestHostileStrays fills free blocks with what looks like strays and is none, or is
// one that leads to itself and others.
func TestHostileStrays(t *testing.T) {
	kinds := map[string]func(b []byte, at Block, blocks uint64, r *rand.Rand){
		"random": func(b []byte, _ Block, _ uint64, r *rand.Rand) {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		},
		"pointers": func(b []byte, at Block, blocks uint64, r *rand.Rand) {
			p := uint32(r.Uint64N(blocks))
			for i := 0; i+4 <= len(b); i += 4 {
				le.PutUint32(b[i:], p+uint32(i/4))
			}
		},
		"few pointers": func(b []byte, at Block, blocks uint64, r *rand.Rand) {
			le.PutUint32(b, uint32(at)+1)
			le.PutUint32(b[4:], uint32(at)+2)
		},
		"extents": func(b []byte, at Block, blocks uint64, r *rand.Rand) {
			room := len(b)/12 - 1
			le.PutUint16(b, 0xf30a)
			le.PutUint16(b[2:], uint16(room))
			le.PutUint16(b[4:], uint16(room))
			le.PutUint16(b[6:], uint16(r.UintN(3)))
			for i := range room {
				e := b[12*(i+1):]
				le.PutUint32(e, uint32(i)*0xc00000)
				le.PutUint32(e[4:], uint32(r.Uint64N(blocks)))
				le.PutUint32(e[8:], uint32(r.Uint64N(blocks)))
			}
		},
		"index": func(b []byte, at Block, blocks uint64, r *rand.Rand) {
			le.PutUint32(b, 12)
			copy(b[4:], []byte{12, 0, 1, 2, '.', 0, 0, 0, 12, 0, 0, 0, byte(len(b) - 12), byte((len(b) - 12) >> 8), 2, 2, '.', '.'})
			b[0x1c], b[0x1d] = 1, 8
			limit := layout.DxLimit(len(b), 0x20, true, false)
			le.PutUint16(b[0x20:], uint16(limit))
			le.PutUint16(b[0x22:], uint16(limit))
		},
		"names": func(b []byte, at Block, blocks uint64, r *rand.Rand) {
			for i := 0; i+12 <= len(b)-12; i += 12 {
				le.PutUint32(b[i:], 12)
				copy(b[i+4:], []byte{12, 0, 3, 1, 'a' + byte(i%26), 'b', 'c'})
			}
			at12 := (len(b) - 12) / 12 * 12
			le.PutUint16(b[at12-12+4:], uint16(len(b)-12-at12+12))
			copy(b[len(b)-12:], []byte{0, 0, 0, 0, 12, 0, 0, 0xde})
		},
	}
	for _, image := range []string{"small", "small-ext2", "small-inline"} {
		for kind, fill := range kinds {
			t.Run(image+"/"+kind, func(t *testing.T) {
				b := exttest.Bytes(t, image)
				v, err := replay.Open(bytes.NewReader(b), int64(len(b)), replay.Options{})
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(7, 8))
				bs := v.FS.BlockSize()
				for n := range Block(v.FS.Super.BlocksCount) {
					if used, err := v.FS.BlockAllocated(n); err == nil && !used {
						block := b[int(n)*bs:][:bs]
						clear(block)
						fill(block, n, v.FS.Super.BlocksCount, r)
					}
				}
				findAll(t, b, Options{})
			})
		}
	}
}
