package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/extscope/extscope/image"
	"github.com/extscope/extscope/report"
)

// maxKeyFile is the longest key file in bytes, as cryptsetup is built by default.
const maxKeyFile = 8 << 20

// key holds the flags that say what opens encrypted volumes.
type key struct {
	file   string
	memory int64
	ask    bool // at the terminal, where no file is given
}

func (k *key) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&k.file, "key-file", "", "`FILE` whose bytes, all of them, open LUKS volumes; \"-\" is stdin (default: asked for at the terminal)")
	f.Int64Var(&k.memory, "kdf-memory", image.DefaultKDFMemory>>20, "most memory in `MIB` that a LUKS key slot may ask for, up to 4096")
	_ = cmd.MarkFlagFilename("key-file")
}

// options says how encrypted volumes are opened: by the file, or else by what is typed.
// Where there is neither, they stay locked.
func (k *key) options(e *env, o *image.Options) error {
	if k.memory < 1 || k.memory > image.MaxKDFMemory>>20 {
		return usagef("--kdf-memory %d: want 1 to %d", k.memory, image.MaxKDFMemory>>20)
	}
	o.KDFMemory = k.memory << 20
	if k.file == "" {
		if k.ask && isTerminal(e.in) {
			o.Passphrase = func(volume string) ([]byte, error) { return e.askPassphrase(volume) }
		}
		return nil
	}
	content, err := k.read(e)
	if err != nil {
		return &usageError{err}
	}
	o.Passphrase = func(string) ([]byte, error) { return bytes.Clone(content), nil }
	return nil
}

// read reads the key file: like cryptsetup, to its end, a newline there included.
func (k *key) read(e *env) ([]byte, error) {
	r := e.in
	if k.file != "-" {
		f, err := os.Open(k.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	} else if r == nil {
		return nil, errors.New("--key-file -: there is no stdin")
	}
	b, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		err = fmt.Errorf("--key-file %s is longer than %d bytes", k.file, maxKeyFile)
	}
	return b, err
}

// askPassphrase asks at the terminal, without showing what is typed.
func (e *env) askPassphrase(volume string) ([]byte, error) {
	fd := int(e.in.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	answer := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answer <- line{text, err}
	}()
	// Nothing is asked, and nobody interrupts, before echo is off: it would be shown, or stay off.
	for range 500 {
		if now, err := term.GetState(fd); err != nil || *now != *before || len(answer) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintf(e.err, "Passphrase for %s: ", report.Printable([]byte(volume)))
	typed, err := await(e.ctx, func() ([]byte, error) { l := <-answer; return l.text, l.err })
	if e.ctx.Err() != nil {
		_ = term.Restore(fd, before) // what waits there still has echo off
	}
	fmt.Fprintln(e.err)
	if err == nil && len(typed) == 0 {
		err = errors.New("no passphrase was given")
	}
	return typed, err
}

// await waits for f, but no longer than the program is to go on: neither a prompt nor the
// derivation of a key can be told to stop.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// fits fails where a key was given that opened none of the encrypted volumes.
func (k *key) fits(t *image.Table) error {
	var first *image.Partition
	for i := range t.Partitions {
		p := &t.Partitions[i]
		var wrong *image.KeyError
		if p.Kind == "decrypted" {
			return nil
		}
		if first == nil && errors.As(p.LockErr, &wrong) {
			first = p
		}
	}
	if first == nil {
		return nil
	}
	return usagef("%s stays locked: %v", volumeName(first), first.LockErr)
}

// unasked tells what opens a volume that is locked for want of a key.
func unasked(err error) error {
	var list []image.Partition
	var none *image.NotExtError
	var unknown *image.NoSuchPartitionError
	switch {
	case errors.As(err, &none):
		list = none.Table.Partitions
	case errors.As(err, &unknown):
		list = unknown.Partitions
	}
	for _, p := range list {
		if p.State == image.StateLocked && p.LockErr == nil {
			return fmt.Errorf("%w; stdin is no terminal to ask for a passphrase at: --key-file opens what is locked", err)
		}
	}
	return err
}
