package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext"
	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/links"
)

// A moment is the flag --at, for commands that can look at the past.
type moment struct {
	at    string
	given func() bool         // an empty one is a mistake, not today
	doubt func(ext.Ino) error // for walks: what is not known of a directory of then
}

func (m *moment) addFlags(cmd *cobra.Command) {
	m.given = func() bool { return cmd.Flags().Changed("at") }
	cmd.Flags().StringVar(&m.at, "at", "", "look at the file system as the journal remembers it at `SEQ|TIME`: the end of a transaction, or of the last one by then")
}

// momentHelp is what the help of those commands says of it.
const momentHelp = `With --at the file system is shown as it was at the end of a transaction, by its
sequence number or a time (UTC, as in 2026-01-31T12:00:00), as far as the journal
still holds the blocks of then; "journal" lists the transactions. What is not
known is shown as of a later transaction and named on stderr, and the exit status
is 4.`

// turn has the evidence looked at as of that moment.
func (m *moment) turn(o *opened) error {
	if !m.given() {
		return nil
	}
	l, err := o.log()
	if err != nil {
		return usagef("--at: %v", err)
	}
	i, err := l.When(m.at)
	if err != nil {
		return usagef("--at: %v", err)
	}
	p, err := l.At(i)
	if err != nil {
		return err
	}
	o.past, o.pastIndex, o.fs, m.doubt = p, i, p.FS, p.Doubt
	when := "without a time"
	if !p.Time.IsZero() {
		when = "committed " + p.Time.UTC().Format("2006-01-02 15:04:05.000000")
	}
	o.env.say(fmt.Sprintf("as of the end of transaction %d, %s", p.Sequence, when))
	return nil
}

// log reads the journal for what it remembers, once. The error is
// history.ErrNoJournal.
func (o *opened) log() (*history.Log, error) {
	if o.history == nil {
		l, err := history.Open(o.view)
		if err != nil {
			return nil, err
		}
		for _, w := range l.Archive.Warnings {
			o.env.damage(fmt.Errorf("journal: %s", w))
		}
		o.history = l
	}
	return o.history, nil
}

// memory is what is remembered of names that are gone: the log is read only when
// somebody asks. With once nobody asks again: what it takes is let go of then.
func (o *opened) memory(once bool) links.Past {
	if o.view.Journal == nil {
		return nil
	}
	return lazyPast{o, once}
}

type lazyPast struct {
	*opened
	once bool
}

func (p lazyPast) Prepare(ctx context.Context, t *links.Tree) {
	if l, err := p.log(); err == nil {
		l.Prepare(ctx, t)
	}
}

func (p lazyPast) Lost(ctx context.Context, t *links.Tree, missing links.Missing) ([]links.LostName, error) {
	l, err := p.log()
	if err != nil {
		return nil, err
	}
	list, err := l.Lost(ctx, t, missing)
	if p.once {
		p.history = nil
		p.view.Journal.Forget()
	}
	return list, err
}

// former gives the paths that inodes had and have no more; none without a journal.
func (o *opened) former(ctx context.Context, want map[ext.Ino]bool) (map[ext.Ino][][]byte, error) {
	if len(want) == 0 || o.view.Journal == nil {
		return nil, nil
	}
	l, err := o.log()
	if err != nil {
		return nil, err
	}
	list, err := l.Former(ctx, func(ino ext.Ino) bool { return want[ino] })
	out := map[ext.Ino][][]byte{}
	for _, n := range list {
		out[n.Ino] = append(out[n.Ino], n.Path)
	}
	return out, err
}

// coverage tells how far the contents of a file of the past can be trusted.
func (o *opened) coverage(arg string, in *ext.Inode) {
	if !o.past.InodeKnown(in) {
		o.env.damage(&history.UnknownError{Dir: in.Ino, Sequence: o.past.Sequence, Inode: true})
	}
	c, err := o.history.Coverage(o.pastIndex, in)
	if err != nil {
		o.env.damage(err)
		return
	}
	text := fmt.Sprintf("%s: %s", arg, c.String())
	if c.Sure() {
		o.env.say(text)
	} else {
		o.env.damage(errors.New(text))
	}
}
