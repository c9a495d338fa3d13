package history

import (
	"context"

	"github.com/extscope/extscope/ext/links"
)

// maxLost bounds the names whose fate is found out at once.
const maxLost = 1 << 20

// Lost implements links.Past: for names that are missing from directories of today,
// what they named last, and what became of that.
func (l *Log) Lost(ctx context.Context, want func(dir Ino, name []byte) bool) ([]links.LostName, error) {
	type key struct {
		dir  Ino
		name string
	}
	type last struct {
		ino Ino
		tx  int
	}
	newest := map[key]last{}
	gens := map[Ino]uint32{} // of today's directories
	err := l.EachName(ctx, func(n *Name) {
		if !want(n.Dir, n.Bytes) {
			return
		}
		gen, ok := gens[n.Dir]
		if !ok {
			if in, err := l.FS.Inode(n.Dir); err == nil {
				gen = in.Generation
			}
			gens[n.Dir] = gen
		}
		// Without checksums a block may have no owner that is sure.
		if n.DirGen != gen && n.DirGen != 0 {
			return
		}
		k := key{n.Dir, string(n.Bytes)}
		if _, known := newest[k]; known || len(newest) < maxLost {
			newest[k] = last{n.Ino, n.tx}
		}
	})
	if err != nil {
		return nil, err
	}
	var out []links.LostName
	for k, n := range newest {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		lost := links.LostName{Dir: k.dir, Name: []byte(k.name), Ino: n.ino}
		l.fate(&lost, n.tx)
		out = append(out, lost)
	}
	return out, nil
}

// fate finds out what became of an inode that had a name in transaction i.
func (l *Log) fate(lost *links.LostName, i int) {
	now, err := l.FS.Inode(lost.Ino)
	if err != nil {
		lost.Gone = true
		return
	}
	versions, _ := l.InodeVersions(lost.Ino)
	// The file that had the name is the one whose inode was in use then: the newest
	// version that is no younger, or else the first that is.
	at := -1
	for k := range versions {
		v := &versions[k]
		if v.tx <= i && (v.In.Links > 0 || at < 0) {
			at = k
		}
		if v.tx > i && at < 0 && v.In.Links > 0 {
			at = k
			break
		}
	}
	if at < 0 {
		lost.Gone = now.Links == 0
		return
	}
	lost.Generation = versions[at].In.Generation
	if now.Links > 0 && now.Generation == lost.Generation {
		return
	}
	lost.Gone = true
	for k := at + 1; k < len(versions); k++ {
		v := &versions[k]
		if v.In.Generation != lost.Generation || v.In.Links == 0 {
			lost.Sequence, lost.Deleted = v.Sequence, v.Time
			if v.In.Links == 0 && v.In.Dtime != 0 && v.In.Generation == lost.Generation && v.Time.IsZero() {
				lost.Deleted = v.In.DtimeTime()
			}
			return
		}
	}
}
