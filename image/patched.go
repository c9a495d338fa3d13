package image

import (
	"io"
	"slices"
	"sort"
)

// A filePatch is bytes written over a file in memory.
type filePatch struct {
	off, n int64
	data   []byte // n bytes; nil for zeros
}

// A patchedFile is a file and what was written over it.
type patchedFile struct {
	r       io.ReaderAt
	size    int64       // with what the patches add; zeros between
	patches []filePatch // in order, none over another
}

// newPatched lays patches over a file of size bytes, later ones over earlier ones. A patch
// of data must not be covered in part, as holds where all are of whole sectors.
func newPatched(r io.ReaderAt, size int64, patches []filePatch) *patchedFile {
	f := &patchedFile{r: r, size: size}
	var bounds []int64
	for _, p := range patches {
		bounds = append(bounds, p.off, p.off+p.n)
		f.size = max(f.size, p.off+p.n)
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	pieces := make([]filePatch, len(bounds))
	free := make([]int, len(bounds)+1) // from a bound on, one whose piece may be free
	for i := range free {
		free[i] = i
	}
	next := func(i int) int {
		for free[i] != i {
			free[i] = free[free[i]]
			i = free[i]
		}
		return i
	}
	for _, p := range slices.Backward(patches) {
		i, _ := slices.BinarySearch(bounds, p.off)
		for i = next(i); i < len(bounds) && bounds[i] < p.off+p.n; i = next(i) {
			pieces[i] = filePatch{bounds[i], bounds[i+1] - bounds[i], p.data}
			free[i] = i + 1
		}
	}
	for _, p := range pieces {
		if p.n > 0 {
			f.patches = append(f.patches, p)
		}
	}
	return f
}

func (f *patchedFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	n, err := f.r.ReadAt(p, off)
	if err == io.EOF {
		whole := int(min(int64(len(p)), f.size-off))
		clear(p[n:whole])
		if n = whole; n == len(p) {
			err = nil
		}
	}
	end := off + int64(n)
	i := sort.Search(len(f.patches), func(i int) bool { return f.patches[i].off+f.patches[i].n > off })
	for ; i < len(f.patches) && f.patches[i].off < end; i++ {
		q := f.patches[i]
		from, to := max(q.off, off), min(q.off+q.n, end)
		if q.data == nil {
			clear(p[from-off : to-off])
		} else {
			copy(p[from-off:to-off], q.data[from-q.off:])
		}
	}
	return n, err
}
