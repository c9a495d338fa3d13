// Command record mounts an ext image read-only with the running kernel and
// writes what the kernel shows of it as a truth file:
//
//	record [-o OPTIONS] [-flags PATH=FLAGS]... IMAGE OUT
//	record -partial -t DIR IMAGE OUT
//
// With -flags an inode's flags are written as given, for an image that is changed
// after recording in a way the kernel at hand can't mount. With -t the tree in
// DIR is recorded instead of IMAGE, with -partial only what copying that tree into
// an image keeps. It needs root.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/extscope/extscope/ext/exttest"
)

type recorder struct {
	tree    string
	options string
	partial bool
	flags   map[string]uint32
}

func main() {
	r := recorder{flags: make(map[string]uint32)}
	flag.StringVar(&r.tree, "t", "", "record the tree in this folder, not an image")
	flag.StringVar(&r.options, "o", "ro,noload", "mount options")
	flag.BoolVar(&r.partial, "partial", false, "leave out what a copy doesn't keep")
	flag.Func("flags", "PATH=FLAGS", func(s string) error {
		path, value, _ := strings.Cut(s, "=")
		n, err := strconv.ParseUint(value, 0, 32)
		r.flags[path] = uint32(n)
		return err
	})
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: record [flags] IMAGE OUT")
		os.Exit(2)
	}
	if err := r.record(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func (r *recorder) record(image, out string) (err error) {
	tree := r.tree
	if tree == "" {
		m, errMount := exttest.MountImage(image, r.options)
		if errMount != nil {
			return errMount
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		tree = m.Dir
	}
	objs, err := exttest.ReadTree(tree)
	if err != nil {
		return err
	}
	for i := range objs {
		o := &objs[i]
		if n, ok := r.flags[string(o.Path)]; ok {
			o.Flags = n
			delete(r.flags, string(o.Path))
		}
		if r.partial {
			o.MakePartial()
		}
	}
	for path := range r.flags {
		return fmt.Errorf("no %s", path)
	}
	return exttest.WriteTruth(out, objs)
}
