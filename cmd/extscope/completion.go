package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/extscope/extscope/report"
)

// completeImage completes the one IMAGE of a command by file names.
func completeImage(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeImages completes the IMAGE arguments of a command that takes no others.
func completeImages(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completions bounds how many names are offered.
const completions = 1000

// completePath completes IMAGE by file names, and each PATH by the names inside
// the image.
func (v *evidence) completePath(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	const none = cobra.ShellCompDirectiveNoFileComp
	v.unpackLimit = -1 // nobody waits for that
	o, err := v.open(&env{ctx: context.Background(), out: io.Discard, err: io.Discard}, args[0])
	if err != nil {
		return nil, none
	}
	defer o.Close()
	at := strings.LastIndexByte(typed, '/') + 1
	if at == 0 {
		return []string{"/"}, none | cobra.ShellCompDirectiveNoSpace
	}
	dir, err := o.inode(typed[:at], true)
	if err != nil || !dir.IsDir() {
		return nil, none
	}
	var names []string
	namer := o.fs.Namer(dir)
	directive := none
	for e, err := range o.fs.Entries(dir, false) {
		if err != nil || e.IsDot() {
			continue
		}
		name := typed[:at] + report.Printable(namer.Name(&e))
		if !strings.HasPrefix(name, typed) {
			continue
		}
		if in, err := o.fs.Inode(e.Ino); err == nil && in.IsDir() {
			name += "/"
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		if names = append(names, name); len(names) == completions {
			break
		}
	}
	return names, directive
}
