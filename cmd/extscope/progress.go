package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/extscope/extscope/report"
)

// progressAfter is how long work may take before a bar shows.
const progressAfter = time.Second

// A progress shows how far long work is, on stderr, when a person looks on and
// it takes over a second. The zero value shows nothing.
type progress struct {
	done, total atomic.Int64
	files       atomic.Int64

	began   time.Time
	words   func(p *progress) string // what stands behind the bar
	stop    chan struct{}
	stopped chan struct{}
}

// progress starts a bar of steps; end must be called.
func (o *output) progress(e *env, what string) *progress {
	return o.bar(e, what, func(p *progress) string {
		return fmt.Sprintf("%d %%  %s", p.done.Load()*100/max(p.total.Load(), 1), p.left())
	})
}

// reading starts a bar of bytes; end must be called.
func (o *output) reading(e *env, what string, bytes int64) *progress {
	p := o.bar(e, what, func(p *progress) string {
		return fmt.Sprintf("%s of %s  %s  %s", size(p.done.Load()), size(p.total.Load()), p.speed(), p.left())
	})
	p.total.Store(bytes)
	return p
}

// transfer starts a bar of files and bytes; end must be called.
func (o *output) transfer(e *env, what string, bytes int64, files int) *progress {
	p := o.bar(e, what, func(p *progress) string {
		return fmt.Sprintf("%d of %d files  %s of %s  %s  %s", p.files.Load(), files, size(p.done.Load()), size(p.total.Load()), p.speed(), p.left())
	})
	p.total.Store(bytes)
	return p
}

// counter starts a bar for work of which it is not known beforehand how much there is;
// end must be called.
func (o *output) counter(e *env, what string) *progress {
	return o.bar(e, what, func(p *progress) string { return plural(p.files.Load(), "file", "files") })
}

func (o *output) bar(e *env, what string, words func(p *progress) string) *progress {
	p := &progress{began: time.Now(), words: words}
	if o.quiet || !isTerminal(e.err) {
		return p
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.show(e, what)
	return p
}

// count tells how many files are done.
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
func (p *progress) left() string {
	done, total := p.done.Load(), p.total.Load()
	if done <= 0 {
		return ""
	}
	rest := time.Duration(float64(time.Since(p.began)) * float64(max(total-done, 0)) / float64(done))
	return (rest + time.Second - 1).Truncate(time.Second).String() + " left"
}

// speed is how many bytes are done in a second.
func (p *progress) speed() string {
	return size(int64(float64(p.done.Load())/max(time.Since(p.began).Seconds(), 0.001))) + "/s"
}

func size(n int64) string { return report.HumanSize(uint64(max(n, 0))) }

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
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.words(p) })))
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
