package report

import "github.com/olekukonko/tablewriter/pkg/twwidth"

const (
	columnGap = "  "
	spaces    = "                                                                "

	// maxColumn is the widest a column gets for its longest cell, unless the
	// terminal tells another measure. Longer cells push the rest of their own
	// line to the right; nothing is ever cut.
	maxColumn = len(spaces)
	minColumn = 16
)

// A lines draws rows as aligned lines, every one in the same way, be it in the
// window that the columns were sized by or after it.
type lines struct {
	widths []int
	right  []bool
}

// setWidths sizes the columns for cells as wide as these, on a terminal of
// total columns, 0 if unknown.
func (l *lines) setWidths(widths []int, total int) {
	limit := maxColumn
	if total > 0 {
		limit = min(limit, max(minColumn, total/2))
	}
	l.widths = make([]int, len(widths))
	for i, w := range widths {
		l.widths[i] = min(w, limit)
	}
}

// appendCell appends the cell of column i, which takes up width on a terminal.
// The last column isn't padded: no line ends in blanks.
func (l *lines) appendCell(dst, text []byte, i, width int) []byte {
	if i > 0 {
		dst = append(dst, columnGap...)
	}
	pad := max(0, l.widths[i]-width)
	if l.right[i] {
		dst = append(dst, spaces[:pad]...)
	}
	dst = append(dst, text...)
	if !l.right[i] && i < len(l.widths)-1 {
		dst = append(dst, spaces[:pad]...)
	}
	return dst
}

// DisplayWidth is how many columns of a terminal text takes up: two for wide
// characters, none for combining ones and SGR codes. It is for a Report's Text.
func DisplayWidth(text string) int { return displayWidth([]byte(text)) }

// displayWidth is how many columns of a terminal text takes up, SGR codes
// counting nothing. Characters whose width depends on the locale are narrow, so
// that the same report is the same bytes everywhere.
func displayWidth(text []byte) int {
	if plainBytes(text, false) < len(text) {
		return twwidth.WidthWithOptions(string(text), twwidth.Options{})
	}
	return len(text)
}

// trimRight cuts blanks off the end of dst, not further than start.
func trimRight(dst []byte, start int) []byte {
	for len(dst) > start && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
