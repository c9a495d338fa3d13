package ext_test

import (
	"sync/atomic"
	"testing"

	"github.com/extscope/extscope/ext"
)

func TestInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000, 10_000} {
		for _, stop := range []int{n, 0, 1, 64, 500} {
			var running, made atomic.Int64
			next := 0
			for i, v := range ext.InOrder(n, func(i int) int {
				running.Add(1)
				defer running.Add(-1)
				made.Add(1)
				return i * i
			}) {
				if i != next || v != i*i {
					t.Fatalf("of %d: number %d is %d, want number %d", n, i, v, next)
				}
				if next++; next == stop {
					break
				}
			}
			if want := min(n, max(stop, 1)); stop > 0 && next != want || running.Load() != 0 {
				t.Errorf("of %d, stopped at %d: %d came, %d are being made still", n, stop, next, running.Load())
			}
			if most := int64(next + 64*(ext.Workers()+2)); made.Load() > most {
				t.Errorf("of %d, stopped at %d: %d were made", n, stop, made.Load())
			}
		}
	}
}
