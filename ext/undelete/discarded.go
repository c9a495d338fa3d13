package undelete

import "github.com/extscope/extscope/ext"

// A mount with discard, and fstrim, let go of what free blocks held: they read as zeros
// from then on, while all that the file system says of them still holds.

// probeBytes is how much is read at once to see whether there is more than zeros.
const probeBytes = 64 << 10

// discarded counts the blocks of a candidate in runs that hold nothing but zeros.
func (f *finder) discarded(c *Candidate) (n uint64) {
	bs := uint64(f.fs.BlockSize())
	end := (c.Size + bs - 1) / bs
	for _, r := range c.Runs {
		if r.Kind != ext.Data || r.Logical >= end {
			continue
		}
		if k := min(r.Len, end-r.Logical); !f.logged(c, r.Physical) && f.zeros(r.Physical, k) {
			n += k
		}
	}
	return n
}

// zeros reports whether n blocks from b on hold nothing but zeros. Most do not, and their
// first block tells; what is read goes down from f.probes.
func (f *finder) zeros(b Block, n uint64) bool {
	bs := int64(f.fs.BlockSize())
	at, left, read := b, n, uint64(1)
	skip := func(k uint64) { at, left = at+Block(k), left-k }
	for left > 0 {
		hole, absent := f.fs.Hole(f.fs.BlockOffset(at))
		switch {
		case absent:
			return false // a dump of metadata has no contents at all
		case hole >= bs:
			skip(min(uint64(hole/bs), left))
			continue
		case f.stray.zero.has(at):
			skip(1)
			continue
		case f.stray.free.has(at):
			return false // the scan saw that it is not
		}
		if f.probe == nil {
			f.probe, f.probes = make([]byte, max(probeBytes, bs)), max(f.fs.Size(), 1<<30)
		}
		read = min(read, left, uint64(int64(len(f.probe))/bs))
		p := f.probe[:int64(read)*bs]
		if f.probes -= int64(len(p)); f.probes < 0 {
			f.limit("more free blocks hold zeros than are looked at: files in such are not proved")
			return true
		}
		if got, _ := f.fs.ReadAt(p, f.fs.BlockOffset(at)); got < len(p) || !allZero(p) {
			return false
		}
		skip(read)
		read *= 4
	}
	return true
}
