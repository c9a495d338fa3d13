package exttest

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
)

var be = binary.BigEndian

// Block types and flags of the log, include/linux/jbd2.h.
const (
	logMagic      = 0xc03b3998
	logDescriptor = 1
	logCommit     = 2
	logRevoke     = 5
	tagEscape     = 1
	tagSameUUID   = 2
	tagLast       = 8
	logInode      = 8
)

// A logEditor changes the journal of a crash case in memory. Like the Editor that
// it has for the rest of the image, it trusts the image, and its seal methods put
// right the checksums over what was changed.
type logEditor struct {
	*Editor
	blocks []uint32   // the file system's block of each block of the log
	run    []logBlock // from s_start to the last commit block
	format logFormat
}

// A logBlock is a descriptor, revoke or commit block of the run.
type logBlock struct {
	n        uint32 // in the log
	kind     uint32
	sequence uint32
	tags     []int // of a descriptor: where each tag starts, in the block
}

type logFormat struct {
	csum    bool // of the third version
	tagSize int
	seed    uint32
}

// crashes keeps the few images, unpacked, that many hostile ones are made from.
var crashes sync.Map // name to []byte

// editCrash unpacks a crash case for changing.
func editCrash(t testing.TB, name string) *logEditor {
	t.Helper()
	image, ok := crashes.Load(name)
	if !ok {
		b, _ := CrashBytes(t, name)
		image, _ = crashes.LoadOrStore(name, b)
	}
	e := &logEditor{Editor: &Editor{Image: bytes.Clone(image.([]byte)), t: t, inos: make(map[string]uint32)}}
	sb := e.Superblock()
	e.blockSize = 1024 << le.Uint32(sb[0x18:])
	e.perGroup = le.Uint32(sb[0x28:])
	e.inodeSize = int64(le.Uint16(sb[0x58:]))
	e.descSize = 32
	if le.Uint32(sb[0x60:])&0x80 != 0 { // 64bit
		e.descSize = int64(le.Uint16(sb[0xfe:]))
	}
	e.descs = (int64(le.Uint32(sb[0x14:])) + 1) * e.blockSize
	e.sums = le.Uint32(sb[0x64:])&0x400 != 0
	e.seed = crc32c(^uint32(0), sb[0x68:][:16])
	e.tables = []int64{int64(le.Uint32(e.Group(0)[0x08:])) * e.blockSize}
	e.readMap()
	e.readRun()
	return e
}

// readMap reads the map of the journal's inode, whose extents are all in the inode.
func (e *logEditor) readMap() {
	e.t.Helper()
	root := e.Inode(logInode)[0x28:][:60]
	if le.Uint16(root) != 0xf30a || le.Uint16(root[6:]) != 0 { // eh_magic, eh_depth
		e.t.Fatal("the journal's extents aren't in its inode")
	}
	for i := range int(le.Uint16(root[2:])) {
		x := root[12+12*i:][:12]
		for j := range uint32(le.Uint16(x[4:])) {
			e.blocks = append(e.blocks, le.Uint32(x[8:])+j)
		}
	}
}

// readRun finds the blocks of the log that a replay would go through.
func (e *logEditor) readRun() {
	s := e.log(0)
	incompat := be.Uint32(s[0x28:])
	e.format = logFormat{csum: incompat&0x10 != 0, tagSize: 8, seed: crc32c(^uint32(0), s[0x30:][:16])}
	if incompat&2 != 0 { // 64bit
		e.format.tagSize += 4
	}
	if e.format.csum {
		e.format.tagSize = 16
	}
	for n, sequence := be.Uint32(s[0x1c:]), be.Uint32(s[0x18:]); ; {
		b := e.log(n)
		if be.Uint32(b) != logMagic || be.Uint32(b[8:]) != sequence {
			break
		}
		block := logBlock{n: n, kind: be.Uint32(b[4:]), sequence: sequence}
		n = e.next(n, 1)
		switch block.kind {
		case logDescriptor:
			block.tags = e.tags(b)
			n = e.next(n, uint32(len(block.tags)))
		case logCommit:
			sequence++
		}
		e.run = append(e.run, block)
	}
	for len(e.run) > 0 && e.run[len(e.run)-1].kind != logCommit {
		e.run = e.run[:len(e.run)-1]
	}
}

// log returns the bytes of a block of the log.
func (e *logEditor) log(n uint32) []byte { return e.Block(e.blocks[n]) }

// next goes some blocks on, and from the log's end to its start.
func (e *logEditor) next(n, by uint32) uint32 {
	s := e.log(0)
	first, last := be.Uint32(s[0x14:]), be.Uint32(s[0x10:])
	if be.Uint32(s[0x28:])&0x20 != 0 { // fast_commit
		last -= max(be.Uint32(s[0x54:]), 1)
	}
	if n += by; n >= last {
		n -= last - first
	}
	return n
}

// tags finds where the tags of a descriptor block start.
func (e *logEditor) tags(b []byte) (starts []int) {
	for at := 12; at+e.format.tagSize <= len(b); {
		starts = append(starts, at)
		flags := e.flags(b[at:])
		at += e.format.tagSize
		if flags&tagSameUUID == 0 {
			at += 16
		}
		if flags&tagLast != 0 {
			break
		}
	}
	return starts
}

func (e *logEditor) flags(tag []byte) uint32 {
	if e.format.csum {
		return be.Uint32(tag[4:])
	}
	return uint32(be.Uint16(tag[6:]))
}

func (e *logEditor) setFlags(tag []byte, flags uint32) {
	if e.format.csum {
		be.PutUint32(tag[4:], flags)
	} else {
		be.PutUint16(tag[6:], uint16(flags))
	}
}

// nth finds a block of a kind in the run, counted from 0, or from the end if n < 0.
func (e *logEditor) nth(kind uint32, n int) logBlock {
	e.t.Helper()
	var found []logBlock
	for _, b := range e.run {
		if b.kind == kind {
			found = append(found, b)
		}
	}
	if n < 0 {
		n += len(found)
	}
	if n < 0 || n >= len(found) {
		e.t.Fatalf("%d blocks of type %d in the log", len(found), kind)
	}
	return found[n]
}

// seal puts right the checksum of a block of the log, by its type.
func (e *logEditor) seal(n uint32) {
	b := e.log(n)
	if !e.format.csum {
		return
	}
	switch be.Uint32(b[4:]) {
	case logDescriptor, logRevoke: // jbd2_descriptor_block_csum_set
		clear(b[len(b)-4:])
		be.PutUint32(b[len(b)-4:], crc32c(e.format.seed, b))
	case logCommit: // jbd2_commit_block_csum_set
		clear(b[0x10:0x14])
		be.PutUint32(b[0x10:], crc32c(e.format.seed, b))
	}
}

// sealSuper: jbd2_superblock_csum.
func (e *logEditor) sealSuper() {
	if s := e.log(0)[:1024]; e.format.csum {
		clear(s[0xfc:0x100])
		be.PutUint32(s[0xfc:], crc32c(^uint32(0), s))
	}
}

// sealCopy puts right the checksum that a tag has for its block: jbd2_block_tag_csum_set.
func (e *logEditor) sealCopy(d logBlock, i int) {
	if e.format.csum {
		sum := crc32c(e.format.seed, be.AppendUint32(nil, d.sequence))
		be.PutUint32(e.log(d.n)[d.tags[i]+12:], crc32c(sum, e.log(e.next(d.n, uint32(i)+1))))
	}
	e.seal(d.n)
}
