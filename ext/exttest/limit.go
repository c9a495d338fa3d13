package exttest

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"
)

// Some gives all of the cases that a test goes through, and in a build with the
// race detector n of them, spread evenly. What a case looks at is tested by the
// plain run; the detector looks at what goroutines share, which is the same code
// in every case, and a few of them run all of it.
func Some[T any](n int, all []T) []T {
	if !Race || n >= len(all) {
		return all
	}
	some := make([]T, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// TimeLimit is what a test lets reading an image of a few MiB take. It tells what
// never ends, or grows with the product of two numbers in the image, from what takes
// some hundredths of a second: so far apart that no test fails for where it runs, or
// what else runs there. With the race detector time tells nothing, and only what
// hangs is to end.
func TimeLimit() time.Duration {
	if Race {
		return 2 * time.Minute
	}
	return 15 * time.Second
}

// Watch ends the program, showing all goroutines, where stop is not called within
// twice the limit: work that looks at its limit by itself has ended by then.
func Watch(t testing.TB, limit time.Duration) (stop func()) {
	dog := time.AfterFunc(2*limit, func() {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		fmt.Fprintln(os.Stderr, t.Name()+" hangs")
		os.Exit(2)
	})
	return func() { dog.Stop() }
}
