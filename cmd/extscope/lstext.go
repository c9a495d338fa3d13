package main

import (
	"cmp"
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

// A lister writes directories in the look of ls.
type lister struct {
	*lsOptions
	listing
	env     *env
	ctx     context.Context
	fs      *ext.FS
	headers bool
	parts   int

	widths lsWidths
	marks  []byte // of the entries, behind the mode
	modes  map[uint16]string
	second int64
	spelt  string // what second looks like
}

// lsWidths are the widths of the columns that one directory needs.
type lsWidths struct {
	inode, links, uid, gid, size, major, minor int
	blocks                                     uint64 // of 512 bytes, all files together
	marked                                     bool   // some file has more than a mode
}

func (l *lister) list(files, dirs []lsTarget) error {
	if len(files) > 0 {
		l.parts++
		err := l.lines(func(yield func(*ext.WalkEntry) bool) {
			for _, t := range files {
				e := l.fs.WalkStart(t.in, t.path)
				e.Name = e.Path
				if !yield(e) {
					return
				}
			}
		}, false)
		if err != nil {
			return err
		}
	}
	for _, t := range dirs {
		for d, err := range l.fs.WalkDirs(l.ctx, t.in, t.path, l.walkOptions(l.long || l.color)) {
			if err != nil {
				l.env.damage(err)
				continue
			}
			if err := l.dir(d); err != nil {
				return err
			}
		}
	}
	return l.flush()
}

func (l *lister) dir(d *ext.WalkDir) error {
	if l.parts++; l.parts > 1 {
		l.buf = append(l.buf, '\n')
	}
	if l.headers {
		l.name(d.Path, report.None)
		l.buf = append(l.buf, ":\n"...)
	}
	return l.lines(d.Entries(), true)
}

// lines writes names a line each.
func (l *lister) lines(entries iter.Seq[*ext.WalkEntry], total bool) error {
	l.measure(entries)
	if l.long && total {
		l.buf = append(l.buf, "total "...)
		if l.human {
			l.buf = append(l.buf, report.HumanSize(l.widths.blocks*512)...)
		} else {
			l.buf = strconv.AppendUint(l.buf, (l.widths.blocks+1)/2, 10)
		}
		l.buf = append(l.buf, '\n')
	}
	i := -1
	for e := range entries {
		i++
		if l.inode {
			l.number(uint64(e.Ino), l.widths.inode)
			l.buf = append(l.buf, ' ')
		}
		var in *ext.Inode
		if l.long || l.color || l.byContent {
			var err error
			if in, err = e.Inode(); err != nil {
				l.env.damage(err)
			}
		}
		if l.long {
			l.columns(in, l.marks[i])
		}
		l.name(e.Name, styleOf(e, in))
		if l.long && in != nil && hasTarget(e, in) {
			if err := l.target(l.fs, e, in); err != nil {
				l.env.damage(err)
			}
		}
		if l.byContent && in != nil && !e.Removed {
			l.content(e, in)
		}
		l.mark(e)
		l.buf = append(l.buf, '\n')
		if err := l.spill(); err != nil {
			return err
		}
	}
	return nil
}

// content appends the type of contents behind a tab, which no name holds.
func (l *lister) content(e *ext.WalkEntry, in *ext.Inode) {
	t, err := contentType(l.fs, in)
	if err != nil {
		l.env.damage(about(e, err))
	}
	if t.MIME == "" {
		return
	}
	l.buf = append(append(l.buf, '\t'), report.Dim.Wrap(report.Printable([]byte(t.MIME)), l.listing.color)...)
	if t.Disagrees(string(e.Name)) {
		l.buf = append(l.buf, report.Warn.Wrap(disagreeMark, l.listing.color)...)
	}
}

// measure sizes the columns for a directory.
func (l *lister) measure(entries iter.Seq[*ext.WalkEntry]) {
	l.widths, l.marks = lsWidths{}, l.marks[:0]
	if !l.long && !l.inode {
		return
	}
	w := &l.widths
	var inode, links, uid, gid, size, major, minor uint64
	for e := range entries {
		inode = max(inode, uint64(e.Ino))
		if !l.long {
			continue
		}
		in, err := e.Inode()
		if err != nil {
			l.marks = append(l.marks, 0)
			continue // told when its line comes
		}
		mark := l.fs.AccessMark(in)
		l.marks = append(l.marks, mark)
		w.marked = w.marked || mark != 0
		links, uid, gid = max(links, uint64(in.Links)), max(uid, uint64(in.UID)), max(gid, uint64(in.GID))
		w.blocks += l.fs.Blocks512(in)
		if in.IsRegular() && in.HasInline() {
			// Counted by the kernel, so that such a file does not look like
			// one big hole (ext4_file_getattr, fs/ext4/inode.c).
			w.blocks += (in.Size() + 511) / 512
		}
		switch {
		case isDevice(in):
			a, b := in.Device()
			major, minor = max(major, uint64(a)), max(minor, uint64(b))
			w.major, w.minor = numberWidth(major), numberWidth(minor)
		case l.human:
			w.size = max(w.size, len(report.HumanSize(in.Size())))
		default:
			size = max(size, in.Size())
		}
	}
	w.inode, w.links, w.uid, w.gid = numberWidth(inode), numberWidth(links), numberWidth(uid), numberWidth(gid)
	w.size = max(w.size, numberWidth(size))
	if w.major > 0 {
		w.size = max(w.size, w.major+2+w.minor)
	}
}

func isDevice(in *ext.Inode) bool {
	return in.Type() == layout.ModeChar || in.Type() == layout.ModeBlock
}

// columns appends what the inode says, or marks that nothing is known.
func (l *lister) columns(in *ext.Inode, mark byte) {
	w := &l.widths
	if in == nil {
		l.buf = append(l.buf, "??????????"...)
		if w.marked {
			l.buf = append(l.buf, ' ')
		}
		for _, n := range []int{w.links, w.uid, w.gid, w.size, len(time.DateTime)} {
			l.buf = append(l.buf, ' ')
			l.right("?", n)
		}
		l.buf = append(l.buf, ' ')
		return
	}
	l.buf = append(l.buf, l.mode(in.Mode)...)
	if w.marked {
		l.buf = append(l.buf, cmp.Or(mark, ' '))
	}
	l.buf = append(l.buf, ' ')
	l.number(uint64(in.Links), w.links)
	l.buf = append(l.buf, ' ')
	l.number(uint64(in.UID), w.uid)
	l.buf = append(l.buf, ' ')
	l.number(uint64(in.GID), w.gid)
	l.buf = append(l.buf, ' ')
	switch {
	case isDevice(in):
		major, minor := in.Device()
		l.number(uint64(major), w.size-2-w.minor)
		l.buf = append(l.buf, ", "...)
		l.number(uint64(minor), w.minor)
	case l.human:
		l.right(report.HumanSize(in.Size()), w.size)
	default:
		l.number(in.Size(), w.size)
	}
	l.buf = append(append(append(l.buf, ' '), l.time(in.Mtime)...), ' ')
}

func (l *lister) mode(m uint16) string {
	s, ok := l.modes[m]
	if !ok {
		if l.modes == nil {
			l.modes = map[uint16]string{}
		}
		s = modeLetters(m)
		l.modes[m] = s
	}
	return s
}

// time spells a time in whole seconds. Files next to each other often share one.
func (l *lister) time(t time.Time) string {
	if sec := t.Unix(); l.second != sec || l.spelt == "" {
		l.second, l.spelt = sec, report.FormatTime(t)
	}
	return l.spelt
}

// number appends n in width columns, to the right.
func (l *lister) number(n uint64, width int) {
	for i := numberWidth(n); i < width; i++ {
		l.buf = append(l.buf, ' ')
	}
	l.buf = strconv.AppendUint(l.buf, n, 10)
}

func (l *lister) right(s string, width int) {
	for i := len(s); i < width; i++ {
		l.buf = append(l.buf, ' ')
	}
	l.buf = append(l.buf, s...)
}

func numberWidth(n uint64) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}
