//go:build !race

package exttest

// Race says that this is a build with the race detector, which makes everything
// five to fifteen times as slow.
const Race = false
