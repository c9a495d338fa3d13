package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/ext/history"
	"github.com/extscope/extscope/ext/jbd2"
	"github.com/extscope/extscope/ext/layout"
	"github.com/extscope/extscope/report"
)

type journalOptions struct {
	evidence
	output
	sequence string
	one      bool // --sequence is given
}

func newJournalCmd(e *env) *cobra.Command {
	o := &journalOptions{}
	cmd := &cobra.Command{
		Use:   "journal IMAGE [BLOCK]",
		Short: "List what the journal holds: transactions, fast commits, versions of a block",
		Long: `Journal lists all transactions that are left in the log, not only those that wait
to be replayed: the kernel does not erase what it has written home.

Columns: STATE is live, when it would be replayed; stale, when it is whole and
was written home long ago; or torn, when part of it was overwritten or never
written, and DAMAGE says what. BLOCKS are the blocks it has copies of, REVOKES
those whose older copies must not be replayed. HOLDS says what the copies are,
and in how many blocks. Below stand the fast commits: TID is the transaction that
each would have been part of.

BLOCK lists the versions of one block of the file system, oldest first;
--sequence the blocks of one transaction. There OWNER is the inode that a block
was part of then, and WHAT more of it: the inodes of an inode table block and
which of them changed, the path of a directory, the group of a bitmap.`,
		Example: `  extscope journal disk.img
  extscope journal disk.img --sequence 27
  extscope journal disk.img 1043
  extscope journal disk.img -f json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.one = cmd.Flags().Changed("sequence")
			return o.run(cmd.Context(), e, args)
		},
	}
	o.evidence.addFlags(cmd)
	o.output.addFlags(cmd)
	cmd.Flags().StringVar(&o.sequence, "sequence", "", "list the blocks of transaction `N`")
	return cmd
}

func (o *journalOptions) run(ctx context.Context, e *env, args []string) error {
	var block layout.Block
	switch {
	case len(args) == 2 && o.one:
		return usagef("BLOCK and --sequence are two questions")
	case len(args) == 2:
		n, err := strconv.ParseUint(args[1], 0, 64)
		if err != nil {
			return usagef("%q is no block number", args[1])
		}
		block = layout.Block(n)
	}
	v, err := o.open(e, args[0])
	if err != nil {
		return err
	}
	defer v.Close()
	l, err := v.log()
	if err != nil {
		return usagef("%s: %v", args[0], err)
	}
	j := &journalRows{ctx: ctx, v: v, l: l}
	r := &report.Report{Head: []report.Section{{Key: "journal", Title: "Journal", Fields: v.journalHead(o.format)}}}
	switch {
	case len(args) == 2:
		if uint64(block) >= v.fs.Super.BlocksCount {
			return usagef("no block %d: they are numbered 0 to %d", block, v.fs.Super.BlocksCount-1)
		}
		r.Tables = []*report.Table{{Key: "versions", Columns: copyColumns(true), Rows: j.versions(block)}}
	case o.one:
		list, err := j.named(o.sequence)
		if err != nil {
			return err
		}
		r.Tables = []*report.Table{{Key: "blocks", Columns: copyColumns(false), Rows: j.copies(list)}, j.revokes(list)}
	default:
		r.Tables = []*report.Table{{Key: "transactions", Columns: transactionColumns(), Rows: j.transactions(o.data())}}
		if f := j.fastTable(); f != nil || o.data() {
			r.Tables = append(r.Tables, j.fastTableOr(f))
		}
		r.Summary = j.summary
	}
	return o.write(ctx, e, v, r)
}

// data reports whether the output is for programs.
func (o *output) data() bool {
	return o.format != string(report.TableFormat) && o.format != string(report.Markdown)
}

// journalHead are the facts of the journal ahead of the transactions.
func (o *opened) journalHead(format string) report.Fields {
	f := append(report.Fields{
		{Key: "kind", Value: report.Str(o.journalKind())},
		{Key: "needs_recovery", Value: report.Bool(o.view.NeedsRecover)},
		{Key: "pending_transactions", Value: report.Uint(uint64(o.view.Transactions))},
		{Key: "pending_fast_commits", Value: report.Uint(uint64(o.view.FastCommits))},
	}, o.logFields()...)
	if format == string(report.TableFormat) || format == string(report.Markdown) {
		return present(f)
	}
	return f
}

// named finds the transactions with a sequence number: there may be several, when
// journals before this one have left some.
func (j *journalRows) named(number string) ([]int, error) {
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return nil, usagef("--sequence: %q is no sequence number", number)
	}
	var out []int
	for i := range j.l.Transactions() {
		if j.l.Transactions()[i].Sequence == uint32(n) {
			out = append(out, i)
		}
	}
	if out == nil {
		return nil, usagef("--sequence: the log holds no transaction %d", n)
	}
	return out, nil
}

// journalRows makes the rows of a journal.
type journalRows struct {
	ctx   context.Context
	v     *opened
	l     *history.Log
	count map[jbd2.State]uint64
	fasts uint64
}

func transactionColumns() []report.Column {
	return []report.Column{
		{Key: "sequence", Title: "SEQUENCE", Right: true},
		{Key: "commit_time", Title: "COMMITTED"},
		{Key: "state", Title: "STATE", Style: transactionStyle},
		{Key: "blocks_count", Title: "BLOCKS", Right: true},
		{Key: "revokes_count", Title: "REVOKES", Right: true},
		{Key: "holds", Title: "HOLDS"},
		{Key: "damage", Title: "DAMAGE"},
		{Key: "start", Data: true},
		{Key: "end", Data: true},
		{Key: "blocks", Data: true},
		{Key: "revokes", Data: true},
	}
}

func transactionStyle(v report.Value) report.Style {
	switch v.Text() {
	case "live":
		return report.Good
	case "torn":
		return report.Warn
	}
	return report.Dim
}

// transactions are the rows of all transactions; with blocks, each has its blocks.
func (j *journalRows) transactions(blocks bool) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		j.count = map[jbd2.State]uint64{}
		for i := range j.l.Transactions() {
			t := &j.l.Transactions()[i]
			uses, err := j.l.Uses(j.ctx, i)
			if err != nil {
				yield(nil, err)
				return
			}
			j.count[t.State]++
			row := report.Row{
				report.Uint(uint64(t.Sequence)), report.Time(t.CommitTime), report.Str(t.State.String()),
				report.Uint(uint64(len(t.Blocks))), report.Uint(uint64(t.RevokeCount)), report.Str(holds(uses)), strs(t.Damage.Names()),
				report.Uint(uint64(t.Start)), report.Uint(uint64(t.End)),
			}
			if blocks {
				list := make([]report.Fields, len(t.Blocks))
				for k, c := range t.Blocks {
					list[k] = j.copyFields(c, i, uses[k])
				}
				row = append(row, report.Objects(list), blockList(t.Revokes))
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// holds counts what blocks are, in the order in which they were met.
func holds(uses []history.Use) string {
	var kinds []string
	counts := map[string]int{}
	for _, u := range uses {
		if counts[u.Kind]++; counts[u.Kind] == 1 {
			kinds = append(kinds, u.Kind)
		}
	}
	text := ""
	for i, k := range kinds {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", k, counts[k])
	}
	return text
}

func blockList(blocks []layout.Block) report.Value {
	list := make([]report.Value, len(blocks))
	for i, b := range blocks {
		list[i] = report.Uint(uint64(b))
	}
	return report.List(list)
}

func (j *journalRows) summary() report.Fields {
	return report.Fields{
		{Key: "transactions", Value: report.Uint(uint64(len(j.l.Transactions())))},
		{Key: "live", Value: report.Uint(j.count[jbd2.Live])},
		{Key: "stale", Value: report.Uint(j.count[jbd2.Stale])},
		{Key: "torn", Value: report.Uint(j.count[jbd2.Torn])},
		{Key: "fast_commits", Value: report.Uint(j.fasts)},
	}
}
