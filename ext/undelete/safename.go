package undelete

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/extscope/extscope/ext/layout"
)

// maxName is how long the name of a file may be, in bytes.
const maxName = 255

// SafeName makes a name from an image safe as a file's name: it cannot lead anywhere
// else, is no device's and no other file's on any system, and holds no control
// characters and no bytes that are not UTF-8. Those are spelled \xNN, and so is the
// backslash, so that different names stay different.
func SafeName(name []byte) string { return safeName(name, runtime.GOOS == "windows") }

func safeName(name []byte, windows bool) string {
	forbidden := `/\`
	if windows {
		forbidden = `/\<>:"|?*`
	}
	var b strings.Builder
	escape := func(p []byte) {
		for _, x := range p {
			fmt.Fprintf(&b, `\x%02x`, x)
		}
	}
	if windows {
		// There the backslash leads below.
		escape = func(p []byte) {
			for _, x := range p {
				fmt.Fprintf(&b, `%%%02x`, x)
			}
		}
		forbidden += "%"
	}
	device, end := reserved(name), len(strings.TrimRight(string(name), ". "))
	for i := 0; i < len(name); {
		c, n := utf8.DecodeRune(name[i:])
		bad := c == utf8.RuneError && n <= 1 || c < 0x20 || c >= 0x7f && c < 0xa0 || strings.ContainsRune(forbidden, c)
		if bad || i >= end || device && i == 0 {
			escape(name[i : i+n])
		} else {
			b.Write(name[i : i+n])
		}
		i += n
	}
	s := b.String()
	switch {
	case s == "":
		return "@"
	case len(s) > maxName: // escaped, it may be longer than names can be
		return withSuffix(s, fmt.Sprintf("-%08x", layout.CRC32C(^uint32(0), name)))
	}
	return s
}

// reserved reports whether Windows takes a name for a device's, whatever follows the
// first dot.
func reserved(name []byte) bool {
	base, _, _ := strings.Cut(string(name), ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(base) == 4 && (base[:3] == "COM" || base[:3] == "LPT") && base[3] >= '0' && base[3] <= '9'
}

// withSuffix appends to a name what tells it from another, and keeps it short enough.
func withSuffix(name, suffix string) string {
	if len(name)+len(suffix) > maxName {
		name = strings.ToValidUTF8(name[:maxName-len(suffix)], "")
	}
	return name + suffix
}
