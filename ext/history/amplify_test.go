package history_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/exttest"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/ext/links"
	"github.com/extscope/extscope/ext/replay"
)

var costlyScale = flag.Int64("costly-scale", 64, "what the logs of TestCostly are smaller by than would be telling at a glance")

const (
	timeLimit   = 60 * time.Second
	memoryLimit = 1 << 30
)

// long is the length of a log of as many blocks as four extents map, or less.
func long() int64 { return 4 * 32768 / *costlyScale }

// costly are images whose log makes work or memory grow with the product of two
// numbers in it, or with a number that is claimed, unless that is seen to.
var costly = map[string]func() *maker{
	"a large directory with a version in each transaction": func() *maker {
		m := newMaker(4096, 1<<18, 1<<10, long(), 0)
		m.mapped(12, 0x41ed, 2, 4*32768*4096, 0, extentRec{0, 32768, 1000}, extentRec{32768, 32768, 1000}, extentRec{65536, 32768, 1000}, extentRec{98304, 32768, 1000})
		for i := uint32(0); m.room(3); i++ {
			m.tx(m.tableCopy(12, func(raw []byte) { le.PutUint32(raw[0x10:], 1600000000+i) }))
		}
		return m.clean()
	},
	"a directory that changes between inline and mapped": func() *maker {
		m := newMaker(1024, 1<<17, 1<<10, long(), 0)
		le.PutUint32(m.super()[0x60:], le.Uint32(m.super()[0x60:])|uint32(layout.IncompatInlineData))
		var names []name
		for i := range uint32(20_000) {
			names = append(names, name{fmt.Sprintf("name %d", i), 20, layout.FTRegular})
		}
		m.dir(12, 2, names...)
		for i := uint32(0); m.room(3); i++ {
			m.tx(m.tableCopy(12, func(raw []byte) {
				if i%2 == 0 {
					le.PutUint32(raw[0x20:], uint32(layout.FlagInlineData))
				}
			}))
		}
		return m.clean()
	},
	"states of inodes that all claim the whole log": func() *maker {
		m := newMaker(1024, 1<<18, 1<<14, long(), 0)
		for i := int64(0); m.room(4); i++ {
			c := m.tableCopy(100, func([]byte) {})
			for k := range int64(1024 / makerInode) {
				raw := c.bytes[k*makerInode:]
				fillInode(raw, 0x81a4, 1, layout.FlagExtents, 1<<30)
				node(raw[0x28:0x64], 0, extentRec{i % 5, 32768, m.log}, extentRec{40000, 32768, m.log + 100}, extentRec{80000, 32768, m.log + i%9}, extentRec{120000, 32768, m.log + 7})
				le.PutUint32(raw[0x64:], uint32(i))
			}
			m.tx(c, logged{m.log + i%m.logLen, make([]byte, 1024)})
		}
		return m.clean()
	},
	"a hot block in transactions that never took effect": func() *maker {
		m := newMaker(1024, 1<<18, 1<<10, long(), 0)
		m.clean()
		for i := uint32(0); m.room(3); i++ {
			m.tx(m.tableCopy(100, func(raw []byte) { le.PutUint32(raw[0x10:], i) }))
		}
		return m // whose sequence it has not come to
	},
	"fast commits of one inode and its names": func() *maker {
		m := newMaker(4096, 1<<18, 1<<10, max(long(), 4096), long()/2)
		m.tx(m.tableCopy(12, func(raw []byte) { fillInode(raw, 0x41ed, 2, 0, 4096) }))
		w := m.fast()
		raw := make([]byte, 128)
		fillInode(raw, 0x41ed, 2, layout.FlagExtents, 4096)
		for i := uint32(0); ; i++ {
			le.PutUint32(raw[0x10:], i)
			if !w.record(6, inodeRecord(12, raw)) {
				break
			}
			for range 20 {
				w.record(3, named(12, 13, "name"))
			}
			w.tail(m.sequence)
		}
		return m.clean()
	},
	"a fast commit of one inode over and over": func() *maker {
		m := newMaker(4096, 1<<18, 1<<10, max(long(), 4096), long()/4)
		m.tx(m.tableCopy(12, func(raw []byte) { fillInode(raw, 0x41ed, 2, 0, 4096) }))
		w := m.fast()
		raw := make([]byte, 128)
		fillInode(raw, 0x41ed, 2, layout.FlagExtents, 4096)
		for i := uint32(0); ; i++ {
			le.PutUint32(raw[0x10:], i)
			if !w.record(6, inodeRecord(12, raw)) || !w.record(3, named(12, 13, "name")) {
				break
			}
		}
		w.n = m.logLen - 1
		w.at = 0
		w.tail(m.sequence)
		return m.clean()
	},
	"fast commits behind transactions that never took effect": func() *maker {
		m := newMaker(1024, 1<<18, 1<<10, max(long(), 4096), long()/2)
		m.sequence = 1000
		m.tx(m.tableCopy(12, func(raw []byte) { fillInode(raw, 0x41ed, 2, 0, 4096) }))
		m.live()
		be.PutUint32(m.block(m.log)[0x18:], 5000) // refused: no such sequence there
		be.PutUint32(m.block(m.log)[0x28:], 0x100)
		for m.room(1) {
			m.sequence++
			m.revoke(5)
		}
		w := m.fast()
		for w.record(3, named(12, 13, "name")) {
			w.tail(m.sequence)
		}
		return m
	},
	"records of names in a directory of many states": func() *maker {
		m := newMaker(4096, 1<<18, 1<<10, max(long(), 4096), long()/2)
		for i := uint32(0); m.room(3); i++ {
			m.tx(m.tableCopy(12, func(raw []byte) { fillInode(raw, 0x41ed, uint16(2+i%2), layout.FlagExtents, 4096) }))
		}
		w := m.fast()
		for w.record(3, named(12, 13, "n")) {
			if w.at > 3900 {
				w.tail(m.sequence)
			}
		}
		return m.clean()
	},
	"a block bitmap of all groups": func() *maker {
		m := newMaker(1024, 1<<22, 1<<10, long(), 0)
		var nodes []extentRec
		for i := range int64(4) {
			var recs []extentRec
			for k := range int64(84) {
				recs = append(recs, extentRec{i*84 + k, 1, (i*84 + k + 20) * 8192})
			}
			nodes = append(nodes, extentRec{i * 84, 0, m.alloc(1)})
			node(m.block(nodes[i][2]), 0, recs...)
		}
		m.mapped(12, 0x81a4, 1, 4*84*1024, 1, nodes...)
		m.tx(m.tableCopy(12, func([]byte) {}))
		bitmap := int64(le.Uint32(m.block(2)))
		for i := 0; m.room(3); i++ {
			b := make([]byte, 1024)
			b[i%1024] = byte(i)
			m.tx(logged{bitmap, b})
		}
		m.mapped(12, 0x81a4, 1, 0, 0) // cut off since
		return m.clean()
	},
	"lost names of one inode":                   func() *maker { return manyNames(13, false) },
	"lost names of one inode, in one directory": func() *maker { return manyNames(13, true) },
	"former names of inodes":                    func() *maker { return manyNames(0, true) },
	"directories that are gone, deep down": func() *maker {
		m := newMaker(1024, 1<<18, 1<<15, long(), 0)
		long := strings.Repeat("d", 200)
		parent := uint32(2)
		var dirs []int64
		for ino := uint32(12); ino < 4000; ino++ {
			dirs = append(dirs, m.dir(ino, parent, name{long, ino + 1, layout.FTDir}))
			parent = ino
		}
		for i := 0; m.room(3); i++ {
			m.tx(logged{dirs[i%len(dirs)], bytes.Clone(m.block(dirs[i%len(dirs)]))})
		}
		m.dir(2, 2, name{long, 12, layout.FTDir})
		return m.clean()
	},
	"many revokes and many moments": func() *maker {
		m := newMaker(1024, 1<<18, 1<<15, long(), 0)
		var all []int64
		for i := range int64(250) {
			all = append(all, m.table+i)
		}
		first := m.dir(12, 2)
		b := dirBlocks(1024, name{".", 12, 2}, name{"..", 2, 2}, name{"x", 20, 1})[0]
		for i := uint32(0); m.room(8); i++ {
			m.copies(m.tableCopy(12, func(raw []byte) { le.PutUint32(raw[0x10:], i) }), logged{first, b})
			for range 3 {
				m.revoke(all...)
			}
			m.commit()
		}
		return m.clean()
	},
	"directories of a tree that all share": func() *maker {
		m := newMaker(1024, 1<<13+long(), 1<<13, long(), 0)
		top := m.alloc(1)
		var nodes []extentRec
		for i := range int64(84) {
			at := m.alloc(1)
			var leaves []extentRec
			for j := range int64(84) {
				leaves = append(leaves, extentRec{(i*84 + j) * 30000, min(30000, m.logLen), m.log})
			}
			node(m.block(at), 0, leaves...)
			nodes = append(nodes, extentRec{i * 84 * 30000, 0, at})
		}
		node(m.block(top), 1, nodes...)
		var names []name
		for ino := uint32(12); ino < 1000; ino++ {
			m.mapped(ino, 0x41ed, 2, 1<<31, 2, extentRec{0, 0, top})
			names = append(names, name{fmt.Sprint(ino), ino, layout.FTDir})
		}
		m.dir(2, 2, names...)
		m.tx(logged{m.log + 5, make([]byte, 1024)})
		for i := int64(0); m.room(102); i++ {
			var copies []logged
			for k := range int64(100) {
				copies = append(copies, logged{m.log + (i*100+k)%m.logLen, make([]byte, 1024)})
			}
			m.tx(copies...)
		}
		return m.clean()
	},
	"directories of the same blocks, to be replayed": func() *maker {
		m := newMaker(1024, 1<<18, 1<<16, long(), 0)
		for ino := uint32(12); m.room(3) && ino < 1<<16-8; ino += 8 {
			c := m.tableCopy(ino, func([]byte) {})
			for k := range 8 {
				raw := c.bytes[k*makerInode:]
				fillInode(raw, 0x41ed, 2, layout.FlagExtents, 1<<30)
				node(raw[0x28:0x64], 0, extentRec{0, 32768, 20000}, extentRec{32768, 32768, 20000}, extentRec{65536, 32768, 20000}, extentRec{98304, 32768, 20000})
			}
			m.tx(c)
		}
		return m.live()
	},
	"copies of the log's own blocks": func() *maker {
		m := newMaker(1024, 1<<18, 1<<10, long(), 0)
		for k := int64(0); m.room(3); k++ {
			m.tx(logged{m.log + m.logLen - 1 - k%(m.logLen/2), make([]byte, 1024)})
		}
		// Half of the transactions, so that the blocks are not part of what is replayed.
		m.live()
		clear(m.block(m.log + m.at/2/3*3 + 1))
		return m
	},
}

// manyNames is a directory whose blocks were logged with names of inode ino, or, with
// 0, of many, and are empty today.
func manyNames(ino uint32, one bool) *maker {
	m := newMaker(4096, 1<<19, 1<<16, max(long()/2, 1100), 0)
	m.inode(13, 0x81a4, 1, 0, 0)
	for i := uint32(1000); i < 1<<16-100; i++ {
		m.inode(i, 0x81a4, 1, 0, 0)
	}
	blocks := m.logLen * 3 / 4
	first := m.alloc(blocks)
	var recs []extentRec
	for at := int64(0); at < blocks; at += 32768 {
		recs = append(recs, extentRec{at, min(blocks-at, 32768), first + at})
	}
	m.mapped(12, 0x41ed, 2, blocks*4096, 0, recs...)
	if one {
		copy(m.block(first), dirBlocks(4096, name{".", 12, 2}, name{"..", 2, 2})[0])
	}
	next := uint32(0)
	for at := int64(0); m.room(42); {
		var copies []logged
		for range min(40, max(blocks-at, 1)) {
			var names []name
			for range 4096 / 20 {
				n := ino
				if n == 0 {
					n = 1000 + next%(1<<16-2000)
				}
				names = append(names, name{fmt.Sprintf("%010d", next), n, layout.FTRegular})
				next++
			}
			copies = append(copies, logged{first + at%blocks, dirBlocks(4096, names...)[0]})
			at++
		}
		m.tx(copies...)
	}
	return m.clean()
}

// peakHeap samples the heap until stop is closed.
func peakHeap(stop <-chan struct{}) (peak uint64) {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		metrics.Read(s)
		peak = max(peak, s[0].Value.Uint64())
		select {
		case <-stop:
			return peak
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestCostly asks everything of such logs.
func TestCostly(t *testing.T) {
	for _, what := range exttest.Some(3, slices.Sorted(maps.Keys(costly))) {
		make := costly[what]
		t.Run(what, func(t *testing.T) {
			m := make()
			dog := time.AfterFunc(4*timeLimit, func() {
				pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
				panic(t.Name() + " hangs")
			})
			defer dog.Stop()
			stop, peak := newPeak()
			start := time.Now()
			costs(t, m)
			if d := time.Since(start); d > timeLimit {
				t.Errorf("took %v", d)
			}
			close(stop)
			n := <-peak
			t.Logf("%d MiB of memory, %v", n>>20, time.Since(start))
			if n > memoryLimit {
				t.Errorf("took %d MiB of memory", n>>20)
			}
		})
	}
}

func newPeak() (stop chan struct{}, peak chan uint64) {
	stop, peak = make(chan struct{}), make(chan uint64)
	go func() { peak <- peakHeap(stop) }()
	return stop, peak
}

func costs(t *testing.T, m *maker) {
	t.Helper()
	ctx := context.Background()
	lap := time.Now()
	took := func(part string) {
		if d := time.Since(lap); d > 300*time.Millisecond {
			t.Logf("%s took %v", part, d)
		}
		lap = time.Now()
	}
	v, err := replay.Open(m, m.size(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	took("replay")
	for range replay.Diff(ctx, v) {
	}
	took("diff")
	l, err := history.Open(v)
	if err != nil {
		t.Fatal(err, v.Warnings)
	}
	took("open")
	n := len(l.Transactions())
	t.Logf("%d transactions", n)
	for i := range n {
		uses, err := l.Uses(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		for k, u := range uses {
			_ = l.ChangedInodes(l.Transactions()[i].Blocks[k], i, u)
			_ = l.DirPath(u, i)
		}
	}
	took("uses")
	for _, ino := range []history.Ino{2, 12, 13, 100} {
		versions, _ := l.InodeVersions(ino)
		took(fmt.Sprintf("%d versions of inode %d", len(versions), ino))
		for k := range versions {
			_, _ = l.Target(&versions[k])
			if k > 0 {
				_, _ = l.NameChanges(&versions[k-1], &versions[k])
			}
		}
		took(fmt.Sprintf("names of inode %d", ino))
	}
	former, err := l.Former(ctx, func(links.Ino) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	took(fmt.Sprintf("%d former names", len(former)))
	lost, err := l.Lost(ctx, nil, allMissing{2, 12, 13, 100})
	if err != nil {
		t.Fatal(err)
	}
	took(fmt.Sprintf("%d lost names", len(lost)))
	if _, _, _, err := l.Find(ctx, "/inbox/note"); err != nil {
		t.Fatal(err)
	}
	took("find")
	for _, i := range []int{n / 2} {
		p, err := l.At(i)
		if err != nil {
			continue
		}
		took("past")
		if in, err := p.FS.Inode(12); err == nil {
			_, _ = l.Coverage(i, in)
			if in.Size() < 1<<20 {
				_, _ = p.FS.Copy(io.Discard, in)
			}
			took("coverage")
		}
		root, err := p.FS.Inode(2)
		if err != nil {
			continue
		}
		limit, cancel := context.WithTimeout(ctx, timeLimit)
		for _, err := range p.FS.Walk(limit, root, []byte("/"), ext.WalkOptions{Doubt: p.Doubt, Inodes: true}) {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("walk: ", err)
			}
		}
		cancel()
		took("walk")
	}
}
