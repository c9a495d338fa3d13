package main

import (
	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// typeWord names the file type of a mode as the JSON key type has it.
func typeWord(mode uint16) string {
	switch mode & layout.ModeMask {
	case layout.ModeRegular:
		return "file"
	case layout.ModeDir:
		return "directory"
	case layout.ModeSymlink:
		return "symlink"
	case layout.ModeChar:
		return "chardev"
	case layout.ModeBlock:
		return "blockdev"
	case layout.ModeFIFO:
		return "fifo"
	case layout.ModeSocket:
		return "socket"
	}
	return "unknown"
}

// modeLetters spells a mode as ls -l does.
func modeLetters(mode uint16) string {
	kinds := map[uint16]byte{layout.ModeRegular: '-', layout.ModeDir: 'd', layout.ModeSymlink: 'l', layout.ModeChar: 'c',
		layout.ModeBlock: 'b', layout.ModeFIFO: 'p', layout.ModeSocket: 's'}
	b := []byte("?rwxrwxrwx")
	if k, ok := kinds[mode&layout.ModeMask]; ok {
		b[0] = k
	}
	for i := range 9 {
		if mode>>(8-i)&1 == 0 {
			b[1+i] = '-'
		}
	}
	for _, s := range []struct {
		bit      uint16
		at       int
		with, no byte
	}{{0o4000, 3, 's', 'S'}, {0o2000, 6, 's', 'S'}, {0o1000, 9, 't', 'T'}} {
		if mode&s.bit == 0 {
			continue
		}
		if b[s.at] == 'x' {
			b[s.at] = s.with
		} else {
			b[s.at] = s.no
		}
	}
	return string(b)
}

// foldsCase reports whether a directory takes other cases of its names.
func foldsCase(in *ext.Inode) bool { return in.Flags&layout.FlagCasefold != 0 }

// paths is a list of paths.
func paths(list [][]byte) report.Value {
	v := make([]report.Value, len(list))
	for i, p := range list {
		v[i] = report.Name(p)
	}
	return report.List(v)
}

// strs is a list of words.
func strs(list []string) report.Value {
	v := make([]report.Value, len(list))
	for i, s := range list {
		v[i] = report.Str(s)
	}
	return report.List(v)
}
