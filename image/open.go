package image

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// errWrongType is a prober's "not mine, try the next".
var errWrongType = errors.New("wrong image type")

// A prober opens the evidence called name if it is of the format it knows, and
// returns errWrongType if it isn't. f is the named file, already open; a prober
// that succeeds owns it, one that fails leaves it alone.
type prober func(f *os.File, info fs.FileInfo, name string, o Options) (*Image, error)

// probers are asked in order. Raw takes anything, so it comes last.
func probers() []prober {
	return []prober{
		probeDevice, probeEwf, probeQcow2, probeVmdk, probeVHDX, probeVHD, probeVDI, probeSimg, probeForeign, probeSplit, probeRaw,
	}
}

func probe(name string, o Options) (*Image, error) {
	f, info, err := openFile(name)
	if err != nil {
		return nil, err
	}
	return probeFile(f, info, name, o)
}

// probeFile opens the evidence in a file that is open, which it takes over.
func probeFile(f *os.File, info fs.FileInfo, name string, o Options) (*Image, error) {
	im, err := probeForm(f, info, name, o)
	if err != nil {
		return nil, err
	}
	return unpacked(im, name, o)
}

// probeForm is probeFile for what is not compressed.
func probeForm(f *os.File, info fs.FileInfo, name string, o Options) (*Image, error) {
	for _, p := range probers() {
		im, err := p(f, info, name, o)
		if errors.Is(err, errWrongType) {
			continue
		}
		if err != nil {
			f.Close()
		}
		return im, err
	}
	f.Close()
	return nil, errWrongType // not reached: probeRaw takes anything
}

// openFile opens a regular file or block device. The type is looked at before
// opening, since opening a named pipe waits for a writer and opening a device
// may do something (a tape rewinds), and after it, since it is the opened file
// that counts.
func openFile(name string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if err := checkType(name, info.Mode()); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = checkType(name, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func checkType(name string, mode fs.FileMode) error {
	if mode.IsRegular() || isBlockDevice(mode) {
		return nil
	}
	return &FileTypeError{name, mode}
}

func isBlockDevice(mode fs.FileMode) bool {
	return mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
}

// probeDevice takes a block device. Its inode has no size: the end is where
// seeking finds it.
func probeDevice(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	if !isBlockDevice(info.Mode()) {
		return nil, errWrongType
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	return single(f, name, "block device", size), nil
}

func single(f *os.File, name, format string, size int64) *Image {
	return &Image{
		format: format, size: size, data: f, closer: f,
		segments: []Segment{{Name: name, Size: size}},
	}
}
