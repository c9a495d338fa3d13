package exttest

// Damage to fast commits. Tags and offsets are those of struct ext4_fc_tl and what
// follows it, fs/ext4/fast_commit.h, all little-endian.

const (
	fcAddRange = 1
	fcDelRange = 2
	fcCreate   = 3
	fcLink     = 4
	fcUnlink   = 5
	fcInode    = 6
	fcTail     = 8
	fcHead     = 9
)

// A fastRecord is one record of the fast-commit area: its bytes, from the tag on.
type fastRecord struct {
	block uint32 // of the log
	at    int    // in that block
	b     []byte
}

// fastArea returns the records of the first commits in the area, up to the first
// block that doesn't start with a known one. Each commit here fits its block.
func (e *logEditor) fastArea() (records []fastRecord) {
	s := e.log(0)
	for n := be.Uint32(s[0x10:]) - be.Uint32(s[0x54:]) + 1; n < uint32(len(e.blocks)); n++ {
		b := e.log(n)
		for at := 0; at+4 <= len(b); {
			size := 4 + int(le.Uint16(b[at+2:]))
			tag := le.Uint16(b[at:])
			if tag < fcAddRange || tag > fcHead || at+size > len(b) {
				return records
			}
			records = append(records, fastRecord{n, at, b[at:][:size]})
			if at += size; tag == fcTail {
				break
			}
		}
	}
	return records
}

// fast changes the nth record with a tag, and seals its commit.
func fast(tag uint16, nth int, change func(b []byte)) func(*logEditor) {
	return func(e *logEditor) {
		for _, r := range e.fastArea() {
			if le.Uint16(r.b) != tag {
				continue
			}
			if nth--; nth < 0 {
				block := e.log(r.block)
				tails := e.fastArea()
				change(r.b)
				for _, tail := range tails {
					if tail.block == r.block && le.Uint16(block[tail.at:]) == fcTail {
						sealFast(block, tail.at)
					}
				}
				return
			}
		}
		e.t.Fatalf("too few fast commit records with tag %d", tag)
	}
}

// sealFast puts right the checksum of a commit that starts its block: over everything
// up to fc_crc.
func sealFast(block []byte, tail int) {
	le.PutUint32(block[tail+8:], crc32c(0, block[:tail+8]))
}

// unsealed changes a record as fast does, and not the checksum.
func unsealed(tag uint16, nth int, change func(b []byte)) func(*logEditor) {
	return func(e *logEditor) {
		for _, r := range e.fastArea() {
			if le.Uint16(r.b) == tag {
				if nth--; nth < 0 {
					change(r.b)
					return
				}
			}
		}
		e.t.Fatalf("too few fast commit records with tag %d", tag)
	}
}

var hostileFastCommits = []hostileLog{
	{"fast-tail-checksum", "fast-commit", unsealed(fcTail, 10, func(b []byte) { b[8] ^= 1 })},
	{"fast-tail-checksum-first", "fast-commit", unsealed(fcTail, 0, func(b []byte) { b[8] ^= 1 })},
	{"fast-tail-tid", "fast-commit", fast(fcTail, 10, func(b []byte) { b[4]++ })},
	{"fast-tail-gone", "fast-commit", unsealed(fcTail, 10, func(b []byte) { clear(b) })},
	{"fast-head-tid-old", "fast-commit", fast(fcHead, 0, func(b []byte) { b[8]-- })},
	{"fast-head-tid-ahead", "fast-commit", fast(fcHead, 0, func(b []byte) { b[8]++ })},
	{"fast-head-features", "fast-commit", fast(fcHead, 0, func(b []byte) { le.PutUint32(b[4:], 0x80) })},
	{"fast-head-gone", "fast-commit", fast(fcHead, 0, func(b []byte) { le.PutUint16(b, 7) })}, // a pad
	{"fast-tag-unknown", "fast-commit", fast(fcInode, 10, func(b []byte) { le.PutUint16(b, 77) })},
	{"fast-length-past-block", "fast-commit", unsealed(fcInode, 10, func(b []byte) { le.PutUint16(b[2:], 0xffff) })},
	{"fast-length-0", "fast-commit", unsealed(fcInode, 10, func(b []byte) { le.PutUint16(b[2:], 0) })},
	{"fast-range-outside", "fast-commit", fast(fcAddRange, 1, func(b []byte) { le.PutUint32(b[8+8:], 0x7ffffff0) })},
	{"fast-range-length-0", "fast-commit", fast(fcAddRange, 1, func(b []byte) { le.PutUint16(b[8+4:], 0) })},
	{"fast-range-of-no-inode", "fast-commit", fast(fcAddRange, 1, func(b []byte) { le.PutUint32(b[4:], 0xfffffff0) })},
	{"fast-range-of-free-inode", "fast-commit", fast(fcAddRange, 1, func(b []byte) { le.PutUint32(b[4:], 500) })},
	{"fast-range-on-metadata", "fast-commit", fast(fcAddRange, 1, func(b []byte) { le.PutUint32(b[8+8:], 0) })},
	{"fast-del-range-all", "fast-commit", fast(fcDelRange, 0, func(b []byte) { le.PutUint32(b[8:], 0); le.PutUint32(b[12:], 0xffffffff) })},
	{"fast-inode-outside", "fast-commit", fast(fcInode, 10, func(b []byte) { le.PutUint32(b[4:], 0xfffffff0) })},
	{"fast-inode-is-root", "fast-commit", fast(fcInode, 10, func(b []byte) { le.PutUint32(b[4:], 2) })},
	{"fast-inode-is-journal", "fast-commit", fast(fcInode, 10, func(b []byte) { le.PutUint32(b[4:], 8) })},
	{"fast-inode-extents", "fast-commit", fast(fcInode, 4, func(b []byte) { le.PutUint16(b[8+0x28+2:], 0xffff) })},
	{"fast-create-parent-outside", "fast-commit", fast(fcCreate, 0, func(b []byte) { le.PutUint32(b[4:], 0xfffffff0) })},
	{"fast-create-parent-file", "fast-commit", fast(fcCreate, 0, func(b []byte) { le.PutUint32(b[4:], 19) })},
	{"fast-create-inode-outside", "fast-commit", fast(fcCreate, 0, func(b []byte) { le.PutUint32(b[8:], 0xfffffff0) })},
	{"fast-create-name-slash", "fast-commit", fast(fcCreate, 0, func(b []byte) { b[13] = '/' })},
	{"fast-create-name-nul", "fast-commit", fast(fcCreate, 0, func(b []byte) { b[13] = 0 })},
	{"fast-create-name-exists", "fast-commit", fast(fcCreate, 0, func(b []byte) { copy(b[12:], "first/") })},
	{"fast-link-to-directory", "fast-commit", fast(fcLink, 0, func(b []byte) { le.PutUint32(b[8:], 2) })},
	{"fast-unlink-no-such-name", "fast-commit", fast(fcUnlink, 0, func(b []byte) { b[12] ^= 1 })},
	{"fast-unlink-other-inode", "fast-commit", fast(fcUnlink, 0, func(b []byte) { le.PutUint32(b[8:], 12) })},
}
