package exttest

import "testing"

// Damage to the journal of a crash case. Field offsets are those of struct
// journal_superblock_s, journal_block_tag3_s, jbd2_journal_revoke_header_s and
// commit_header, include/linux/jbd2.h.
//
// What the kernel and e2fsck make of each is in testdata/journal/hostile.

// A hostileLog is damage done to a crash case, right in all checksums unless it is
// a checksum that is damaged.
type hostileLog struct {
	name   string
	image  string // the crash case it starts from, below testdata/journal
	damage func(*logEditor)
}

func hostileLogs() []hostileLog {
	var all []hostileLog
	for _, list := range [][]hostileLog{hostileLogSuper, hostileLogBlocks, hostileLogPlain, hostileLogInode, hostileFastCommits} {
		all = append(all, list...)
	}
	return all
}

// HostileJournalNames lists the images with a hostile journal, in a fixed order. A
// name starts with the structure that is damaged.
func HostileJournalNames() []string {
	var names []string
	for _, c := range hostileLogs() {
		names = append(names, c.name)
	}
	return names
}

// HostileJournal returns an image with a hostile journal, of 16 MiB.
func HostileJournal(t testing.TB, name string) []byte {
	t.Helper()
	for _, c := range hostileLogs() {
		if c.name == name {
			return c.make(t)
		}
	}
	t.Fatalf("no hostile journal %q", name)
	return nil
}

// HostileJournalBase names the crash case that a hostile journal was made from, as
// in "journal/ext4".
func HostileJournalBase(t testing.TB, name string) string {
	t.Helper()
	for _, c := range hostileLogs() {
		if c.name == name {
			return "journal/" + c.image
		}
	}
	t.Fatalf("no hostile journal %q", name)
	return ""
}

func (c *hostileLog) make(t testing.TB) []byte {
	t.Helper()
	e := editCrash(t, "journal/"+c.image)
	c.damage(e)
	return e.Image
}

// super32 sets fields of the journal's superblock: offset, value, offset, value, …
func super32(pairs ...uint32) func(*logEditor) {
	return func(e *logEditor) {
		for i := 0; i < len(pairs); i += 2 {
			be.PutUint32(e.log(0)[pairs[i]:], pairs[i+1])
		}
		e.sealSuper()
	}
}

var hostileLogSuper = []hostileLog{
	{"log-super-zero", "ext4", func(e *logEditor) { clear(e.log(0)) }},
	{"log-super-ones", "ext4", func(e *logEditor) {
		for i := range e.log(0) {
			e.log(0)[i] = 0xff
		}
	}},
	{"log-super-magic", "ext4", super32(0x00, 0xc03b3999)},
	{"log-super-type-9", "ext4", super32(0x04, 9)},
	{"log-super-version-1", "ext4", super32(0x04, 3)},
	{"log-super-checksum", "ext4", func(e *logEditor) { e.log(0)[0xfc] ^= 1 }},
	{"log-super-checksum-type-9", "ext4", func(e *logEditor) { e.log(0)[0x50] = 9; e.sealSuper() }},
	{"log-super-two-checksums", "ext4", super32(0x28, 0x1b)},
	{"log-super-three-checksums", "ext4", super32(0x24, 1, 0x28, 0x13)},
	{"log-super-no-features", "ext4", super32(0x28, 0)},
	{"log-super-unknown-feature", "ext4", super32(0x28, 0x8013)},
	{"log-super-block-size", "ext4", super32(0x0c, 1024)},
	{"log-super-length-over-inode", "ext4", super32(0x10, 1025)},
	{"log-super-length-huge", "ext4", super32(0x10, 0xffffffff)},
	{"log-super-length-short", "ext4", super32(0x10, 100)},
	{"log-super-length-0", "ext4", super32(0x10, 0)},
	{"log-super-first-0", "ext4", super32(0x14, 0)},
	{"log-super-first-over-length", "ext4", super32(0x14, 1025)},
	{"log-super-first-huge", "ext4", super32(0x14, 0xffffffff)},
	{"log-super-start-over-length", "ext4", super32(0x1c, 1024)},
	{"log-super-start-huge", "ext4", super32(0x1c, 0xffffffff)},
	{"log-super-start-on-copy", "ext4", func(e *logEditor) { super32(0x1c, e.next(e.run[0].n, 1))(e) }},
	{"log-super-start-late", "ext4", func(e *logEditor) {
		d := e.nth(logDescriptor, 10)
		super32(0x1c, d.n, 0x18, d.sequence)(e)
	}},
	{"log-super-sequence-ahead", "ext4", func(e *logEditor) { super32(0x18, e.run[0].sequence+1000)(e) }},
	{"log-super-clean", "ext4", super32(0x1c, 0)}, // needs_recovery is set all the same
	{"log-super-errno", "ext4", super32(0x20, 0xfffffffb)},
	{"log-super-fast-blocks-huge", "fast-commit", super32(0x54, 0xffffffff)},
	{"log-super-fast-blocks-all", "fast-commit", super32(0x54, 1087)},
	{"log-super-fast-blocks-0", "fast-commit", super32(0x54, 0)}, // means 256
}

// logBlockOf changes the nth block of a kind, and seals it.
func logBlockOf(kind uint32, n int, change func(e *logEditor, b []byte, at logBlock)) func(*logEditor) {
	return func(e *logEditor) {
		at := e.nth(kind, n)
		change(e, e.log(at.n), at)
		e.seal(at.n)
	}
}

// flip turns one bit of the nth block of a kind.
func flip(kind uint32, n, offset int) func(*logEditor) {
	return func(e *logEditor) {
		b := e.log(e.nth(kind, n).n)
		if offset < 0 {
			offset += len(b)
		}
		b[offset] ^= 1
	}
}

// tagsToEnd makes every tag of a descriptor block one that another follows.
func tagsToEnd(e *logEditor, b []byte, at logBlock) {
	const flags = tagSameUUID
	for i := at.tags[1]; i+e.format.tagSize <= len(b); i += e.format.tagSize {
		copy(b[i:], b[at.tags[0]:][:e.format.tagSize])
		e.setFlags(b[i:], flags)
	}
}

var hostileLogBlocks = []hostileLog{
	{"log-descriptor-checksum", "ext4", flip(logDescriptor, 12, -1)},
	{"log-descriptor-checksum-first", "ext4", flip(logDescriptor, 0, -1)},
	{"log-descriptor-checksum-last", "ext4", flip(logDescriptor, -1, -1)},
	{"log-descriptor-magic", "ext4", flip(logDescriptor, 12, 0)},
	{"log-descriptor-type-9", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, _ logBlock) { b[7] = 9 })},
	{"log-descriptor-is-superblock", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, _ logBlock) { b[7] = 4 })},
	{"log-descriptor-sequence", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[8:], at.sequence+5) })},
	{"log-descriptor-no-last-tag", "ext4", logBlockOf(logDescriptor, 12, tagsToEnd)},
	{"log-descriptor-no-last-tag-in-last", "ext4", logBlockOf(logDescriptor, -1, func(e *logEditor, b []byte, at logBlock) {
		last := b[at.tags[len(at.tags)-1]:]
		e.setFlags(last, e.flags(last)&^tagLast)
	})},
	{"log-tag-checksum", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, at logBlock) { b[at.tags[1]+12] ^= 1 })},
	{"log-tag-outside", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[at.tags[1]:], 0x7ffffff0) })},
	{"log-tag-outside-64", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[at.tags[1]+8:], 0xffffffff) })},
	{"log-tag-past-end", "ext4", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[at.tags[1]:], 4096) })},
	// A copy that goes over a commit block further on in the log.
	{"log-tag-into-log", "ext4", logBlockOf(logDescriptor, 12, func(e *logEditor, b []byte, at logBlock) {
		be.PutUint32(b[at.tags[1]:], e.blocks[e.nth(logCommit, 20).n])
	})},
	{"log-tag-into-log-super", "ext4", logBlockOf(logDescriptor, 12, func(e *logEditor, b []byte, at logBlock) {
		be.PutUint32(b[at.tags[1]:], e.blocks[0])
	})},
	{"log-tag-uuid", "ext4", logBlockOf(logDescriptor, 12, func(e *logEditor, b []byte, at logBlock) {
		e.setFlags(b[at.tags[1]:], 0) // 16 bytes of the next tag are its UUID now
	})},
	{"log-tag-escape", "ext4", logBlockOf(logDescriptor, 12, func(e *logEditor, b []byte, at logBlock) {
		e.setFlags(b[at.tags[1]:], e.flags(b[at.tags[1]:])|tagEscape) // the copy gets the magic number
	})},
	{"log-tag-deleted", "ext4", logBlockOf(logDescriptor, 12, func(e *logEditor, b []byte, at logBlock) {
		e.setFlags(b[at.tags[1]:], e.flags(b[at.tags[1]:])|4) // JBD2_FLAG_DELETED
	})},
	{"log-copy-checksum", "ext4", func(e *logEditor) { e.log(e.next(e.nth(logDescriptor, 12).n, 2))[100] ^= 1 }},
	{"log-copy-checksum-first", "ext4", func(e *logEditor) { e.log(e.next(e.run[0].n, 1))[100] ^= 1 }},
	{"log-copy-checksum-last", "ext4", func(e *logEditor) { e.log(e.next(e.nth(logDescriptor, -1).n, 1))[100] ^= 1 }},
	{"log-copy-zero", "ext4", func(e *logEditor) { clear(e.log(e.next(e.nth(logDescriptor, 12).n, 2))) }},
	// The copy looks like a commit block, and its tag doesn't say that it is escaped.
	{"log-copy-magic", "ext4", func(e *logEditor) {
		d := e.nth(logDescriptor, 12)
		copy(e.log(e.next(d.n, 2)), e.log(e.nth(logCommit, 12).n)[:64])
		e.sealCopy(d, 1)
	}},
	{"log-revoke-checksum", "ext4", flip(logRevoke, 1, -1)},
	{"log-revoke-count-past-block", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], uint32(len(b))+100) })},
	{"log-revoke-count-on-tail", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], uint32(len(b))) })},
	{"log-revoke-count-huge", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], 0xffffffff) })},
	{"log-revoke-count-0", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], 0) })},
	{"log-revoke-count-odd", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], be.Uint32(b[12:])-3) })},
	{"log-revoke-sequence", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[8:], at.sequence-1) })},
	{"log-revoke-outside", "ext4", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint64(b[16:], ^uint64(0)) })},
	{"log-commit-checksum", "ext4", flip(logCommit, 12, 0x10)},
	{"log-commit-checksum-last", "ext4", flip(logCommit, -1, 0x10)},
	{"log-commit-magic", "ext4", flip(logCommit, 12, 0)},
	{"log-commit-missing", "ext4", func(e *logEditor) { clear(e.log(e.nth(logCommit, -1).n)) }},
	{"log-commit-type-9", "ext4", logBlockOf(logCommit, 12, func(_ *logEditor, b []byte, _ logBlock) { b[7] = 9 })},
	{"log-commit-sequence", "ext4", logBlockOf(logCommit, 12, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[8:], at.sequence+1) })},
	{"log-commit-time-huge", "ext4", logBlockOf(logCommit, 12, func(_ *logEditor, b []byte, _ logBlock) {
		be.PutUint64(b[0x30:], 1<<63-1)
		be.PutUint32(b[0x38:], 0xffffffff)
	})},
	{"log-commit-time-back", "ext4", logBlockOf(logCommit, 12, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint64(b[0x30:], 1000) })},
	// What was a transaction with a bad commit block is followed by one that is older.
	{"log-sequence-jump", "ext4", func(e *logEditor) {
		from := e.nth(logCommit, 12).sequence
		for _, b := range e.run {
			if b.sequence > from {
				be.PutUint32(e.log(b.n)[8:], b.sequence+10)
				e.seal(b.n)
			}
		}
	}},
	{"log-sequence-back", "ext4", func(e *logEditor) {
		from := e.nth(logCommit, 12).sequence
		for _, b := range e.run {
			if b.sequence > from {
				be.PutUint32(e.log(b.n)[8:], b.sequence-from)
				e.seal(b.n)
			}
		}
	}},
	// Nothing but revoke blocks of one transaction: the log has no end.
	{"log-endless-revokes", "ext4", func(e *logEditor) {
		r := e.nth(logRevoke, 0)
		b := append([]byte(nil), e.log(r.n)...)
		be.PutUint32(b[8:], e.run[0].sequence)
		for n := uint32(1); n < uint32(len(e.blocks)); n++ {
			copy(e.log(n), b)
			e.seal(n)
		}
	}},
	// The same of descriptor blocks with a copy each.
	{"log-endless-descriptors", "ext4", func(e *logEditor) {
		b := make([]byte, e.blockSize)
		copy(b, e.log(e.run[0].n)[:12])
		e.setFlags(b[12:], tagSameUUID|tagLast)
		be.PutUint32(b[12:], 4000)
		for n := uint32(1); n < uint32(len(e.blocks)); n++ {
			copy(e.log(n), b)
			e.seal(n)
		}
	}},
}

// Without checksums only the structure tells.
var hostileLogPlain = []hostileLog{
	{"log-plain-descriptor-no-last-tag", "no-csum", logBlockOf(logDescriptor, 12, tagsToEnd)},
	{"log-plain-tag-outside", "no-csum", logBlockOf(logDescriptor, 12, func(_ *logEditor, b []byte, at logBlock) { be.PutUint32(b[at.tags[1]:], 0x7ffffff0) })},
	{"log-plain-revoke-count-past-block", "no-csum", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], uint32(len(b))+100) })},
	{"log-plain-revoke-count-4", "no-csum", logBlockOf(logRevoke, 1, func(_ *logEditor, b []byte, _ logBlock) { be.PutUint32(b[12:], 4) })},
	{"log-plain-copy-zero", "no-csum", func(e *logEditor) { clear(e.log(e.next(e.nth(logDescriptor, 12).n, 2))) }},
	{"log-plain-commit-magic", "no-csum", flip(logCommit, 12, 0)},
	{"log-v1-copy", "checksum-v1", func(e *logEditor) { e.log(e.next(e.nth(logDescriptor, 12).n, 2))[100] ^= 1 }},
	{"log-v1-copy-last", "checksum-v1", func(e *logEditor) { e.log(e.next(e.nth(logDescriptor, -1).n, 1))[100] ^= 1 }},
	{"log-v1-copy-async", "async-commit-v1", func(e *logEditor) { e.log(e.next(e.nth(logDescriptor, 12).n, 2))[100] ^= 1 }},
	{"log-v1-commit-type", "checksum-v1", logBlockOf(logCommit, 12, func(_ *logEditor, b []byte, _ logBlock) { b[12] = 7 })},
	{"log-async-commit-checksum", "async-commit", flip(logCommit, 12, 0x10)},
	{"log-async-copy", "async-commit", func(e *logEditor) { e.log(e.next(e.nth(logDescriptor, 12).n, 2))[100] ^= 1 }},
}
