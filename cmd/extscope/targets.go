package main

import (
	"strings"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// A target is what one PATH argument names.
type target struct {
	arg  string
	in   *ext.Inode
	path []byte // canonical, nil where only a survey of all names tells it
}

// targets looks every PATH up; without any it is the root. One that leads
// nowhere does not keep the others from being shown: err is for the end.
func (o *opened) targets(args []string, follow bool) (found []target, err error) {
	if len(args) == 0 {
		args = []string{"/"}
	}
	for _, arg := range args {
		in, failed := o.inode(arg, follow)
		switch {
		case failed == nil:
			found = append(found, target{arg, in, o.canonical(arg, in.Ino)})
		case ext.IsDamage(failed):
			o.env.damage(failed)
		default:
			if err != nil {
				o.env.say(err.Error())
			}
			err = failed
		}
	}
	return found, err
}

// canonical gives the one path that arg leads to, if that can be told without
// looking at every name: not for a number, nor where names have several cases.
func (o *opened) canonical(arg string, ino ext.Ino) []byte {
	if _, _, isNumber := inodeArg(arg); isNumber {
		return nil
	}
	if path := o.spelled(arg, ino); path != nil {
		return path
	}
	if o.fs.Super.Incompat&layout.IncompatCasefold != 0 {
		return nil
	}
	path, in, err := o.fs.Canonical(arg)
	if err != nil || in.Ino != ino {
		return nil
	}
	return path
}

// spelled gives the path that arg is already, but for blank parts: through
// directories only, to ino, which may be a symlink.
func (o *opened) spelled(arg string, ino ext.Ino) []byte {
	at, err := o.fs.Resolve("/", false)
	var path []byte
	for name := range strings.SplitSeq(arg, "/") {
		if name == "" || name == "." {
			continue
		}
		if err != nil || name == ".." || !at.IsDir() || foldsCase(at) {
			return nil
		}
		path = append(append(path, '/'), name...)
		at, err = o.fs.ResolveFrom(at, name, false)
	}
	switch {
	case err != nil || at.Ino != ino:
		return nil
	case path == nil:
		return []byte("/")
	}
	return path
}
