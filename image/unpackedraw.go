package image

import (
	"errors"
	"io"
)

// unpackedRaw is the container of a temporary copy.
type unpackedRaw struct {
	*scratch
	name string
	size int64
	lost lostRanges
}

func (u *unpackedRaw) ReadAt(p []byte, off int64) (int, error) {
	good := int64(len(p))
	lost := u.lost.next(off)
	if lost != nil {
		good = min(good, max(lost.off-off, 0))
	}
	n, err := u.file.ReadAt(p[:good], off)
	if int64(n) < good && err != nil {
		if errors.Is(err, io.EOF) && off+int64(n) >= u.size {
			return n, io.EOF
		}
		return n, inRange(err, u.name, off+int64(n), good-int64(n))
	}
	if good < int64(len(p)) {
		return n, lost.error(off+good, int64(len(p))-good)
	}
	return n, nil
}

// Map implements container.
func (u *unpackedRaw) Map(off int64) (RangeKind, int64) {
	end := u.size
	if lost := u.lost.next(off); lost != nil {
		if off >= lost.off {
			return Data, lost.end() - off
		}
		end = lost.off
	}
	if zero, n := u.hole(off, end); zero {
		return Zero, n
	} else {
		return Data, n
	}
}

func (u *unpackedRaw) Size() int64 { return u.size }
