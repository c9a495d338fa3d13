package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// gcPercent trades a little time for memory: the flat arrays of a survey hold
// no pointers and cost the collector nothing.
const gcPercent = 15

// Bytes of garbage that may pile up beyond that: always, as the collector would look
// through a small heap all the time; where files are listed; and where they are written as
// well, which a run of it would take a core from.
const (
	spareAlways = 4 << 20
	spareHeap   = 40 << 20
	spareToCopy = 128 << 20
)

// wantMost is how much memory is not gone beyond for the sake of garbage: of the list of a
// million files, garbage as above would be a fifth.
const wantMost = 450 << 20

// A collector tells Go's how much garbage may pile up.
type collector struct {
	mu    sync.Mutex
	spare uint64 // bytes that may, beyond gcPercent
	limit int64  // of memory, where nobody asks for less
	told  [2]int64
}

// gc is nil where the environment says how to collect.
var gc *collector

// startCollector takes over from the defaults.
func startCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	gc = &collector{spare: spareAlways, limit: debug.SetMemoryLimit(-1)}
	gc.watch(new([64]byte))
}

// watch works out anew after each run of the collector how much may pile up until the
// next, which finds mark to be garbage.
func (c *collector) watch(mark *[64]byte) {
	c.tell()
	runtime.SetFinalizer(mark, c.watch)
}

func (c *collector) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	live := sample[0].Value.Uint64()
	percent := gcPercent + int(c.spare*100/max(live, 4<<20))
	// What lives beyond wantMost has some room all the same.
	limit := min(c.limit, int64(max(wantMost, live+live/8)))
	// Telling stops all that runs for a moment.
	if now := [2]int64{int64(percent), limit}; now != c.told {
		c.told = now
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// collectLater is for work that makes many small things: spare bytes of garbage may pile
// up until stop is called.
func collectLater(spare uint64) (stop func()) {
	if gc == nil {
		return func() {}
	}
	gc.set(spare)
	return func() { gc.set(spareAlways) }
}

func (c *collector) set(spare uint64) {
	c.mu.Lock()
	c.spare = spare
	c.mu.Unlock()
	c.tell()
}
