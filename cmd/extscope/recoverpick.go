package main

import (
	"bytes"
	"errors"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/undelete"
	"github.com/extscope/extscope/report"
)

// pick gives the places of the candidates that the PATHs name and keep takes, in their order. A PATH
// that names none is the caller's error. Names that a file which lives has no more are
// passed over: "deleted" lists them, and there is nothing of them to bring back.
func pick(r *undelete.Result, args []string, keep func(*undelete.Candidate) bool) ([]int32, error) {
	pickers := make([]*picker, len(args))
	for i, arg := range args {
		if arg == "" {
			return nil, usagef("a PATH is empty")
		}
		pickers[i] = newPicker(arg)
	}
	var picked []int32
	for i, c := range ext.InOrder(r.Len(), r.Outline) {
		named := len(args) == 0
		lives := c.Live && c.Technique == undelete.NameOnly
		for _, p := range pickers {
			switch {
			case !p.match(c):
			case lives:
				p.lives = c
			default:
				p.met, named = true, true
			}
		}
		if named && !lives && keep(c) {
			picked = append(picked, int32(i))
		}
	}
	var errs []error
	for _, p := range pickers {
		switch {
		case p.met:
		case p.lives != nil && p.lives.MovedTo != nil:
			errs = append(errs, usagef("%s: that was not deleted, but is there as %s", p.arg, report.Printable(p.lives.MovedTo)))
		case p.lives != nil:
			errs = append(errs, usagef("%s: that was not deleted, but is there under another name: inode %d", p.arg, p.lives.Ino))
		default:
			errs = append(errs, usagef("%s: no deleted file is known by that", p.arg))
		}
	}
	return picked, errors.Join(errs...)
}

// A picker is what one PATH argument names.
type picker struct {
	arg      string
	ino      undelete.Ino // of @12, else 0
	spelling [][]byte     // the path, and what it is without a table's escapes
	met      bool
	lives    *undelete.Candidate // met only as the former name of a file that is there
}

func newPicker(arg string) *picker {
	p := &picker{arg: arg}
	if ino, rest, ok := inodeArg(arg); ok && rest == "" {
		p.ino = ino
		return p
	}
	p.spelling = [][]byte{[]byte(arg)}
	if raw, err := report.Unprintable(arg); err == nil && string(raw) != arg {
		p.spelling = append(p.spelling, raw)
	}
	for i, s := range p.spelling {
		if trimmed := bytes.TrimRight(s, "/"); len(trimmed) > 0 {
			p.spelling[i] = trimmed
		}
	}
	return p
}

func (p *picker) match(c *undelete.Candidate) bool {
	if p.ino != 0 {
		return c.Ino == p.ino
	}
	if p.matchPath(c.Place()) || c.Path == nil && p.matchPath(c.Name) {
		return true
	}
	for _, other := range c.Others {
		if p.matchPath(other) {
			return true
		}
	}
	return false
}

// matchPath compares a path with the argument: it is that, lies below it, or is like it.
func (p *picker) matchPath(path []byte) bool {
	if path == nil {
		return false
	}
	for _, s := range p.spelling {
		switch rest, below := bytes.CutPrefix(path, s); {
		case below && (len(rest) == 0 || rest[0] == '/' || len(s) == 1 && s[0] == '/'):
			return true
		case bytes.ContainsAny(s, "*?[") && (glob{pattern: s}).match(path):
			return true
		case !bytes.Contains(s, []byte("/")) && bytes.Equal(s, path[bytes.LastIndexByte(path, '/')+1:]):
			return true
		}
	}
	return false
}
