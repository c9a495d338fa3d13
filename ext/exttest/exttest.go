// Package exttest serves the tests of the packages that read ext file systems:
// it unpacks the images under testdata, holds them against what the kernel and
// debugfs show, and damages small images in known ways. It imports none of the
// packages under test, so its answers never come from them.
//
// A case is a folder under testdata that holds image.gz, and truth.json.gz when
// the kernel's view of it was recorded. A case is named by its path below
// testdata, as in "matrix/ext4-1k"; a name that ends in ".img" is an image kept
// uncompressed, as "demo.img".
package exttest
