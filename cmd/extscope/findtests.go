package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// findTests are the tests of one find, all of which must hold.
type findTests struct {
	name, iname, path, kind      string
	links, size, uid, gid, inode string
	newer, newerThan, perm       string
	mime                         string
	empty                        bool

	names  []nameTest
	inodes []inodeTest
}

// A nameTest needs a directory's word only, an inodeTest the inode.
type (
	nameTest  func(*ext.WalkEntry) bool
	inodeTest func(*ext.WalkEntry, *ext.Inode) (bool, error)
)

func (t *findTests) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.name, "name", "", "the name matches `GLOB`")
	f.StringVar(&t.iname, "iname", "", "the name matches `GLOB`, in whatever case")
	f.StringVar(&t.path, "path", "", "the whole path matches `GLOB`")
	f.StringVar(&t.kind, "type", "", "it is one of `TYPES`: f,d,l,b,c,p,s for file, directory, symlink, block and character device, fifo, socket")
	f.StringVar(&t.links, "links", "", "it has `N` links")
	f.StringVar(&t.size, "size", "", "it takes `N[cwbkMG]` units")
	f.StringVar(&t.newer, "newer", "", "it was modified later than `PATH` was")
	f.StringVar(&t.newerThan, "newermt", "", "it was modified later than `TIME`: 2025-03-01, 2025-03-01T09:00:00Z or @1740819600; UTC")
	f.StringVar(&t.uid, "uid", "", "its owner is `N`")
	f.StringVar(&t.gid, "gid", "", "its group is `N`")
	f.StringVar(&t.perm, "perm", "", "its permissions are `MODE`")
	f.StringVar(&t.inode, "inode", "", "its inode number is `N`")
	f.StringVar(&t.mime, "mime", "", "its first bytes are of a type that matches `GLOB`")
	f.BoolVar(&t.empty, "empty", false, "it is a file of no bytes or a directory of no names")
}

// hold reports whether all tests do. An inode that cannot be read is told, and
// fails them.
func (t *findTests) hold(e *env, entry *ext.WalkEntry) bool {
	for _, test := range t.names {
		if !test(entry) {
			return false
		}
	}
	if len(t.inodes) == 0 {
		return true
	}
	in, err := entry.Inode()
	if err != nil {
		e.damage(err)
		return false
	}
	for _, test := range t.inodes {
		ok, err := test(entry, in)
		if err != nil {
			e.damage(about(entry, err))
		}
		if !ok {
			return false
		}
	}
	return true
}

// compile makes the tests of the flags that were given.
func (t *findTests) compile(cmd *cobra.Command, e *env, ev *opened) error {
	given := cmd.Flags().Changed
	for _, g := range []struct {
		flag, pattern string
		fold, whole   bool
	}{{"name", t.name, false, false}, {"iname", t.iname, true, false}, {"path", t.path, false, true}} {
		if !given(g.flag) {
			continue
		}
		m := glob{[]byte(g.pattern), g.fold}
		t.names = append(t.names, func(e *ext.WalkEntry) bool {
			if g.whole {
				return m.match(e.Path)
			}
			return m.match(e.Name)
		})
	}
	if given("type") {
		if err := t.compileType(); err != nil {
			return err
		}
	}
	if given("inode") {
		count, err := parseCount("inode", t.inode, math.MaxUint32)
		if err != nil {
			return err
		}
		t.names = append(t.names, func(e *ext.WalkEntry) bool { return count.holds(uint64(e.Ino)) })
	}
	for _, g := range []struct {
		flag, value string
		of          func(*ext.Inode) uint64
	}{
		{"links", t.links, func(in *ext.Inode) uint64 { return uint64(in.Links) }},
		{"uid", t.uid, func(in *ext.Inode) uint64 { return uint64(in.UID) }},
		{"gid", t.gid, func(in *ext.Inode) uint64 { return uint64(in.GID) }},
	} {
		if !given(g.flag) {
			continue
		}
		count, err := parseCount(g.flag, g.value, math.MaxUint32)
		if err != nil {
			return err
		}
		t.test(func(_ *ext.WalkEntry, in *ext.Inode) (bool, error) { return count.holds(g.of(in)), nil })
	}
	if given("size") {
		count, unit, err := parseSize(t.size)
		if err != nil {
			return err
		}
		t.test(func(_ *ext.WalkEntry, in *ext.Inode) (bool, error) {
			n := in.Size() / unit
			if in.Size()%unit != 0 {
				n++
			}
			return count.holds(n), nil
		})
	}
	if given("perm") {
		p, err := parsePerm(t.perm)
		if err != nil {
			return err
		}
		t.test(func(_ *ext.WalkEntry, in *ext.Inode) (bool, error) { return p.holds(in.Mode), nil })
	}
	if given("newer") {
		in, err := ev.inode(t.newer, false)
		if err != nil {
			return fmt.Errorf("--newer: %w", err)
		}
		t.newerTest(in.Mtime)
	}
	if given("newermt") {
		when, err := parseWhen(t.newerThan)
		if err != nil {
			return err
		}
		t.newerTest(when)
	}
	if t.empty {
		t.test(func(_ *ext.WalkEntry, in *ext.Inode) (bool, error) {
			if in.IsDir() {
				return emptyDir(ev.fs, in)
			}
			return in.IsRegular() && in.Size() == 0, nil
		})
	}
	if given("mime") {
		t.mimeTest(ev)
	}
	return nil
}

// mimeTest is the last test, as it reads contents.
func (t *findTests) mimeTest(ev *opened) {
	m := glob{[]byte(t.mime), true}
	t.test(func(_ *ext.WalkEntry, in *ext.Inode) (bool, error) {
		typ, err := contentType(ev.fs, in)
		return slices.ContainsFunc(typ.Kinds(), func(kind string) bool { return m.match([]byte(kind)) }), err
	})
}

// ahead reports whether inodes are to be read ahead. Where names decide first,
// they are read one by one of what is left.
func (t *findTests) ahead(shown bool) bool {
	return len(t.names) == 0 && (shown || len(t.inodes) > 0)
}

func (t *findTests) test(i inodeTest) { t.inodes = append(t.inodes, i) }

func (t *findTests) newerTest(than time.Time) {
	t.test(func(_ *ext.WalkEntry, in *ext.Inode) (bool, error) { return in.Mtime.After(than), nil })
}

func (t *findTests) compileType() error {
	letters := map[string]uint8{"f": layout.FTRegular, "d": layout.FTDir, "l": layout.FTSymlink,
		"b": layout.FTBlock, "c": layout.FTChar, "p": layout.FTFIFO, "s": layout.FTSocket}
	var want [256]bool
	for letter := range strings.SplitSeq(t.kind, ",") {
		ft, ok := letters[letter]
		if !ok {
			return usagef("--type %s: must be of f, d, l, b, c, p, s, with commas between", t.kind)
		}
		want[ft] = true
	}
	t.names = append(t.names, func(e *ext.WalkEntry) bool { return want[e.Type] })
	return nil
}

func emptyDir(f *ext.FS, dir *ext.Inode) (bool, error) {
	for e, err := range f.Entries(dir, false) {
		if err != nil {
			return false, err
		}
		if !e.IsDot() {
			return false, nil
		}
	}
	return true, nil
}

// A count is N, +N or -N.
type count struct {
	n    uint64
	sign byte // '+', '-' or 0
}

func (c count) holds(n uint64) bool {
	switch c.sign {
	case '+':
		return n > c.n
	case '-':
		return n < c.n
	}
	return n == c.n
}

func parseCount(flag, s string, limit uint64) (count, error) {
	var c count
	digits := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		c.sign, digits = s[0], s[1:]
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n > limit {
		return c, usagef("--%s %s: must be a number N, +N for more or -N for less", flag, s)
	}
	c.n = n
	return c, nil
}

func parseSize(s string) (c count, unit uint64, err error) {
	units := map[byte]uint64{'c': 1, 'w': 2, 'b': 512, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}
	unit, number := 512, s
	if s != "" {
		if u, ok := units[s[len(s)-1]]; ok {
			unit, number = u, s[:len(s)-1]
		}
	}
	if c, err = parseCount("size", number, math.MaxUint64); err != nil {
		return c, 0, usagef("--size %s: must be N, +N or -N, with c, w, b, k, M or G behind", s)
	}
	return c, unit, nil
}

// parseWhen reads a time; without a zone it is UTC.
func parseWhen(s string) (time.Time, error) {
	if seconds, ok := strings.CutPrefix(s, "@"); ok {
		if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			return time.Unix(n, 0).UTC(), nil
		}
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--newermt %s: no such time; it is written 2025-03-01, 2025-03-01T09:00:00Z or @1740819600", s)
}
