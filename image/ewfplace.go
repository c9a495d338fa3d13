package image

import "path/filepath"

// place gives each span of the set its chunks of the total. Those before the first gap of
// unknown length are counted from the image's start, those behind the last one from its
// end; what lies between is not had, for where it belongs is not known.
func (set *ewfSet) place(total int64, warnings *[]string) []ewfSpan {
	list := set.list(warnings)
	first, last, known := len(list), -1, int64(0)
	for i, s := range list {
		if s.count < 0 {
			first, last = min(first, i), i
		} else {
			known += s.count
		}
	}
	if known >= total { // nothing is lost
		first, last = len(list), -1
	}
	var spans []ewfSpan
	at := int64(0)
	add := func(s ewfSpan, n int64) {
		if n = min(n, total-at); n > 0 {
			s.first, s.count = at, n
			spans = append(spans, s)
			at += n
		}
	}
	behind := int64(0)
	for i, s := range list {
		if i > last && last >= 0 {
			behind += s.count
		}
	}
	for i, s := range list {
		switch {
		case i < first || i > last:
			add(s, max(s.count, 0))
		case i == first:
			add(blame(list[first:last+1]), total-behind-at)
		}
	}
	if at < total { // no gap is known of
		end := set.segments[len(set.segments)-1]
		add(ewfSpan{gap: &ewfGap{name: end.name, at: end.size, err: errNoTable}}, total)
	}
	if known > total {
		warnf(warnings, "tables have %d chunks, and the image is %d: the rest is ignored", known, total)
	}
	for i := first + 1; i < last; i++ {
		if t := list[i].table; t != nil {
			warnf(warnings, "%s: where the %d chunks of the table section at byte %d belong is not known, for lack of what is before and behind", filepath.Base(t.name), list[i].count, t.at)
		}
	}
	return spans
}

// list puts the spans of all segments in a row, with gaps for the segments that are
// missing.
func (set *ewfSet) list(warnings *[]string) []ewfSpan {
	var list []ewfSpan
	missing := func(first, last int) {
		g := &ewfGap{name: set.name.of(first), missing: true}
		if last > first {
			g.upTo = set.name.of(last)
		}
		list = append(list, ewfSpan{count: -1, gap: g})
	}
	next := 1
	for i, s := range set.segments {
		if next < s.number {
			missing(next, s.number-1)
		}
		next = s.number + 1
		list = append(list, s.spans...)
		if s.ended == "done" && i < len(set.segments)-1 {
			warnf(warnings, "%s says that it is the last segment, and is not", filepath.Base(s.name))
		}
	}
	if set.segments[len(set.segments)-1].ended == "next" {
		missing(next, next)
	}
	return list
}

// blame picks of the gaps in a list the one to tell of: segments that are missing rather
// than what is damaged.
func blame(list []ewfSpan) ewfSpan {
	for _, s := range list {
		if s.gap != nil && s.gap.missing {
			return s
		}
	}
	return list[0]
}
