package exttest

import "testing"

// Walk returns every name below a mount point as the kernel shows it, ordered
// by path.
func Walk(t testing.TB, mountpoint string) []Object {
	t.Helper()
	objs, err := ReadTree(mountpoint)
	if err != nil {
		t.Fatal(err)
	}
	return objs
}

// Mount mounts an image with the running kernel and returns where. Options are
// mount(8)'s, "ro,noload" when empty. The mount goes away with the test; without
// root the test is skipped.
func Mount(t testing.TB, image, options string) string {
	t.Helper()
	Root(t)
	if options == "" {
		options = "ro,noload"
	}
	m, err := MountImage(image, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.Dir
}
