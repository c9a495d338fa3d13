package digest

import "github.com/klauspost/cpuid/v2"

// two reports whether twoBlocks may be called.
var two = cpuid.CPU.Supports(cpuid.SHA, cpuid.SSSE3, cpuid.SSE4)

// twoBlocks takes n blocks of 64 bytes, at least one, from p into state a and from q into b.
//
//go:noescape
func twoBlocks(a, b *[8]uint32, p, q *byte, n int)
