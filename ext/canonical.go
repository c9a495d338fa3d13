package ext

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"

	"github.com/extscope/extscope/ext/layout"
)

// Canonical resolves an absolute path whole, as realpath(1) -e does with the
// file system as the root: every part must be there, and the path given has no
// symlink, "." or ".." in it. The error is as Resolve gives it.
func (f *FS) Canonical(path string) ([]byte, *Inode, error) {
	root, err := f.Inode(layout.RootIno)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f.canonical(nil, root, path)
}

// CanonicalFrom is Canonical for a path that starts at a directory.
func (f *FS) CanonicalFrom(dir *Inode, path string) ([]byte, *Inode, error) {
	start, err := f.parts(dir, nil)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f.canonical(start, dir, path)
}

// A pathPart is one component of a canonical path and what it names.
type pathPart struct {
	name []byte
	in   *Inode
}

func (f *FS) canonical(done []pathPart, at *Inode, path string) ([]byte, *Inode, error) {
	fail := func(err error) ([]byte, *Inode, error) {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	top := at // what done, empty, stands for
	if len(done) > 0 {
		root, err := f.Inode(layout.RootIno)
		if err != nil {
			return fail(err)
		}
		top = root
	}
	links, rest := 0, path
	for {
		at = top
		if len(done) > 0 {
			at = done[len(done)-1].in
		}
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return joinParts(done), at, nil
		}
		name, after, slash := strings.Cut(rest, "/")
		if !at.IsDir() {
			return fail(errNotDir)
		}
		rest = after
		switch name {
		case ".":
			continue
		case "..":
			done = done[:max(len(done)-1, 0)]
			continue
		}
		ino, err := f.Lookup(at, []byte(name))
		if err != nil {
			return fail(err)
		}
		in, err := f.Inode(ino)
		if err != nil {
			return fail(err)
		}
		if !in.IsSymlink() {
			if slash && !in.IsDir() {
				return fail(errNotDir)
			}
			done = append(done, pathPart{[]byte(name), in})
			continue
		}
		if links++; links > MaxLinks {
			return fail(ErrLoop)
		}
		target, err := f.Readlink(in)
		if err != nil {
			return fail(err)
		}
		if len(target) == 0 {
			return fail(fs.ErrNotExist)
		}
		if target[0] == '/' {
			done = done[:0]
			if top.Ino != layout.RootIno {
				if top, err = f.Inode(layout.RootIno); err != nil {
					return fail(err)
				}
			}
		}
		rest = string(target)
		if slash {
			rest += "/" + after
		}
		if len(rest) > maxPath {
			return fail(ErrLoop)
		}
	}
}

func joinParts(parts []pathPart) []byte {
	if len(parts) == 0 {
		return []byte("/")
	}
	var b []byte
	for _, p := range parts {
		b = append(append(b, '/'), p.name...)
	}
	return b
}

// PathOf is the path of a directory, found by its ".." and those above it. The
// error is fs.ErrNotExist where no name leads to it.
func (f *FS) PathOf(dir *Inode) ([]byte, error) { return f.PathWithin(dir, nil) }

// PathWithin is PathOf until the budget is exhausted; then the error is ErrDirBudget.
func (f *FS) PathWithin(dir *Inode, budget *DirBudget) ([]byte, error) {
	parts, err := f.parts(dir, budget)
	return joinParts(parts), err
}

func (f *FS) parts(dir *Inode, budget *DirBudget) ([]pathPart, error) {
	var parts []pathPart
	for at := dir; at.Ino != layout.RootIno; {
		if len(parts) == MaxWalkDepth {
			return nil, corrupt("directory", "..", at.Offset, uint64(at.Ino))
		}
		up, err := f.lookup(at, []byte(".."), budget)
		if err != nil {
			return nil, err
		}
		parent, err := f.Inode(up)
		if err != nil {
			return nil, err
		}
		name, err := f.nameIn(parent, at.Ino, budget)
		if err != nil {
			return nil, err
		}
		parts = append(parts, pathPart{name, at})
		at = parent
	}
	slices.Reverse(parts)
	return parts, nil
}

// nameIn is the first name that a directory has for an inode.
func (f *FS) nameIn(dir *Inode, ino Ino, budget *DirBudget) ([]byte, error) {
	var errs errorList
	namer := f.Namer(dir)
	for e, err := range f.EntriesWithin(dir, false, budget) {
		switch {
		case err != nil:
			errs.add(err)
		case e.Ino == ino && !e.IsDot():
			return bytes.Clone(namer.Name(&e)), nil
		}
	}
	if err := errs.join(); err != nil {
		return nil, err
	}
	return nil, fs.ErrNotExist
}

// Mapped is the inode as if its size reached the end of what it maps: deleting
// an inode cuts its size to nothing first, and its map not always with it.
func (f *FS) Mapped(in *Inode) *Inode {
	all := *in
	all.size = max(in.size, f.mappedEnd(in))
	return &all
}
