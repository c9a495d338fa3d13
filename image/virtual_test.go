package image

import (
	"path/filepath"
	"testing"
)

// TestVirtualDisks holds the small vhd, vhdx and vdi against the raw image they are of.
func TestVirtualDisks(t *testing.T) {
	dir := t.TempDir()
	raw := fixture(t, dir, "raw.img")
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
			path := fixture(t, t.TempDir(), tt.name)
			for _, p := range tt.parents {
				fixture(t, filepath.Dir(path), p)
			}
			sameAsRaw(t, raw, path, Options{})
			corrupt(t, path, 1000, false)
		})
	}
}
