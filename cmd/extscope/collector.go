package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// spareHeap is how much garbage may pile up at least, where collectLater is called.
const spareHeap = 128 << 20

// collectLater is for work that makes many small things: gcPercent of a small heap is
// so little that the collector would run all the time. After each of its runs the share
// that is spareHeap of what lives is worked out anew, until stop is called.
func collectLater() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	was := debug.SetGCPercent(gcPercent)
	var stopped atomic.Bool
	var tune func(*[64]byte)
	tune = func(cycle *[64]byte) {
		if stopped.Load() {
			return
		}
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		debug.SetGCPercent(gcPercent + int(spareHeap*100/max(live[0].Value.Uint64(), 4<<20)))
		runtime.SetFinalizer(cycle, tune) // it is garbage again: the next run finds it
	}
	tune(new([64]byte))
	return func() {
		stopped.Store(true)
		debug.SetGCPercent(was)
	}
}
