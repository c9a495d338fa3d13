package links

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSortByIno holds the order against that of a plain sort: numbers that spread, that lie
// together, and that go beyond the limit.
func TestSortByIno(t *testing.T) {
	compare := func(a, b nameRecord) int {
		return cmp.Or(cmp.Compare(a.ino, b.ino), cmp.Compare(a.dir, b.dir), cmp.Compare(a.at, b.at))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 7, 100, 5000} {
		for _, span := range []Ino{1, 3, 1000, 1 << 31} {
			for _, limit := range []Ino{1, 500, span, 1<<32 - 1} {
				list := make([]nameRecord, n)
				for i := range list {
					list[i] = nameRecord{ino: Ino(random.Int64N(int64(span))), dir: Ino(random.IntN(3)), at: random.Uint32()}
				}
				want := slices.Clone(list)
				slices.SortFunc(want, compare)
				if got := sortByIno(list, limit, compare); !slices.Equal(got, want) {
					t.Fatalf("%d records below %d, limit %d: another order", n, span, limit)
				}
			}
		}
	}
}
