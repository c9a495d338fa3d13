package main

import (
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

func (p *progress) show(e *env, what string) {
	defer close(p.stopped)
	select {
	case <-p.stop:
		return
	case <-time.After(progressAfter):
	}
	bars := mpb.New(mpb.WithOutput(e.err), mpb.WithAutoRefresh())
	bar := bars.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(decor.Percentage()))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			bar.Abort(true)
			bars.Wait()
			return
		case <-tick.C:
			if total := p.total.Load(); total > 0 {
				bar.SetTotal(total+1, false)
				bar.SetCurrent(p.done.Load())
			}
		}
	}
}
