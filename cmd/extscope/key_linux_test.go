package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/term"

	"github.com/extscope/extscope/ext/exttest"
)

// terminal makes a pseudo-terminal: what a person types into, and what the program reads.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		exttest.Skip(t, "no terminal to be had")
	}
	t.Cleanup(func() { person.Close() })
	var number, unlock int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			exttest.Skip(t, "no terminal to be had")
		}
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		exttest.Skip(t, "no terminal to be had")
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// A watched writer tells when something was written.
type watched struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func (w *watched) wait(t *testing.T, text string) {
	t.Helper()
	for range 3000 {
		if strings.Contains(w.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q does not come: %q", text, w.String())
}

// At a terminal a passphrase is asked for, only where it is needed, and not shown. Ctrl-C
// leaves the terminal as it was.
func TestPassphrase(t *testing.T) {
	disks := volumeDisks(t, "nested/disk", "luks/v2-512")
	const prompt = "Passphrase for partition 1, LUKS2 UUID "
	for _, tt := range []struct {
		args, asked, typed string
		status             int
		out                string
	}{
		{"cat LUKS /who", prompt, "third\n", exitDone, "this is v2-512\n"},
		{"cat LUKS /who", prompt, "wrong\n", exitUsage, ""},
		{"cat LUKS /who", prompt, "\n", exitNotExt, ""},
		{"cat LUKS /who", prompt, "", exitInterrupted, ""},
		{"cat NESTED -p boot /who", "", "", exitDone, "this is boot\n"},
		{"cat NESTED -p vgsealed/root /who", "Passphrase for partition 2, LUKS2 UUID ", "extscope\n", exitDone, "this is root\n"},
		{"partitions LUKS", "", "", exitDone, "locked"},
	} {
		person, program := terminal(t)
		before, err := term.GetState(int(program.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var out, errs, shown watched
		go func() { _, _ = io.Copy(&shown, person) }()
		done := make(chan int)
		args := strings.Fields(strings.NewReplacer("NESTED", disks[0], "LUKS", disks[1]).Replace(tt.args))
		go func() { done <- runContext(ctx, args, program, &out, &errs) }()
		if tt.asked != "" {
			errs.wait(t, tt.asked)
			if tt.typed == "" {
				cancel()
			}
			// What is typed before echo is off would be shown: wait for it as a person does.
			time.Sleep(100 * time.Millisecond)
			if _, err := person.WriteString(tt.typed); err != nil {
				t.Fatal(err)
			}
		}
		status := <-done
		cancel()
		after, err := term.GetState(int(program.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if status != tt.status || !strings.Contains(out.String(), tt.out) || tt.asked == "" && errs.String() != "" || *after != *before {
			t.Errorf("%s, %q: exit status %d (want %d), %q, %q", tt.args, tt.typed, status, tt.status, out.String(), errs.String())
		}
		// What the terminal shows of what was typed: nothing but the line's end, at most.
		if s := shown.String(); strings.TrimSpace(s) != "" {
			t.Errorf("%s: shown %q", tt.args, s)
		}
	}
}
