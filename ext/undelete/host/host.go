// Package host asks the system that the program runs on about the folder that files are
// written to: how much room it has, whether it lies on the evidence itself, and which
// extended attributes it takes. Where a system can't tell, that is said.
package host

import "errors"

// ErrUnsupported says that this is not to be had on this system.
var ErrUnsupported = errors.New("not supported on this system")
