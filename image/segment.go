package image

import (
	"fmt"
	"strconv"
	"strings"
)

// A segmentScheme is one way tools number the files of a split image.
type segmentScheme struct {
	letters bool // .aa, .ab … as split(1) does; otherwise .000 or .001 …
	width   int  // digits or letters of the first suffix
}

// maxSegment bounds segment numbers: more files than anyone opens at once.
const maxSegment = 1 << 16

// widenAfter is the first index split(1) gives a longer suffix to: it keeps
// names in order by going from .yz on to .zaaa.
const widenAfter = 25 * 26

// parseSegment takes a base name apart: "disk.dd.003" is index 3 of stem
// "disk.dd". Digits count as they are written, letters from .aa = 0.
func parseSegment(base string) (stem string, s segmentScheme, index int, ok bool) {
	dot := strings.LastIndexByte(base, '.')
	if dot <= 0 {
		return "", s, 0, false
	}
	stem, suffix := base[:dot], base[dot+1:]
	switch {
	case len(suffix) < 2 || len(suffix) > 5:
		return "", s, 0, false
	case strings.Trim(suffix, "0123456789") == "":
		index, err := strconv.Atoi(suffix)
		width := len(suffix)
		if err == nil && width > 2 && suffix[0] != '0' {
			width = 3 // .1000 follows .999
		}
		return stem, segmentScheme{width: width}, index, err == nil && index < maxSegment
	case strings.Trim(suffix, "abcdefghijklmnopqrstuvwxyz") != "" || len(suffix) > 4:
		return "", s, 0, false
	case len(suffix) == 4:
		if suffix[0] != 'z' || suffix[1] == 'z' {
			return "", s, 0, false
		}
		return stem, segmentScheme{letters: true, width: 2}, widenAfter + fromLetters(suffix[1:]), true
	}
	return stem, segmentScheme{letters: true, width: len(suffix)}, fromLetters(suffix), true
}

func fromLetters(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*26 + int(c-'a')
	}
	return n
}

// name is the file name of segment index.
func (s segmentScheme) name(stem string, index int) string {
	if !s.letters {
		return fmt.Sprintf("%s.%0*d", stem, s.width, index)
	}
	prefix, width := "", s.width
	if width == 2 && index >= widenAfter {
		prefix, width, index = "z", 3, index-widenAfter
	}
	b := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		b[i] = byte('a' + index%26)
		index /= 26
	}
	return stem + "." + prefix + string(b)
}

// first is the index a set begins with. Numbers begin with 0 or 1, and 1 is
// the rule when neither is there.
func (s segmentScheme) first(have map[int]int64) int {
	if s.letters {
		return 0
	}
	if _, ok := have[0]; ok {
		return 0
	}
	return 1
}
