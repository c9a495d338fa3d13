package former

import (
	"context"
	"io"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/replay"
)

// A Found is what a look at a volume gave.
type Found struct {
	Volume *Volume  // the likeliest of the file systems that were there, nil for none
	Faults []string // of the file system that is there
	Traces *Traces
}

// Look looks for the file system that a volume of size bytes held: if the one there is
// sound, one that was there before it, else the one itself, as it was before damage. The
// error is ctx's.
func Look(ctx context.Context, r io.ReaderAt, size int64, progress func(done, total int64)) (*Found, error) {
	found := &Found{}
	var now *ext.FS
	damaged := true
	if v, err := replay.Open(r, size, replay.Options{}); err == nil {
		if found.Faults, err = Faults(ctx, v); err != nil {
			return nil, err
		}
		now, damaged = v.FS, len(found.Faults) > 0
	} else {
		found.Faults = []string{err.Error()}
	}
	t, err := Scan(ctx, r, size, progress)
	if err != nil {
		return nil, err
	}
	found.Traces = t
	list, err := Find(ctx, r, size, t, now, damaged)
	if err != nil || len(list) == 0 {
		return found, err
	}
	v := list[0]
	v.journal(t.journals)
	if err := v.mend(ctx); err != nil {
		return nil, err
	}
	found.Volume = v
	return found, nil
}

// Err is the first of what could not be read.
func (t *Traces) Err() error { return t.err }
