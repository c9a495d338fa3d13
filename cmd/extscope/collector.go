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

// wantMost is how much memory is not gone beyond for the sake of garbage: of the list of a
// million files, garbage as above would be a fifth.
const wantMost = 470 << 20

// collectLater is for work that makes many small things: gcPercent of a small heap is
// so little that the collector would run all the time. After each of its runs the share
// that spare is of what lives is worked out anew, until stop is called. What lives beyond
// wantMost has some room all the same.
func collectLater(spare uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	was, limit := debug.SetGCPercent(gcPercent), debug.SetMemoryLimit(-1)
	var stopped atomic.Bool
	var tune func(*[64]byte)
	tune = func(cycle *[64]byte) {
		if stopped.Load() {
			return
		}
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		lives := live[0].Value.Uint64()
		debug.SetGCPercent(gcPercent + int(spare*100/max(lives, 4<<20)))
		debug.SetMemoryLimit(min(limit, int64(max(wantMost, lives+lives/4))))
		runtime.SetFinalizer(cycle, tune) // it is garbage again: the next run finds it
	}
	tune(new([64]byte))
	return func() {
		stopped.Store(true)
		debug.SetGCPercent(was)
		debug.SetMemoryLimit(limit)
	}
}
