package ext_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
)

// TestInlineZeros reads a file that is larger than the data in its inode: as the kernel
// does, which reads zeros behind them.
func TestInlineZeros(t *testing.T) {
	e := exttest.Edit(t, "small-inline")
	ino := e.Ino("/medium")
	open := func() (*ext.FS, *ext.Inode) {
		f, err := ext.Open(bytes.NewReader(e.Image), int64(len(e.Image)), ext.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := f.Inode(ext.Ino(ino))
		if err != nil {
			t.Fatal(err)
		}
		return f, in
	}
	f, in := open()
	var want bytes.Buffer
	if _, err := f.Copy(&want, in); err != nil {
		t.Fatal(err)
	}
	want.Write(make([]byte, 5000-want.Len()))
	binary.LittleEndian.PutUint32(e.Inode(ino)[4:], 5000)
	e.SealInode(ino)
	f, in = open()
	var got bytes.Buffer
	if n, err := f.Copy(&got, in); err != nil || n != 5000 || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("copied %d bytes, %v", n, err)
	}
	file := f.File(in)
	read, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	if err != nil || file.Err() != nil || !bytes.Equal(read, want.Bytes()) {
		t.Errorf("read %d bytes, %v, %v", len(read), err, file.Err())
	}
}
