package audit_test

import (
	"os"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/audit"
	"github.com/extscope/extscope/ext/links"
)

// openBench opens the image that EXTSCOPE_BENCH_IMAGE names.
func openBench(b *testing.B) *ext.FS {
	name := os.Getenv("EXTSCOPE_BENCH_IMAGE")
	if name == "" {
		b.Skip("EXTSCOPE_BENCH_IMAGE names no image")
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	fsys, err := ext.Open(f, info.Size(), ext.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return fsys
}

func BenchmarkSurvey(b *testing.B) {
	f := openBench(b)
	for b.Loop() {
		if _, err := links.Survey(b.Context(), f, links.Hooks{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAudit(b *testing.B) {
	f := openBench(b)
	for b.Loop() {
		if _, err := audit.Run(b.Context(), f, audit.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
