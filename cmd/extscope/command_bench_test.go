package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// BenchmarkCommand runs whole commands on the image that EXTSCOPE_BENCH_IMAGE names.
// default.pgo, by which the compiler knows what is worth its while, is its CPU profile: README tells how it is made.
func BenchmarkCommand(b *testing.B) {
	image := os.Getenv("EXTSCOPE_BENCH_IMAGE")
	if image == "" {
		b.Skip("EXTSCOPE_BENCH_IMAGE names no image")
	}
	for _, command := range []string{"audit", "symlinks", "links", "orphans", "ls -R", "deleted"} {
		b.Run(command, func(b *testing.B) {
			args := append(strings.Fields(command), image)
			for b.Loop() {
				var stderr bytes.Buffer
				if status := runContext(b.Context(), args, strings.NewReader(""), io.Discard, &stderr); status > exitFlagged {
					b.Fatalf("status %d: %s", status, stderr.String())
				}
			}
		})
	}
}
