package image

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A qcow2Snapshot is a state of the image that was kept.
type qcow2Snapshot struct {
	id, name string
	l1Offset uint64
	l1Size   uint32
	seconds  uint32 // since 1970
	size     uint64 // of the image then, 0 where it is not recorded: as now
}

// String is the snapshot in a few words.
func (s qcow2Snapshot) String() string {
	when := time.Unix(int64(s.seconds), 0).UTC().Format(time.RFC3339)
	return fmt.Sprintf("%s %q of %s", s.id, s.name, when)
}

// maxQcow2Snapshots and maxQcow2SnapshotTable bound what is read, as QEMU does.
const (
	maxQcow2Snapshots     = 65536
	maxQcow2SnapshotTable = 64 << 20 >> 4
)

// readSnapshots reads the snapshot table, as far as it can be.
func (q *qcow2) readSnapshots() ([]qcow2Snapshot, error) {
	h := &q.head
	if h.snapshots == 0 {
		return nil, nil
	}
	if h.snapshots > maxQcow2Snapshots || h.snapOffset >= uint64(q.fileSize) {
		return nil, q.refuse(60, "", "a table of %d snapshots at byte %d, which cannot be", h.snapshots, h.snapOffset)
	}
	b := fetch(q.file, int64(h.snapOffset), int(min(q.fileSize-int64(h.snapOffset), maxQcow2SnapshotTable)))
	list, n, err := decodeQcow2Snapshots(b, int(h.snapshots))
	if err != nil {
		return list, q.refuse(int64(h.snapOffset)+int64(n), "", "snapshot %d of %d: %v", len(list)+1, h.snapshots, err)
	}
	return list, nil
}

// decodeQcow2Snapshots decodes a table of count snapshots; n is how far it came.
func decodeQcow2Snapshots(b []byte, count int) (list []qcow2Snapshot, n int, err error) {
	whole := len(b)
	for range count {
		n = whole - len(b)
		if len(b) < 40 {
			return list, n, errors.New("cut off")
		}
		idLen, nameLen, extra := int64(be.Uint16(b[12:])), int64(be.Uint16(b[14:])), int64(be.Uint32(b[36:]))
		s := qcow2Snapshot{l1Offset: be.Uint64(b), l1Size: be.Uint32(b[8:]), seconds: be.Uint32(b[16:])}
		length := 40 + extra + idLen + nameLen
		if length > int64(len(b)) {
			return list, n, errors.New("cut off")
		}
		if extra >= 16 {
			s.size = be.Uint64(b[48:])
		}
		s.id = string(b[40+extra:][:idLen])
		s.name = string(b[40+extra+idLen:][:nameLen])
		list = append(list, s)
		b = b[min((length+7)&^7, int64(len(b))):]
	}
	return list, whole - len(b), nil
}

// A SnapshotError reports that the evidence has no snapshot of that name or ID, or several.
type SnapshotError struct {
	Name string   // the evidence
	Want string   // as in Options
	Have []string // the snapshots that there are, in words
	Many bool     // several have the name
}

func (e *SnapshotError) Error() string {
	what := "no snapshot"
	if e.Many {
		what = "more than one snapshot"
	}
	s := fmt.Sprintf("%s: %s %q", e.Name, what, e.Want)
	if len(e.Have) == 0 {
		return s + ": it has none"
	}
	return s + "; there are: " + strings.Join(e.Have, ", ")
}

// pickSnapshot finds a snapshot by its ID, or else by its name.
func pickSnapshot(name string, all []qcow2Snapshot, want string) (qcow2Snapshot, error) {
	var byName []qcow2Snapshot
	e := &SnapshotError{Name: name, Want: want}
	for _, s := range all {
		if s.id == want {
			return s, nil
		}
		if s.name == want {
			byName = append(byName, s)
		}
		e.Have = append(e.Have, s.String())
	}
	if len(byName) == 1 {
		return byName[0], nil
	}
	e.Many = len(byName) > 1
	return qcow2Snapshot{}, e
}
