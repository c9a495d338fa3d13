package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progressAfter is how long work may take before a bar shows.
const progressAfter = time.Second

// A progress shows how far long work is, on stderr, when a person looks on and
// it takes over a second. The zero value shows nothing.
type progress struct {
	done, total atomic.Int64
	stop        chan struct{}
	stopped     chan struct{}

	files    atomic.Int64 // of a transfer
	allFiles int          // 0 where the work is none
	counts   bool         // of a counter
}

// progress starts a bar; end must be called.
func (o *output) progress(e *env, what string) *progress {
	p := &progress{}
	if o.quiet || !isTerminal(e.err) {
		return p
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.show(e, what)
	return p
}

// transfer starts a bar of files and bytes, with the time that is left; end must be
// called.
func (o *output) transfer(e *env, what string, bytes int64, files int) *progress {
	p := &progress{allFiles: files}
	p.total.Store(bytes)
	if o.quiet || !isTerminal(e.err) {
		return p
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.show(e, what)
	return p
}

// counter starts a bar for work of which it is not known beforehand how much there is:
// it counts files. end must be called.
func (o *output) counter(e *env, what string) *progress {
	p := &progress{counts: true}
	if o.quiet || !isTerminal(e.err) {
		return p
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.show(e, what)
	return p
}

// count tells how many files of a transfer are done.
func (p *progress) count(files int) { p.files.Store(int64(files)) }

// set tells how much of how many steps is done.
func (p *progress) set(done, total int) {
	p.done.Store(int64(done))
	p.total.Store(int64(total))
}

// end takes the bar away.
func (p *progress) end() {
	if p.stop != nil {
		close(p.stop)
		<-p.stopped
		p.stop = nil
	}
}

// left says how much longer it takes, at the pace so far.
func (p *progress) left(gone time.Duration) string {
	done, total := p.done.Load(), p.total.Load()
	if done <= 0 {
		return ""
	}
	rest := time.Duration(float64(gone) * float64(max(total-done, 0)) / float64(done))
	return (rest + time.Second - 1).Truncate(time.Second).String() + " left"
}

func (p *progress) show(e *env, what string) {
	defer close(p.stopped)
	began := time.Now()
	select {
	case <-p.stop:
		return
	case <-time.After(progressAfter):
	}
	bars := mpb.New(mpb.WithOutput(e.err), mpb.WithAutoRefresh())
	after := []decor.Decorator{decor.Percentage()}
	if p.allFiles > 0 {
		after = []decor.Decorator{
			decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%d of %d files  ", p.files.Load(), p.allFiles) }),
			decor.CountersKibiByte("% .1f of % .1f  "), decor.Any(func(decor.Statistics) string { return p.left(time.Since(began)) }),
		}
	}
	if p.counts {
		after = []decor.Decorator{decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%d files", p.files.Load()) })}
	}
	bar := bars.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(after...))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			bar.Abort(true)
			bars.Wait()
			return
		case <-tick.C:
			if total := p.total.Load(); total > 0 || p.counts {
				bar.SetTotal(total+1, false)
				bar.SetCurrent(p.done.Load())
			}
		}
	}
}
