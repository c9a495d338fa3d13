package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// Bytes of garbage that may pile up at least: where files are listed, and where they are
// written as well, which a run of the collector would take a core from.
const (
	spareHeap   = 40 << 20
	spareToCopy = 128 << 20
)

// collectLater is for work that makes many small things: gcPercent of a small heap is
// so little that the collector would run all the time. After each of its runs the share
// that spare is of what lives is worked out anew, until stop is called.
func collectLater(spare uint64) (stop func()) {
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
		debug.SetGCPercent(gcPercent + int(spare*100/max(live[0].Value.Uint64(), 4<<20)))
		runtime.SetFinalizer(cycle, tune) // it is garbage again: the next run finds it
	}
	tune(new([64]byte))
	return func() {
		stopped.Store(true)
		debug.SetGCPercent(was)
	}
}
