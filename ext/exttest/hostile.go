package exttest

import (
	"slices"
	"testing"
)

// A hostileCase is damage done to a small image, right in all checksums.
type hostileCase struct {
	name   string
	image  string // the case it starts from
	damage func(*Editor)
}

func hostileCases() []hostileCase {
	return slices.Concat(hostileSuperblocks, hostileGroups, hostileInodes, hostileExtents, hostileBlockMaps,
		hostileDirectories, hostileIndexes, hostileXattrs, hostileInline, hostileOrphans)
}

// HostileNames lists the hostile images, in a fixed order. A name starts with
// the structure that is damaged.
func HostileNames() []string {
	var names []string
	for _, c := range hostileCases() {
		names = append(names, c.name)
	}
	return names
}

// Hostile returns all hostile images: 1 MiB each, so about 200 MiB. A test that
// takes one after the other is lighter on HostileNames and HostileImage.
func Hostile(t testing.TB) map[string][]byte {
	t.Helper()
	images := make(map[string][]byte)
	for _, c := range hostileCases() {
		images[c.name] = c.make(t)
	}
	return images
}

// HostileImage returns one hostile image.
func HostileImage(t testing.TB, name string) []byte {
	t.Helper()
	for _, c := range hostileCases() {
		if c.name == name {
			return c.make(t)
		}
	}
	t.Fatalf("no hostile image %q", name)
	return nil
}

func (c *hostileCase) make(t testing.TB) []byte {
	t.Helper()
	e := Edit(t, c.image)
	c.damage(e)
	return e.Image
}

// superblock32 sets 32-bit superblock fields: offset, value, offset, value, …
func superblock32(pairs ...uint32) func(*Editor) {
	return func(e *Editor) {
		for i := 0; i < len(pairs); i += 2 {
			le.PutUint32(e.Superblock()[pairs[i]:], pairs[i+1])
		}
		e.SealSuperblock()
	}
}

func superblock16(offset int, value uint16) func(*Editor) {
	return func(e *Editor) {
		le.PutUint16(e.Superblock()[offset:], value)
		e.SealSuperblock()
	}
}

// inode16 and inode32 set fields of a path's inode.
func inode16(path string, offset int, value uint16) func(*Editor) {
	return inodeOf(path, func(b []byte) { le.PutUint16(b[offset:], value) })
}

func inode32(path string, pairs ...uint32) func(*Editor) {
	return inodeOf(path, func(b []byte) {
		for i := 0; i < len(pairs); i += 2 {
			le.PutUint32(b[pairs[i]:], pairs[i+1])
		}
	})
}

func inodeOf(path string, change func(b []byte)) func(*Editor) {
	return func(e *Editor) {
		ino := e.Ino(path)
		change(e.Inode(ino))
		e.SealInode(ino)
	}
}

// group32 sets fields of group 1's descriptor.
func group32(pairs ...uint32) func(*Editor) {
	return func(e *Editor) {
		for i := 0; i < len(pairs); i += 2 {
			le.PutUint32(e.Group(1)[pairs[i]:], pairs[i+1])
		}
		e.SealGroup(1)
	}
}

// directory changes a directory's first block, given the entry of one name.
func directory(path, name string, change func(e *Editor, entry []byte)) func(*Editor) {
	return func(e *Editor) {
		change(e, e.Entry(path, name))
		e.SealDirectory(e.Ino(path), e.First(e.Ino(path)))
	}
}
