package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// A splitSet is the bytes of several files one after another.
type splitSet struct {
	segments []Segment
	files    []*os.File // one a segment; nil where it is missing
}

// probeSplit takes a file named as one segment of a split raw image, if other
// segments lie beside it.
func probeSplit(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	stem, scheme, index, ok := parseSegment(filepath.Base(name))
	if !ok || !info.Mode().IsRegular() {
		return nil, errWrongType
	}
	dir := filepath.Dir(name)
	sizes, err := siblings(dir, stem, scheme)
	if err != nil {
		return nil, errWrongType // a folder that can't be listed: the file alone is what there is
	}
	sizes[index] = info.Size()
	first, last, later := span(sizes, scheme, index)
	if first == last {
		return lone(f, info, name, scheme, first, later)
	}
	im := &Image{format: "split raw"}
	if index != first {
		warnf(&im.warnings, "%s is not the first segment: opened from %s", filepath.Base(name), scheme.name(stem, first))
	}
	set, err := openSet(dir, stem, scheme, sizes, first, last, &im.warnings)
	if err != nil {
		return nil, err
	}
	if later {
		warnf(&im.warnings, "segments after %s exist, but too many before them are missing: not joined", scheme.name(stem, last))
	}
	f.Close()
	end := set.segments[len(set.segments)-1]
	im.data, im.closer, im.segments, im.size = set, set, set.segments, end.Offset+end.Size
	return im, nil
}

// lone is a file that is named like a segment and has no set around it. Only a
// number says enough to warn: ".dd" and ".img" are letters, too.
func lone(f *os.File, info fs.FileInfo, name string, s segmentScheme, index int, later bool) (*Image, error) {
	im, err := probeRaw(f, info, name, Options{})
	if err != nil || s.letters {
		return im, err
	}
	if index > 1 {
		warnf(&im.warnings, "named like segment %d of a split image, but no other segment was found", index)
	} else if later {
		warnf(&im.warnings, "later segments exist, but too many between are missing: not joined")
	}
	return im, nil
}

// siblings finds the segments of a set in dir: index to size.
func siblings(dir, stem string, s segmentScheme) (map[int]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sizes := map[int]int64{}
	for _, e := range entries {
		st, sc, index, ok := parseSegment(e.Name())
		if !ok || st != stem || sc.letters != s.letters || s.name(stem, index) != e.Name() {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err == nil && info.Mode().IsRegular() {
			sizes[index] = info.Size()
		}
	}
	return sizes, nil
}

// span decides which indexes make the set that holds index, missing ones
// between included. A gap is believed while the missing segments don't outnumber
// those that are there: files that merely look alike are not to be joined.
// Later tells that there are more files beyond a gap that was not believed.
func span(sizes map[int]int64, s segmentScheme, index int) (first, last int, later bool) {
	var have []int
	for i := range sizes {
		have = append(have, i)
	}
	sort.Ints(have)
	first = s.first(sizes)
	joined := func(to int) bool { // first to to, as one set
		n, _ := slices.BinarySearch(have, to+1)
		return n > 1 && (to-first+1)-n <= n
	}
	last = -1
	for _, i := range have {
		if i >= index && joined(i) {
			last = i
		}
	}
	if last < 0 {
		return index, index, have[len(have)-1] > index
	}
	return first, last, have[len(have)-1] > last
}

// openSet opens the segments first to last and lays them end to end.
func openSet(dir, stem string, s segmentScheme, sizes map[int]int64, first, last int, warnings *[]string) (*splitSet, error) {
	usual := int64(-1) // size of all segments but the last, if the set is regular
	for i := first; i < last && usual < 0; i++ {
		if size, ok := sizes[i]; ok {
			usual = size
		}
	}
	usual = max(usual, 0)
	set := &splitSet{}
	var off int64
	for i := first; i <= last; i++ {
		base := s.name(stem, i)
		seg := Segment{Name: filepath.Join(dir, base), Offset: off, Size: usual}
		size, ok := sizes[i]
		var f *os.File
		if ok {
			var err error
			if f, err = os.Open(seg.Name); err != nil {
				set.Close()
				return nil, err
			}
			seg.Size = size
			if size != usual && (i < last || size > usual) {
				warnf(warnings, "segment %s has %d bytes, the first of the set has %d", base, size, usual)
			}
		} else {
			seg.Missing = true
			warnf(warnings, "segment %s is missing: %d bytes from byte %d on cannot be read, if it was as long as the others", base, usual, off)
		}
		if seg.Size > math.MaxInt64-off {
			set.Close()
			return nil, fmt.Errorf("%s: segments add up to more than %d bytes", stem, int64(math.MaxInt64))
		}
		set.segments, set.files = append(set.segments, seg), append(set.files, f)
		off += seg.Size
	}
	return set, nil
}

// ReadAt reads across segments. What lies before a missing or unreadable part
// is returned along with the error.
func (s *splitSet) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	i := sort.Search(len(s.segments), func(i int) bool {
		return off < s.segments[i].Offset+s.segments[i].Size
	})
	for ; i < len(s.segments) && done < len(p); i++ {
		seg := s.segments[i]
		at := off + int64(done) - seg.Offset
		part := p[done:]
		if int64(len(part)) > seg.Size-at {
			part = part[:seg.Size-at]
		}
		if len(part) == 0 {
			continue
		}
		if seg.Missing {
			return done, &MissingError{Name: seg.Name, Offset: seg.Offset + at, Length: int64(len(part))}
		}
		n, err := s.files[i].ReadAt(part, at)
		done += n
		if n < len(part) {
			return done, inRange(err, seg.Name, seg.Offset+at+int64(n), int64(len(part)-n))
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (s *splitSet) Close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
