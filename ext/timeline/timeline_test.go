package timeline

import (
	"testing"
	"time"
)

// TestStamp takes times from the first to the last that an inode can hold.
func TestStamp(t *testing.T) {
	var before stamp
	for _, want := range []time.Time{
		time.Unix(-1<<31, 0), time.Unix(-1<<31, 1), time.Unix(-1, 999999999), time.Unix(0, 0), time.Unix(1<<31-1, 0), time.Unix(1<<31, 5),
		time.Date(2446, 5, 10, 22, 38, 54, 999999999, time.UTC),
	} {
		s := stampOf(want)
		if got := s.time(); !got.Equal(want) {
			t.Errorf("%s comes back as %s", want, got)
		}
		if s <= before {
			t.Errorf("%s does not come behind what is earlier", want)
		}
		before = s
	}
	if stampOf(time.Time{}) != 0 || !stamp(0).time().IsZero() {
		t.Error("no time is not kept as none")
	}
	if got := stampOf(time.Unix(1<<40, 0)).time(); got.Year() != 2446 {
		t.Errorf("a commit time far ahead becomes %s", got)
	}
}

func TestMarks(t *testing.T) {
	for m, want := range map[Marks]string{0: ".....", Modified: "m....", Changed | Born: "..cb.", Modified | Accessed | Changed | Born | Deleted: "macbd"} {
		if got := m.String(); got != want {
			t.Errorf("%#b is %s, want %s", m, got, want)
		}
	}
}

// TestOdd: an oddity is told beside the times that it is about.
func TestOdd(t *testing.T) {
	o := oddSetBack | oddBornLater
	if n := len(o.of(Modified)); n != 1 {
		t.Errorf("%d oddities of a modification", n)
	}
	if n := len(o.of(Born | Modified)); n != 2 {
		t.Errorf("%d oddities of both", n)
	}
	if n := len(o.of(Deleted)); n != 0 {
		t.Errorf("%d oddities of a deletion", n)
	}
}
