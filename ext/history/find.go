package history

import (
	"context"
	"strings"

	"github.com/extscope/extscope/ext/layout"
)

// Find follows a path by the names of today and, where one is missing, by the newest
// that the log has of it in that directory. It gives the inode that the path led to
// last, with its generation. Symlinks are not followed; ok is false where neither
// knows a name. The error is ctx's.
func (l *Log) Find(ctx context.Context, path string) (ino Ino, gen uint32, ok bool, err error) {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	wanted := map[string]bool{}
	for _, p := range parts {
		wanted[p] = true
	}
	each, err := l.ownedNames(ctx, nil)
	if err != nil {
		return 0, 0, false, err
	}
	newest, err := l.lastNames(ctx, each, func(n *Name) bool { return wanted[string(n.Bytes)] })
	if err != nil {
		return 0, 0, false, err
	}
	at, tx := Ino(layout.RootIno), -1
	for _, name := range parts {
		now := Ino(0)
		if dir, err := l.FS.Inode(at); err == nil && tx < 0 && dir.IsDir() && dir.Links > 0 {
			now, _ = l.FS.Lookup(dir, []byte(name))
		}
		if now != 0 {
			at = now
			continue
		}
		past, known := newest[nameKey{at, name}]
		if !known {
			return 0, 0, false, nil
		}
		at, tx = past.ino, past.tx
	}
	if tx >= 0 {
		lines, err := l.timelines(ctx, map[Ino]bool{at: true})
		if gen, ok := lines.gen(at, tx); ok || err != nil {
			return at, gen, ok, err
		}
	}
	in, err := l.FS.Inode(at)
	if err != nil {
		return 0, 0, false, nil // a number that no inode has
	}
	return at, in.Generation, true, nil
}
