package ext

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/extscope/extscope/ext/exttest"
)

// Every path of a mounted image leads where the kernel says, with the mount as
// its root.
func TestCanonicalKernel(t *testing.T) {
	for _, name := range exttest.Some(3, []string{"matrix/ext2-1k", "matrix/ext4-1k", "matrix/inline-data", "links-tutorial/10-symlink-to-directory",
		"links-tutorial/12-python-chain", "links-tutorial/15-loop"}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := exttest.Mount(t, exttest.Image(t, name), "")
			f := openCase(t, name)
			root, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			tried := 0
			for i, o := range exttest.Walk(t, dir) {
				suffixes := []string{"", "/", "/.."}
				if o.Type == "file" && i%8 != 0 && strings.HasPrefix(string(o.Path), "/many/") {
					suffixes = suffixes[:1] // 10000 files: each path reads half of them
				}
				for _, suffix := range suffixes {
					path := string(o.Path) + suffix
					want, werr := kernelPath(root, dir, path)
					got, _, err := f.Canonical(path)
					tried++
					if (err == nil) != (werr == nil) || string(got) != want {
						t.Errorf("%q: got %q, %v; the kernel has %q, %v", path, got, err, want, werr)
					}
				}
			}
			if tried == 0 {
				t.Error("nothing was tried")
			}
		})
	}
}

func kernelPath(root *os.File, dir, path string) (string, error) {
	fd, err := unix.Openat2(int(root.Fd()), path, &unix.OpenHow{Flags: unix.O_PATH, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	p, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if p = strings.TrimPrefix(p, dir); p == "" {
		p = "/"
	}
	return p, err
}
