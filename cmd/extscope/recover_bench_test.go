package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkRecover holds a recovery, from opening the image to the manifest, against a
// plain copy of the same files to the same place. TMPDIR says where that is.
func BenchmarkRecover(b *testing.B) {
	for _, bb := range []struct {
		name, image string
		files, size int
	}{
		{"10000x16KiB", "320M", 10000, 16 << 10},
		{"8x64MiB", "640M", 8, 64 << 20},
	} {
		b.Run(bb.name, func(b *testing.B) {
			contents, script := map[string]string{}, []string{}
			random := rand.NewChaCha8([32]byte{1})
			data := make([]byte, bb.size)
			for i := range bb.files {
				name := fmt.Sprintf("d%d/f%d", i%20, i)
				random.Read(data)
				contents[name] = string(data)
				script = append(script, "rm /"+name)
			}
			image := made(b, "ext4", bb.image, contents, script...)
			from := filepath.Join(filepath.Dir(image), "from")
			each := func(work func(b *testing.B, to string)) func(b *testing.B) {
				return func(b *testing.B) {
					b.SetBytes(int64(bb.files * bb.size))
					to := filepath.Join(b.TempDir(), "to")
					for b.Loop() {
						work(b, to)
						b.StopTimer()
						if err := os.RemoveAll(to); err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
				}
			}
			b.Run("copy", each(func(b *testing.B, to string) {
				if err := os.CopyFS(to, os.DirFS(from)); err != nil {
					b.Fatal(err)
				}
			}))
			b.Run("recover", each(func(b *testing.B, to string) {
				var stderr bytes.Buffer
				if status := runContext(b.Context(), []string{"recover", image, "--to", to, "--all"}, strings.NewReader(""), io.Discard, &stderr); status != exitDone {
					b.Fatalf("status %d: %s", status, stderr.String())
				}
			}))
		})
	}
}
