package ext

import "iter"

// EveryRun yields what Runs and Map yield, together: the runs that cover the
// file, holes included, and each Index run before what it maps. An inode without
// a map yields nothing.
func (f *FS) EveryRun(in *Inode) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		if !f.hasMap(in) {
			return
		}
		next := uint64(0)
		for r, err := range f.Map(in) {
			switch {
			case err != nil:
				if !yield(Run{}, err) {
					return
				}
				continue
			case r.Kind == Index:
				if !yield(r, nil) {
					return
				}
				continue
			case r.Logical < next:
				// The map goes back on itself: evidence all the same.
				if !yield(Run{}, corrupt("block map", "logical block", in.Offset+0x28, r.Logical)) {
					return
				}
			case r.Logical > next:
				if !yield(Run{next, 0, r.Logical - next, Hole}, nil) {
					return
				}
			}
			if !yield(r, nil) {
				return
			}
			next = max(next, r.Logical+r.Len)
		}
		if end := f.blocksFor(in.size); end > next {
			yield(Run{next, 0, end - next, Hole}, nil)
		}
	}
}

// HasMap reports whether i_block maps blocks: not so for inline data, fast
// symlinks, devices, fifos and sockets.
func (f *FS) HasMap(in *Inode) bool { return f.hasMap(in) }
