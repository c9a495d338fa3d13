package ext_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/layout"
)

// bases are the images that fuzz data patches, by the first byte of it.
var bases = []string{"small", "small-ext2", "small-inline"}

// patched makes an image of fuzz data: of a first byte below 3 the base of that
// number with patches, each three bytes of offset, one of length, and the bytes;
// else the data itself.
func patched(images [][]byte, data []byte) []byte {
	if len(data) == 0 || int(data[0]) >= len(images) {
		return data
	}
	image := bytes.Clone(images[data[0]])
	for data = data[1:]; len(data) > 4; {
		at := int(data[0]) | int(data[1])<<8 | int(data[2])<<16
		n := min(int(data[3]), len(data)-4)
		if at < len(image) {
			copy(image[at:], data[4:4+n])
		}
		data = data[4+n:]
	}
	return image
}

// asPatches is the fuzz data that makes image from a base.
func asPatches(number int, base, image []byte) []byte {
	data := []byte{byte(number)}
	for at := 0; at < len(base); at++ {
		if base[at] == image[at] {
			continue
		}
		end := at + 1
		for end < len(base) && end-at < 255 && !bytes.HasPrefix(base[end:], image[end:min(end+8, len(image))]) {
			end++
		}
		data = append(data, byte(at), byte(at>>8), byte(at>>16), byte(end-at))
		data = append(data, image[at:end]...)
		at = end - 1
	}
	return data
}

// FuzzOpen opens images and reads all that is in them: no panic, and nothing
// that takes long or much memory.
func FuzzOpen(f *testing.F) {
	var images [][]byte
	for i, name := range bases {
		images = append(images, exttest.Bytes(f, name))
		f.Add([]byte{byte(i)})
	}
	for _, name := range exttest.Some(20, exttest.HostileNames()) {
		image := exttest.HostileImage(f, name)
		var best []byte
		for i, base := range images {
			if len(image) != len(base) {
				continue
			}
			if data := asPatches(i, base, image); best == nil || len(data) < len(best) {
				best = data
			}
		}
		if best != nil && len(best) < 20000 {
			f.Add(best)
		}
	}
	f.Add(append([]byte{0xff}, images[0][1:64<<10]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		image := patched(images, data)
		defer exttest.Watch(t, exttest.TimeLimit())()
		fsys, err := ext.Open(bytes.NewReader(image), int64(len(image)), ext.Options{})
		if err != nil {
			return
		}
		readEverything(t, fsys)
	})
}

// readEverything reads all that the tables and the root lead to.
func readEverything(t *testing.T, f *ext.FS) {
	start := time.Now()
	for ino := layout.Ino(1); uint32(ino) <= min(f.InodesCount(), 400); ino++ {
		in, err := f.Inode(ino)
		if err != nil {
			if !ext.IsDamage(err) && !errors.As(err, new(*ext.NoInodeError)) {
				t.Errorf("inode %d: %v", ino, err)
			}
			continue
		}
		readInode(t, f, in)
		if took := time.Since(start); took > exttest.TimeLimit() {
			t.Fatalf("inode %d: %v by now", ino, took)
		}
	}
	for group := range f.Groups() {
		f.InodeBitmap(group)
		f.BlockBitmap(group)
		f.GroupMetadata(group)
	}
	f.MMP()
	root, err := f.Inode(layout.RootIno)
	if err != nil {
		return
	}
	names := 0
	for e, err := range f.Walk(context.Background(), root, []byte("/"), ext.WalkOptions{Removed: true, Inodes: true}) {
		if err != nil {
			continue
		}
		if names++; names > 1<<20 {
			t.Fatal("a walk over more names than the image has room for")
		}
		if names < 200 && !e.Removed {
			f.Resolve(string(e.Path), true)
			f.Canonical(string(e.Path))
		}
	}
	if took := time.Since(start); took > exttest.TimeLimit() {
		t.Fatalf("the walk: %v by now", took)
	}
}

// readInode reads one inode in every way, and looks at whether the ways agree.
func readInode(t *testing.T, f *ext.FS, in *ext.Inode) {
	const most = 1 << 20
	next := uint64(0)
	for r, err := range f.Runs(in) {
		if err != nil {
			continue
		}
		if r.Logical != next || r.Len == 0 || r.Kind == ext.Data && !f.InRange(r.Physical, r.Len) {
			t.Fatalf("inode %d: run %v behind block %d", in.Ino, r, next)
		}
		next = r.Logical + r.Len
	}
	for range f.EveryRun(in) {
	}
	var all bytes.Buffer
	_, err := f.Copy(&limited{&all, most}, in)
	whole := !errors.Is(err, errLimit)
	file := f.File(in)
	if whole && err == nil && file.Err() == nil && in.Size() <= most {
		read, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
		if err != nil || !bytes.Equal(read, all.Bytes()) {
			t.Errorf("inode %d: Copy gives %d bytes, ReadAt %d (%v)", in.Ino, all.Len(), len(read), err)
		}
	}
	f.Xattrs(in)
	f.InlineSize(in)
	f.HasPolicy(in)
	f.Readlink(in)
	f.Verity(in)
	f.Blocks512(in)
	entries := 0
	for range f.Entries(in, true) {
		if entries++; entries > 1<<18 {
			t.Fatalf("inode %d: more entries than the image has room for", in.Ino)
		}
	}
	f.Lookup(in, []byte("nothing"))
}

// limited takes so many bytes and no more.
type limited struct {
	w    io.Writer
	left int
}

var errLimit = errors.New("enough")

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errLimit
	}
	return l.w.Write(p)
}
