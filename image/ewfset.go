package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// An ewfSet is the segment files of an image, ordered by number.
type ewfSet struct {
	name     ewfNames
	segments []*ewfSegment
}

// ewfNames writes the names of segments: DIR/STEM.E01 to .E99, then .EAA to .EZZ, .FAA
// and so on to .ZZZ.
type ewfNames struct {
	dir, stem string
	letter    byte // 'E' or 'S', or in lower case
}

func (n ewfNames) of(number int) string {
	ext := fmt.Sprintf("%c%02d", n.letter, number)
	if number > 99 {
		i := number - 100
		a := 'A' | n.letter&0x20
		ext = string([]byte{n.letter + byte(min(i/676, 25)), a + byte(i/26%26), a + byte(i%26)})
	}
	return filepath.Join(n.dir, n.stem+"."+ext)
}

// ewfExtension tells whether base is named like a segment of stem.
func ewfExtension(base string) (stem, ext string, ok bool) {
	dot := strings.LastIndexByte(base, '.')
	if dot < 0 || len(base)-dot != 4 {
		return "", "", false
	}
	stem, ext = base[:dot], base[dot+1:]
	letter := func(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	return stem, ext, letter(ext[0]) && (digit(ext[1]) && digit(ext[2]) || letter(ext[1]) && letter(ext[2]))
}

// ewfNumber tells whether a file called base is a segment, and which: by its header, or
// by its name where the header is damaged and a section follows.
func ewfNumber(f *os.File, base string, warnings *[]string) (number int, ok bool) {
	if number, ok = decodeEwfHeader(fetch(f, 0, ewfHeaderLen)); ok {
		return number, true
	}
	_, x, ok := ewfExtension(base)
	if !ok || x[1] > '9' {
		return 0, false
	}
	if _, err := decodeEwfSection(fetch(f, ewfHeaderLen, ewfSectionLen), ewfHeaderLen); err != nil {
		return 0, false
	}
	warnf(warnings, "%s: file header is damaged: taken as the segment that it is named", base)
	return int(x[1]-'0')*10 + int(x[2]-'0'), true
}

// openEwfSet opens the segments that lie beside the one called name, which is open and
// says that it is the one of that number. The numbers in the files count, not their names.
func openEwfSet(f *os.File, info fs.FileInfo, name string, number int, warnings *[]string) (*ewfSet, error) {
	if number == 0 {
		return nil, &FormatError{Name: name, Format: formatE01, Offset: 9, What: "segment number 0"}
	}
	given := &ewfSegment{name: name, file: f, size: info.Size(), number: number}
	set := &ewfSet{name: ewfNames{filepath.Dir(name), filepath.Base(name), 'E'}, segments: []*ewfSegment{given}}
	if stem, ext, ok := ewfExtension(set.name.stem); ok {
		set.name.stem = stem
		if err := set.siblings(filepath.Base(name), ext, warnings); err != nil {
			set.closeBut(f)
			return nil, err
		}
	}
	for _, s := range set.segments {
		s.walk(warnings)
	}
	set.sort(given, warnings)
	return set, nil
}

// siblings opens the other files that are named like segments and are.
func (set *ewfSet) siblings(base, ext string, warnings *[]string) error {
	entries, err := os.ReadDir(set.name.dir)
	if err != nil {
		return nil // a folder that can't be listed: the file alone is what there is
	}
	letters := ext[1] > '9'
	if !letters {
		set.name.letter = ext[0]
	} else if ext[0] >= 'a' {
		set.name.letter = 'e'
	}
	for _, e := range entries {
		stem, x, ok := ewfExtension(e.Name())
		// Three letters may name anything, a digit behind the set's own letter does not.
		named := ok && x[1] <= '9'
		if !ok || stem != set.name.stem || e.Name() == base || named && !letters && x[0] != ext[0] {
			continue
		}
		f, info, path, err := beside(filepath.Join(set.name.dir, base), "segment", e.Name())
		if err != nil {
			if named {
				return err
			}
			continue
		}
		s := &ewfSegment{name: path, file: f, size: info.Size()}
		if s.number, ok = ewfNumber(f, e.Name(), warnings); !ok {
			f.Close()
			continue
		}
		if named {
			set.name.letter = x[0]
		}
		set.segments = append(set.segments, s)
	}
	return nil
}

// sort orders the segments by number, and leaves out those of another acquisition than
// the given one, which lie here by mistake.
func (set *ewfSet) sort(given *ewfSegment, warnings *[]string) {
	list := set.segments
	set.segments = nil
	sort.SliceStable(list, func(i, k int) bool { return list[i].number < list[k].number })
	for _, s := range list {
		base := filepath.Base(s.name)
		last := len(set.segments) - 1
		switch {
		case s.number == 0:
			warnf(warnings, "%s says that it is segment 0: left out", base)
		case !given.sameSet(s):
			warnf(warnings, "%s is of another acquisition than %s: left out", base, filepath.Base(given.name))
		case last >= 0 && set.segments[last].number == s.number:
			// Two of one number: the one that is meant, or named so.
			drop := s
			if s == given || set.segments[last] != given && strings.EqualFold(s.name, set.name.of(s.number)) {
				drop, set.segments[last] = set.segments[last], s
			}
			warnf(warnings, "%s says that it is segment %d, as %s does: left out", filepath.Base(drop.name), s.number, filepath.Base(set.segments[last].name))
			drop.file.Close()
			continue
		default:
			if !strings.EqualFold(s.name, set.name.of(s.number)) && len(list) > 1 {
				warnf(warnings, "%s says that it is segment %d, which the name does not", base, s.number)
			}
			set.segments = append(set.segments, s)
			continue
		}
		if s != given {
			s.file.Close()
		}
	}
}

func (set *ewfSet) closeBut(f *os.File) {
	for _, s := range set.segments {
		if s.file != f {
			s.file.Close()
		}
	}
}

// volume finds what the image is: the volume section, or a copy of it where that is
// damaged.
func (set *ewfSet) volume(warnings *[]string) (ewfVolume, error) {
	bad := ewfVolume{name: set.segments[0].name, at: -1, err: errors.New("there is none")}
	for _, s := range set.segments {
		for _, v := range s.volumes {
			switch {
			case v.err != nil && bad.at < 0:
				bad = v
			case v.err == nil && bad.at >= 0:
				warnf(warnings, "%s: volume section at byte %d: %v; its copy at byte %d of %s is used",
					filepath.Base(bad.name), bad.at, bad.err, v.at, filepath.Base(v.name))
				fallthrough
			case v.err == nil:
				return v, nil
			}
		}
	}
	return bad, &FormatError{Name: bad.name, Format: formatE01, Offset: bad.at, What: fmt.Sprintf("volume section: %v", bad.err)}
}
