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
	// testdata/small.sh fills it with 120 bytes.
	want := append(bytes.Repeat([]byte("m"), 120), make([]byte, 5000-120)...)
	binary.LittleEndian.PutUint32(e.Inode(ino)[4:], 5000)
	e.SealInode(ino)
	f, err := ext.Open(bytes.NewReader(e.Image), int64(len(e.Image)), ext.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := f.Inode(ext.Ino(ino))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if n, err := f.Copy(&got, in); err != nil || n != 5000 || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("copied %d bytes, %v", n, err)
	}
	file := f.File(in)
	read, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	if err != nil || file.Err() != nil || !bytes.Equal(read, want) {
		t.Errorf("read %d bytes, %v, %v", len(read), err, file.Err())
	}
}
