package report

// A Style is how a piece of text stands out, on a terminal that has colours.
type Style uint8

// The styles, by meaning; Dir, Link and Exec are the colours of ls.
const (
	None Style = iota
	Good
	Warn
	Bad
	Dim
	Bold
	Dir
	Link
	Exec
	Special // devices, fifos, sockets
)

// sgr holds the parameters of "select graphic rendition", ECMA-48.
var sgr = [...]string{
	Good:    "32",
	Warn:    "33",
	Bad:     "31",
	Dim:     "2",
	Bold:    "1",
	Dir:     "1;34",
	Link:    "36",
	Exec:    "1;32",
	Special: "35",
}

// Wrap puts s around text, which holds no escapes of its own. When on is false
// it returns text as it is.
func (s Style) Wrap(text string, on bool) string {
	if !on || text == "" || int(s) >= len(sgr) || sgr[s] == "" {
		return text
	}
	return "\x1b[" + sgr[s] + "m" + text + "\x1b[0m"
}
