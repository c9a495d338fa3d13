package history_test

import (
	"fmt"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/replay"
)

func openMade(t testing.TB, m *maker) *history.Log {
	t.Helper()
	v, err := replay.Open(m, m.size(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := history.Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestFastCommitsAlone has fast commits in a log without any transaction.
func TestFastCommitsAlone(t *testing.T) {
	m := newMaker(1024, 1<<13, 100, 2048, 512)
	m.dir(12, 2, name{"x", 13, layout.FTSymlink})
	m.mapped(13, 0xa1ff, 1, 100, 0, extentRec{0, 1, m.alloc(1)})
	w := m.fast()
	for i := range uint32(3) {
		for _, ino := range []uint32{12, 13} {
			raw := append([]byte(nil), m.raw(ino)...)
			le.PutUint32(raw[0x10:], i)
			w.record(6, inodeRecord(ino, raw))
			w.record(3, named(12, 14, fmt.Sprint("n", i)))
		}
		w.tail(5)
	}
	m.sequence = 5
	m.clean()
	within(t, func() { everythingOf(t, m, m.size()) })
	l := openMade(t, m)
	if len(l.Transactions()) != 0 {
		t.Fatalf("%d transactions", len(l.Transactions()))
	}
	for _, ino := range []history.Ino{12, 13} {
		versions, err := l.InodeVersions(ino)
		if err != nil || len(versions) != 4 {
			t.Fatalf("inode %d: %d versions, %v", ino, len(versions), err)
		}
		for k := range versions {
			if _, ok := l.Target(&versions[k]); ok && versions[k].Source == history.FromFast {
				t.Errorf("inode %d: a target from a moment that is not known", ino)
			}
		}
		for k := range versions[1:] {
			names, known := l.NameChanges(&versions[k], &versions[k+1])
			if fast := versions[k+1].Source == history.FromFast; ino == 12 && fast && (len(names) != 2 || !known) || !fast && known {
				t.Errorf("inode %d, version %d: names %v, known %t", ino, k+1, names, known)
			}
		}
	}
	if _, err := l.At(0); err == nil {
		t.Error("there is a moment")
	}
	if _, err := l.At(-1); err == nil {
		t.Error("there is a moment -1")
	}
}

// TestSequenceInParts has a transaction of which a descriptor block in the middle is
// gone, so that two parts of it are found.
func TestSequenceInParts(t *testing.T) {
	m := newMaker(1024, 1<<13, 100, 2048, 0)
	change := func(links uint16) logged {
		return m.tableCopy(12, func(raw []byte) { fillInode(raw, 0x81a4, links, 0, 0) })
	}
	m.tx(change(1))
	m.copies(logged{m.alloc(1), make([]byte, 1024)})
	gone := m.log + m.at
	m.copies(logged{m.alloc(1), make([]byte, 1024)})
	m.copies(change(7))
	m.commit()
	m.tx(change(9))
	clear(m.block(gone))
	m.clean()
	l := openMade(t, m)
	if n := len(l.Transactions()); n != 4 {
		t.Fatalf("%d transactions", n)
	}
	i, ok := l.Sequence(2)
	if !ok {
		t.Fatal("no transaction 2")
	}
	p, err := l.At(i)
	if err != nil {
		t.Fatal(err)
	}
	if in, err := p.FS.Inode(12); err != nil || in.Links != 7 {
		t.Errorf("%v, %v; want 7 links", in, err)
	}
}

// TestCoverageEnds has a file larger than what is looked at block by block.
func TestCoverageEnds(t *testing.T) {
	m := newMaker(1024, 1<<23, 100, 2048, 0)
	var recs []extentRec
	leaf, at := m.alloc(1), int64(0)
	for ; at < 84*32768; at += 32768 {
		recs = append(recs, extentRec{at, 32768, 100_000 + at})
	}
	node(m.block(leaf), 0, recs...)
	next := m.alloc(1)
	recs = recs[:0]
	for ; at < 2*84*32768; at += 32768 {
		recs = append(recs, extentRec{at, 32768, 100_000 + at})
	}
	node(m.block(next), 0, recs...)
	m.mapped(12, 0x81a4, 1, at*1024, 1, extentRec{0, 0, leaf}, extentRec{84 * 32768, 0, next})
	m.tx(m.tableCopy(12, func([]byte) {}))
	m.clean()
	l := openMade(t, m)
	in, err := l.FS.Inode(12)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Coverage(0, in)
	if err != nil || c.Kept != 1<<22 || c.Unknown != uint64(at)-1<<22 || c.Sure() {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestOtherGeometry has copies of the superblock and of group descriptors that say
// otherwise than the file system does today, in a log that is clean and in one to be
// replayed.
func TestOtherGeometry(t *testing.T) {
	for what, change := range map[string]func(sb []byte){
		"block size":             func(sb []byte) { sb[0x18], sb[0x1c] = 2, 2 },
		"smaller blocks":         func(sb []byte) { sb[0x18], sb[0x1c] = 0, 0; sb[0x14] = 1 },
		"blocks of 64 KiB":       func(sb []byte) { sb[0x18], sb[0x1c] = 6, 6 },
		"large inodes":           func(sb []byte) { le.PutUint16(sb[0x58:], 2048) },
		"few inodes":             func(sb []byte) { le.PutUint32(sb[0x28:], 8); le.PutUint32(sb[0x00:], 8) },
		"many inodes":            func(sb []byte) { le.PutUint32(sb[0x28:], 1<<14); le.PutUint32(sb[0x00:], 1<<31) },
		"few blocks":             func(sb []byte) { le.PutUint32(sb[0x04:], 200) },
		"many blocks":            func(sb []byte) { le.PutUint32(sb[0x04:], 1<<32-1) },
		"small groups":           func(sb []byte) { le.PutUint32(sb[0x20:], 64); le.PutUint32(sb[0x24:], 64) },
		"clusters":               func(sb []byte) { sb[0x1c] = 6; sb[0x65] |= 2 },
		"metadata_csum":          func(sb []byte) { sb[0x65] |= 4 },
		"inline data and 64bit":  func(sb []byte) { sb[0x61] |= 0x80; sb[0x60] |= 0x80; le.PutUint16(sb[0xfe:], 64) },
		"no feature":             func(sb []byte) { clear(sb[0x5c:0x68]) },
		"all features":           func(sb []byte) { le.PutUint64(sb[0x60:], 1<<64-1) },
		"no superblock":          func(sb []byte) { clear(sb) },
		"another journal inode":  func(sb []byte) { le.PutUint32(sb[0xe0:], 12) },
		"another revision":       func(sb []byte) { le.PutUint32(sb[0x4c:], 0) },
		"descriptors of 1 block": func(sb []byte) { le.PutUint16(sb[0xfe:], 1024); sb[0x60] |= 0x80 },
	} {
		for _, bs := range []int64{1024, 2048, 4096} {
			for _, live := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d, %t", what, bs, live), func(t *testing.T) {
					m := newMaker(bs, 1<<13, 100, 1100, 0)
					m.dir(12, 2, name{"x", 13, layout.FTSymlink}, name{"y", 14, layout.FTRegular})
					m.dir(2, 2, name{"d", 12, layout.FTDir})
					m.mapped(13, 0xa1ff, 1, 100, 0, extentRec{0, 1, m.alloc(1)})
					m.mapped(14, 0x81a4, 1, 20*bs, 0, extentRec{0, 20, 1000})
					at := 1024 / bs
					for i := range 3 {
						b := append([]byte(nil), m.block(at)...)
						if i == 1 || live {
							change(b[1024%bs:][:1024])
						}
						m.tx(logged{at, b}, m.tableCopy(12, func(raw []byte) { raw[0x10] = byte(i) }), m.tableCopy(14, func(raw []byte) { raw[0x10] = byte(i) }))
					}
					if m.clean(); live {
						m.live()
					}
					within(t, func() { everythingOf(t, m, m.size()) })
				})
			}
		}
	}
}

// TestNotWhole has a last transaction whose commit block does not hold: replay ends
// before it, so nothing was ever of it.
func TestNotWhole(t *testing.T) {
	l := openBytes(t, exttest.HostileJournal(t, "log-commit-checksum-last"))
	found := false
	for i, tx := range l.Transactions() {
		if tx.Damage&jbd2.BadCommit != 0 {
			found = true
			if l.TookEffect(i) {
				t.Errorf("transaction %d took effect", tx.Sequence)
			}
		}
	}
	if !found {
		t.Error("no such transaction")
	}
}
