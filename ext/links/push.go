package links

import "slices"

// push is append where a slice that is full gets twice as long: append makes a long one
// longer by a quarter, and copies all of it each time.
func push[T any](s []T, v T) []T {
	if len(s) == cap(s) {
		s = slices.Grow(s, max(len(s), 64))
	}
	return append(s, v)
}
