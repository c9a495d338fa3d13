package ext

import (
	"iter"
	"sync"
)

// orderBatch is how many things are made at a time, which keeps handing them over cheap.
const orderBatch = 64

// InOrder makes something for each of 0 to n-1, several at a time on all cores, and yields
// what was made in order: a little of it is made ahead, while the caller deals with what
// came before. Nothing runs any more once the loop has ended.
func InOrder[T any](n int, do func(i int) T) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		ahead, quit := make(chan chan []T, Workers()), make(chan struct{})
		var wg sync.WaitGroup
		defer wg.Wait()
		defer close(quit)
		wg.Go(func() {
			defer close(ahead)
			for from := 0; from < n; from += orderBatch {
				batch := make(chan []T, 1)
				select {
				case ahead <- batch:
				case <-quit:
					return
				}
				wg.Go(func() {
					list := make([]T, 0, orderBatch)
					for i := from; i < min(from+orderBatch, n); i++ {
						list = append(list, do(i))
					}
					batch <- list
				})
			}
		})
		i := 0
		for batch := range ahead {
			for _, one := range <-batch {
				if !yield(i, one) {
					return
				}
				i++
			}
		}
	}
}
