package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// storedIn unpacks testdata/containers/NAME.gz into a folder.
func storedIn(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(name))
	if err := os.Rename(exttest.Container(t, name), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVirtualDisks holds the small vhd, vhdx and vdi against the raw image they are of.
func TestVirtualDisks(t *testing.T) {
	dir := t.TempDir()
	raw := storedIn(t, dir, "raw.img")
	for _, tt := range []struct {
		name    string
		parents []string // have to lie beside it
	}{
		{"vhd/fixed.vhd", nil},
		{"vhd/dynamic.vhd", nil},
		{"vhd/child.vhd", []string{"vhd/middle.vhd", "vhd/parent.vhd"}},
		{"vhdx/dynamic.vhdx", nil},
		{"vhdx/log.vhdx", nil},
		{"vhdx/child.vhdx", []string{"vhdx/parent.vhdx"}},
		{"vdi/dynamic.vdi", nil},
		{"vdi/child.vdi", []string{"vdi/parent.vdi"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := storedIn(t, t.TempDir(), tt.name)
			for _, p := range tt.parents {
				storedIn(t, filepath.Dir(path), p)
			}
			sameAsRaw(t, raw, path, Options{})
			corrupt(t, path, 1000, false)
		})
	}
}
