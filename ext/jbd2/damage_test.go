package jbd2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
)

var be = binary.BigEndian

// A wound changes the journal of a crashed image.
type wound struct {
	name string
	on   string // the case
	make func(t *testing.T, l *logEditor)
	end  jbd2.EndReason
	warn []jbd2.WarningKind
	fail bool // the kernel refuses to mount it
}

// A logEditor edits the journal of an image in memory.
type logEditor struct {
	image  []byte
	log    *jbd2.Log
	facts  jbd2.Facts
	format jbd2.Format
	txs    []jbd2.Transaction
}

func (l *logEditor) block(n uint32) []byte {
	return l.image[l.log.Offset(n):][:l.log.BlockSize()]
}

func (l *logEditor) super() []byte { return l.block(l.log.Super()) }

// sealSuper makes the checksum of the journal superblock right.
func (l *logEditor) sealSuper() {
	b := l.super()
	if l.format.Csum != 0 {
		clear(b[0xfc:0x100])
		be.PutUint32(b[0xfc:], layout.CRC32C(^uint32(0), b[:jbd2.SuperblockSize]))
	}
}

// seal makes the checksum of a descriptor or revoke block right.
func (l *logEditor) seal(b []byte) {
	if l.format.Csum != 0 {
		tail := b[len(b)-4:]
		clear(tail)
		be.PutUint32(tail, layout.CRC32C(l.format.Seed, b))
	}
}

// commit gives the commit block of the transaction i.
func (l *logEditor) commit(i int) []byte { return l.block(l.txs[i].End - 1) }

// revokeBlock gives a revoke block, and the transaction it is of.
func (l *logEditor) revokeBlock(t *testing.T) ([]byte, int) {
	t.Helper()
	for i, tx := range l.txs {
		for n := tx.Start; n < tx.End; n++ {
			if h, ok := jbd2.DecodeHeader(l.block(n)); ok && h.Type == jbd2.TypeRevoke {
				return l.block(n), i
			}
		}
	}
	t.Fatal("no revoke block")
	return nil, 0
}

// descriptor gives the first descriptor block of transaction i.
func (l *logEditor) descriptor(t *testing.T, i int) []byte {
	t.Helper()
	for n := l.txs[i].Start; n < l.txs[i].End; n++ {
		if h, ok := jbd2.DecodeHeader(l.block(n)); ok && h.Type == jbd2.TypeDescriptor {
			return l.block(n)
		}
	}
	t.Fatal("no descriptor block")
	return nil
}

// lastTag gives the offset of the last tag in a descriptor block.
func (l *logEditor) lastTag(b []byte) int {
	at := 12
	for {
		flags := be.Uint16(b[at+6:])
		if flags&8 != 0 {
			return at
		}
		at += l.format.TagSize()
		if flags&2 == 0 {
			at += 16
		}
	}
}

var wounds = []wound{
	{"no wound", "ext4-1k", func(*testing.T, *logEditor) {}, jbd2.EndMagic, nil, false},
	{"bad magic of a commit", "ext4-1k", func(_ *testing.T, l *logEditor) { l.commit(9)[0] ^= 1 }, jbd2.EndMagic, nil, false},
	{"bad magic of a descriptor", "ext3-1k", func(t *testing.T, l *logEditor) { l.descriptor(t, 9)[1] ^= 1 }, jbd2.EndMagic, nil, false},
	{"sequence jump", "ext4-1k", func(_ *testing.T, l *logEditor) { l.commit(9)[11] += 1 }, jbd2.EndSequence, nil, false},
	{"unknown block type", "ext3-1k", func(_ *testing.T, l *logEditor) { l.commit(9)[7] = 6 }, jbd2.EndType, nil, false},
	{"superblock in the log", "ext3-1k", func(_ *testing.T, l *logEditor) { l.commit(9)[7] = 4 }, jbd2.EndType, nil, false},
	{"bad checksum of a descriptor", "ext4-1k", func(t *testing.T, l *logEditor) { l.descriptor(t, 9)[20] ^= 1 }, jbd2.EndRefused,
		[]jbd2.WarningKind{jbd2.WarnTailChecksum, jbd2.WarnRefused}, true},
	{"bad checksum of a stale descriptor", "ext4-1k", func(t *testing.T, l *logEditor) {
		l.descriptor(t, 9)[20] ^= 1
		clear(l.commit(9)[0x30:0x38])
	}, jbd2.EndStale, nil, false},
	{"bad checksum of a revoke block", "ext4-1k", func(t *testing.T, l *logEditor) {
		b, _ := l.revokeBlock(t)
		b[len(b)-1] ^= 1
	}, jbd2.EndRefused, []jbd2.WarningKind{jbd2.WarnTailChecksum, jbd2.WarnRefused}, true},
	{"bad checksum of a commit", "ext4-1k", func(_ *testing.T, l *logEditor) { l.commit(9)[0x38] ^= 1 }, jbd2.EndChecksum,
		[]jbd2.WarningKind{jbd2.WarnCommitSum}, true},
	{"bad checksum of a stale commit", "ext4-1k", func(_ *testing.T, l *logEditor) { clear(l.commit(9)[0x30:0x38]) }, jbd2.EndStale, nil, false},
	{"commit written in part", "ext4-1k", func(_ *testing.T, l *logEditor) {
		b := l.commit(9)
		copy(b[512:], "what was there before")
	}, jbd2.EndMagic, []jbd2.WarningKind{jbd2.WarnPartialCommit}, false},
	{"bad checksum of a copy", "ext4-1k", func(_ *testing.T, l *logEditor) { l.block(l.txs[10].Blocks[0].Log)[77] ^= 1 }, jbd2.EndMagic,
		[]jbd2.WarningKind{jbd2.WarnCopyChecksum}, true},
	{"bad checksum of the newest copy", "ext4-1k", func(_ *testing.T, l *logEditor) {
		for _, c := range l.txs[len(l.txs)-1].Blocks {
			l.block(c.Log)[77] ^= 1
		}
	}, jbd2.EndMagic, []jbd2.WarningKind{jbd2.WarnCopyChecksum}, true},
	{"bad transaction checksum", "checksum-v1", func(_ *testing.T, l *logEditor) { l.block(l.txs[10].Blocks[0].Log)[77] ^= 1 }, jbd2.EndChecksum,
		[]jbd2.WarningKind{jbd2.WarnCommitSum}, true},
	{"bad transaction checksum, async commit", "async-commit-v1", func(_ *testing.T, l *logEditor) { l.block(l.txs[10].Blocks[0].Log)[77] ^= 1 }, jbd2.EndChecksum,
		[]jbd2.WarningKind{jbd2.WarnCommitSum}, true},
	{"bad last transaction checksum, async commit", "async-commit-v1", func(_ *testing.T, l *logEditor) {
		l.block(l.txs[len(l.txs)-1].Blocks[0].Log)[77] ^= 1
	}, jbd2.EndChecksum, []jbd2.WarningKind{jbd2.WarnCommitSum}, false},
	{"no transaction checksum", "checksum-v1", func(_ *testing.T, l *logEditor) { clear(l.commit(9)[0xc:0x30]) }, jbd2.EndMagic, nil, false},
	{"bad commit checksum, async commit", "async-commit", func(_ *testing.T, l *logEditor) { l.commit(9)[0x38] ^= 1 }, jbd2.EndChecksum,
		[]jbd2.WarningKind{jbd2.WarnCommitSum}, false},
	{"revoke count past the block", "ext3-1k", func(t *testing.T, l *logEditor) {
		b, _ := l.revokeBlock(t)
		be.PutUint32(b[12:], uint32(len(b)+4))
	}, jbd2.EndRefused, []jbd2.WarningKind{jbd2.WarnRevokeCount, jbd2.WarnRefused}, true},
	{"revoke count of the block", "ext3-1k", func(t *testing.T, l *logEditor) {
		b, _ := l.revokeBlock(t)
		be.PutUint32(b[12:], uint32(len(b)))
	}, jbd2.EndMagic, nil, false},
	{"revoke count over the tail", "ext4-1k", func(t *testing.T, l *logEditor) {
		b, _ := l.revokeBlock(t)
		be.PutUint32(b[12:], uint32(len(b)))
		l.seal(b)
	}, jbd2.EndRefused, []jbd2.WarningKind{jbd2.WarnRevokeCount, jbd2.WarnRefused}, true},
	{"revoke count below the header", "ext3-1k", func(t *testing.T, l *logEditor) {
		b, _ := l.revokeBlock(t)
		be.PutUint32(b[12:], 3)
	}, jbd2.EndMagic, nil, false},
	{"tags past the block", "ext3-1k", func(t *testing.T, l *logEditor) {
		b := l.descriptor(t, 9)
		b[l.lastTag(b)+7] &^= 8
	}, jbd2.EndSequence, nil, false},
	{"fewer tags than copies", "ext4-1k", func(t *testing.T, l *logEditor) {
		b := l.descriptor(t, 9)
		b[12+7] |= 8
		l.seal(b)
	}, jbd2.EndMagic, nil, false},
	{"maxlen past the log", "ext4-1k", func(_ *testing.T, l *logEditor) {
		be.PutUint32(l.super()[0x10:], l.facts.MaxLen+1)
		l.sealSuper()
	}, jbd2.EndRefused, []jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"first at maxlen", "ext3-1k", func(_ *testing.T, l *logEditor) { be.PutUint32(l.super()[0x14:], l.facts.MaxLen) }, jbd2.EndRefused,
		[]jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"first is 0", "ext3-1k", func(_ *testing.T, l *logEditor) { be.PutUint32(l.super()[0x14:], 0) }, jbd2.EndRefused,
		[]jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"start at maxlen", "ext4-1k", func(_ *testing.T, l *logEditor) {
		be.PutUint32(l.super()[0x1c:], l.facts.MaxLen)
		l.sealSuper()
	}, jbd2.EndRefused, []jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"start at a copy", "ext4-1k", func(_ *testing.T, l *logEditor) {
		be.PutUint32(l.super()[0x1c:], l.txs[0].Start+1)
		l.sealSuper()
	}, jbd2.EndMagic, nil, false},
	{"another block size", "ext3-1k", func(_ *testing.T, l *logEditor) { be.PutUint32(l.super()[0xc:], 2048) }, jbd2.EndRefused,
		[]jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"bad checksum of the superblock", "ext4-1k", func(_ *testing.T, l *logEditor) { l.super()[0x84] ^= 1 }, jbd2.EndRefused,
		[]jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"unknown feature", "ext4-1k", func(_ *testing.T, l *logEditor) {
		l.super()[0x28] |= 0x80
		l.sealSuper()
	}, jbd2.EndRefused, []jbd2.WarningKind{jbd2.WarnRefused}, true},
	{"copy of a block that is not there", "ext3-1k", func(t *testing.T, l *logEditor) {
		b := l.descriptor(t, 9)
		be.PutUint32(b[l.lastTag(b):], 1<<30)
	}, jbd2.EndMagic, []jbd2.WarningKind{jbd2.WarnOutside}, true},
	{"revoked copy of a block that is not there", "ext3-1k", func(t *testing.T, l *logEditor) {
		b, i := l.revokeBlock(t)
		be.PutUint32(b[16:], 1<<30)
		b = l.descriptor(t, i-1)
		be.PutUint32(b[l.lastTag(b):], 1<<30)
	}, jbd2.EndMagic, nil, false},
	{"aborted", "ext4-1k", func(_ *testing.T, l *logEditor) {
		be.PutUint32(l.super()[0x20:], ^uint32(0)-4)
		l.sealSuper()
	}, jbd2.EndMagic, []jbd2.WarningKind{jbd2.WarnAborted}, false},
}

// wounded makes the image of a wound, and opens it.
func wounded(t *testing.T, w wound) (c *crashed) {
	t.Helper()
	c = openCrash(t, w.on)
	image := bytes.Clone(c.image)
	l := &logEditor{image, c.j.Log(), c.j.Facts(), c.j.Format(), c.j.Recoverable().Transactions}
	w.make(t, l)
	c = &crashed{image: image}
	c.open(t)
	return c
}

// TestDamage holds what becomes of damaged journals against the rules.
func TestDamage(t *testing.T) {
	for _, w := range wounds {
		t.Run(w.name, func(t *testing.T) {
			c := wounded(t, w)
			r := c.j.Recoverable()
			if r.Reason != w.end {
				t.Errorf("ends with %v (%v), want %v", r.Reason, r.Refused, w.end)
			}
			if r.Failed != w.fail {
				t.Errorf("fails: %t, want %t", r.Failed, w.fail)
			}
			var kinds []jbd2.WarningKind
			for _, warning := range r.Warnings {
				t.Log(warning)
				if len(kinds) == 0 || kinds[len(kinds)-1] != warning.Kind {
					kinds = append(kinds, warning.Kind)
				}
			}
			if len(kinds) != len(w.warn) || !bytes.Equal(asBytes(kinds), asBytes(w.warn)) {
				t.Errorf("warnings %v, want %v", kinds, w.warn)
			}
			c.j.Scan()
		})
	}
}

func asBytes(kinds []jbd2.WarningKind) (b []byte) {
	for _, k := range kinds {
		b = append(b, byte(k))
	}
	return b
}

// TestDamageIsKernels has the running kernel mount the damaged images, read-only
// on a device that can be written, and compares every block with the overlay.
func TestDamageIsKernels(t *testing.T) {
	exttest.Root(t)
	if runtime.GOOS != "linux" {
		t.Skip("no kernel to ask")
	}
	for _, w := range exttest.Some(5, wounds) {
		t.Run(w.name, func(t *testing.T) {
			c := wounded(t, w)
			copied := file(t, c.image)
			if failed := !kernelReplays(t, copied); failed != w.fail {
				t.Errorf("the kernel refuses to mount: %t, want %t", failed, w.fail)
			}
			want := readFile(t, copied)
			got := make([]byte, len(want))
			o := c.j.Overlay(c.base(), c.j.Recoverable().Blocks)
			if _, err := o.ReadAt(got, 0); err != nil {
				t.Fatal(err)
			}
			for _, b := range [][]byte{got, want} {
				clear(b[c.j.Facts().Offset:][:jbd2.SuperblockSize])
				clear(b[layout.SuperblockOffset:][:layout.SuperblockSize])
			}
			bs := c.fs.BlockSize()
			for at := 0; at < len(want); at += bs {
				if end := min(at+bs, len(want)); !bytes.Equal(got[at:end], want[at:end]) {
					t.Errorf("block %d differs: %s", at/bs, firstDiff(got[at:end], want[at:end]))
				}
			}
		})
	}
}

// kernelReplays mounts an image through a device that can be written, and reports
// whether the kernel would.
func kernelReplays(t *testing.T, image string) bool {
	t.Helper()
	out, err := exec.Command(exttest.Tool(t, "losetup"), "-f", "--show", image).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	device := strings.TrimSpace(string(out))
	defer func() {
		if err := exec.Command("losetup", "-d", device).Run(); err != nil {
			t.Errorf("losetup -d: %v", err)
		}
	}()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "ext4", "-o", "ro", device, dir).CombinedOutput(); err != nil {
		t.Logf("mount: %s", bytes.TrimSpace(out))
		return false
	}
	if err := exec.Command("umount", dir).Run(); err != nil {
		t.Fatalf("umount: %v", err)
	}
	return true
}

// TestHoles takes blocks of the log away: under a header the kernel gives up,
// under a copy it goes on without.
func TestHoles(t *testing.T) {
	c := openCrash(t, "ext4-1k")
	txs := c.j.Recoverable().Transactions
	all := len(c.j.Recoverable().Blocks)
	for _, tt := range []struct {
		name  string
		block uint32
		end   jbd2.EndReason
		warn  jbd2.WarningKind
		lost  int
	}{
		{"the superblock", 0, 0, 0, 0},
		{"a commit block", txs[5].End - 1, jbd2.EndRefused, jbd2.WarnRefused, all},
		{"a copy", txs[len(txs)-1].Blocks[0].Log, jbd2.EndMagic, jbd2.WarnUnreadable, 0},
	} {
		l := c.j.Log()
		var runs []jbd2.Run
		for n := range l.Blocks() {
			if n != tt.block {
				runs = append(runs, jbd2.Run{First: n, Start: l.Offset(n), Len: 1})
			}
		}
		j, err := jbd2.Open(jbd2.NewLog(c.base(), 1024, runs))
		var hole *jbd2.BlockError
		if tt.block == 0 {
			if !errors.As(err, &hole) || !errors.Is(err, jbd2.ErrHole) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r := j.Recoverable()
		if r.Reason != tt.end || len(r.Warnings) != 1 || r.Warnings[0].Kind != tt.warn || !r.Failed {
			t.Errorf("%s: ends with %v, %v", tt.name, r.Reason, r.Warnings)
		}
		if len(r.Blocks) != all-tt.lost {
			t.Errorf("%s: %d blocks, want %d", tt.name, len(r.Blocks), all-tt.lost)
		}
		if w := r.Warnings; len(w) == 0 || !errors.As(w[0].Err, &hole) || hole.Log != tt.block {
			t.Errorf("%s: %v", tt.name, w)
		}
		if n := len(j.Scan().Warnings); n != 1 {
			t.Errorf("%s: %d blocks unreadable", tt.name, n)
		}
	}
}
