package undelete

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/layout"
)

// An owned is a seed and the incarnation that it is of.
type owned struct {
	seed uint32
	lifeKey
}

// seedTable finds incarnations by the seeds of their checksums. It is sorted.
type seedTable []owned

// maxSeeds bounds it: 192 MiB.
const maxSeeds = 1 << 24

func (t seedTable) of(seed uint32) (lifeKey, bool) {
	i, ok := slices.BinarySearchFunc(t, seed, func(o owned, seed uint32) int { return cmp.Compare(o.seed, seed) })
	if !ok {
		return lifeKey{}, false
	}
	return t[i].lifeKey, true
}

// sort makes it usable; of two incarnations with the same seed neither counts.
func (t seedTable) sort() seedTable {
	slices.SortFunc(t, func(a, b owned) int {
		return cmp.Or(cmp.Compare(a.seed, b.seed), cmp.Compare(a.ino, b.ino), cmp.Compare(a.gen, b.gen))
	})
	t = slices.Compact(t)
	out := t[:0]
	for i, o := range t {
		if (i == 0 || t[i-1].seed != o.seed) && (i+1 == len(t) || t[i+1].seed != o.seed) {
			out = append(out, o)
		}
	}
	return out
}

// owners makes the table of all incarnations that are known, those that live among
// them.
func (f *finder) owners(ctx context.Context) (seedTable, error) {
	fs := f.fs.Seed()
	parts := make([]seedTable, ext.Workers())
	err := f.fs.ScanInodes(ctx, func(w int, in *ext.Inode) {
		if in.Mode != 0 && len(parts[w]) < maxSeeds/len(parts) {
			parts[w] = append(parts[w], owned{layout.InodeSeed(fs, in.Ino, in.Generation), lifeKey{in.Ino, in.Generation}})
		}
	}, func(Ino, uint32, error) {})
	if err != nil {
		return nil, err
	}
	t := slices.Concat(parts...)
	for l := range f.lives.all() {
		t = append(t, owned{layout.InodeSeed(fs, l.ino, l.gen), l.lifeKey})
	}
	return t.sort(), nil
}

// strayDirs adds the directories that first blocks tell of: "." gives the number, and
// the checksum then the generation.
func (f *finder) strayDirs(ctx context.Context, all []stray, owners seedTable) (seedTable, error) {
	fs := f.fs.Seed()
	added := false
	var fresh seedTable
	for _, s := range all {
		if s.kind != strayDir && s.kind != strayDxRoot || s.ino == 0 || uint32(s.ino) > f.fs.InodesCount() {
			continue
		}
		if _, known := owners.of(s.seed); known {
			continue
		}
		key := lifeKey{s.ino, layout.GenerationOf(fs, s.seed, s.ino)}
		fresh = append(fresh, owned{s.seed, key})
		if f.lives.of(key) == nil && f.newLife(key, layout.ModeDir) != nil {
			added = true
		}
	}
	if len(fresh) > 0 {
		owners = append(owners, fresh...).sort()
	}
	if added {
		return owners, f.settle(ctx)
	}
	return owners, nil
}

// strayNames takes the names in a block of a directory.
func (f *finder) strayNames(s stray, dir lifeKey, source nameSource) {
	l := f.lives.of(dir)
	alive := l == nil || l.live
	covered := s.tx != strayAtHome && s.tx != strayUncovered
	if alive && covered {
		return // what the log has of directories that are there was taken already
	}
	buf := make([]byte, f.fs.BlockSize())
	if f.loadStray(buf, &s) != nil {
		return
	}
	var now map[string]Ino
	if alive {
		now = f.namesNow(dir)
	}
	f.eachName(buf, func(e *layout.Dirent) {
		if ino, there := now[string(e.Name)]; there && ino == e.Ino {
			return
		}
		n := nameRef{dir: dir.ino, dirGen: dir.gen, ino: e.Ino, tx: -1, typ: e.Type, name: e.Name, source: source}
		n.old = s.tx == strayUncovered
		if covered {
			n.tx = after(int(s.tx), 0)
		}
		if f.o.Former != nil && s.tx == strayAtHome && f.lives.first(n.ino) == nil {
			f.hold(&n)
			return
		}
		f.addName(n)
	})
}

// eachName visits the names in a block of a directory, but for the dots.
func (f *finder) eachName(b []byte, visit func(e *layout.Dirent)) {
	w := f.fs.DirRecords(b, 0, 0)
	var e layout.Dirent
	for w.Next(&e) {
		if e.Ino != 0 && len(e.Name) > 0 && !bytes.Equal(e.Name, []byte(".")) && !bytes.Equal(e.Name, []byte("..")) {
			visit(&e)
		}
	}
}

// namesNow gives the names that a directory has today.
func (f *finder) namesNow(dir lifeKey) map[string]Ino {
	const most = 1 << 18
	if f.stray.now.of == dir && f.stray.now.names != nil {
		return f.stray.now.names
	}
	names := map[string]Ino{}
	if in, err := f.fs.Inode(dir.ino); err == nil && in.IsDir() && in.Links > 0 {
		for e, err := range f.fs.Entries(in, false) {
			if err == nil && len(names) < most {
				names[string(e.Name)] = e.Ino
			}
		}
	}
	f.stray.now.of, f.stray.now.names = dir, names
	return names
}
