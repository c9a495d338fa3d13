package report

import (
	"strconv"
	"time"
)

// HumanSize is n bytes as ls -h has it: powers of 1024, rounded up, one
// decimal below ten.
func HumanSize(n uint64) string { return string(appendHumanSize(nil, n)) }

func appendHumanSize(dst []byte, n uint64) []byte {
	if n < 1024 {
		return strconv.AppendUint(dst, n, 10)
	}
	const units = "KMGTPE"
	for i := range len(units) {
		unit := uint64(1) << (10 * (i + 1))
		whole, rest := n/unit, n%unit
		if whole >= 1024 {
			continue
		}
		// rest < 2^60, so ten times it fits.
		if tenths := whole*10 + (rest*10+unit-1)/unit; tenths < 100 {
			dst = strconv.AppendUint(dst, tenths/10, 10)
			return append(dst, '.', byte('0'+tenths%10), units[i])
		}
		if rest > 0 {
			whole++
		}
		if whole == 1024 { // rounded up to one of the next unit
			return append(dst, '1', '.', '0', units[i+1]) // n < 16E, so there is a next
		}
		dst = strconv.AppendUint(dst, whole, 10)
		return append(dst, units[i])
	}
	return dst // not reached: whole is below 16 for the last unit
}

// Grouped is n with a comma between groups of three digits.
func Grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// FormatTime is t in UTC as people read it, "-" for the zero time.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return string(appendDateTime(nil, t.UTC(), ' '))
}

// appendRFC3339 appends t, which is in UTC, always with nine digits of
// nanoseconds. A year that RFC 3339 has no room for is written out all the same.
func appendRFC3339(dst []byte, t time.Time) []byte {
	dst = append(appendDateTime(dst, t, 'T'), '.')
	ns := uint32(t.Nanosecond())
	for div := uint32(100_000_000); div > 0; div /= 10 {
		dst = append(dst, byte('0'+ns/div%10))
	}
	return append(dst, 'Z')
}

// appendDateTime is t.AppendFormat by hand, three times as fast.
func appendDateTime(dst []byte, t time.Time, sep byte) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		dst = strconv.AppendInt(dst, int64(year), 10)
	} else {
		dst = append2(append2(dst, year/100), year%100)
	}
	dst = append2(append(dst, '-'), int(month))
	dst = append2(append(dst, '-'), day)
	dst = append2(append(dst, sep), hour)
	dst = append2(append(dst, ':'), minute)
	return append2(append(dst, ':'), second)
}

func append2(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}
