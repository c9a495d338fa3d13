// Command extscope looks into ext2, ext3 and ext4 disk images without ever
// writing to them. This package turns flags into questions to the libraries and
// their answers into reports; it knows no byte offset of any structure.
package main

import "os"

func main() {
	startCollector()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
