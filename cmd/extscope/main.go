// Command extscope looks into ext2, ext3 and ext4 disk images without ever
// writing to them. This package turns flags into questions to the libraries and
// their answers into reports; it knows no byte offset of any structure.
package main

import (
	"os"
	"runtime/debug"
)

// gcPercent trades a little time for memory: the flat arrays of a survey hold
// no pointers and cost the collector nothing.
const gcPercent = 15

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
