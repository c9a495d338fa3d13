package ext

import (
	"slices"
	"sync"
)

// SortParts sorts what several workers gathered, the parts at the same time, and gives all
// of it in one list.
func SortParts[T any](parts [][]T, compare func(a, b T) int) []T {
	var sorting sync.WaitGroup
	for _, p := range parts {
		sorting.Go(func() { slices.SortFunc(p, compare) })
	}
	sorting.Wait()
	for len(parts) > 1 {
		half := (len(parts) + 1) / 2
		merged := make([][]T, half)
		var merging sync.WaitGroup
		for i := range half {
			merging.Go(func() {
				if merged[i] = parts[i]; i+half < len(parts) {
					merged[i] = mergeSorted(parts[i], parts[i+half], compare)
				}
			})
		}
		merging.Wait()
		parts = merged
	}
	return parts[0]
}

func mergeSorted[T any](a, b []T, compare func(a, b T) int) []T {
	out := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(b[0], a[0]) < 0 {
			out, b = append(out, b[0]), b[1:]
		} else {
			out, a = append(out, a[0]), a[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Push is append where a slice that is full gets twice as long: append makes a long one
// longer by a quarter, and copies all of it each time.
func Push[T any](s []T, v T) []T {
	if len(s) == cap(s) {
		s = slices.Grow(s, max(len(s), 64))
	}
	return append(s, v)
}
