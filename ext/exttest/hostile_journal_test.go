package exttest

import (
	"bytes"
	"testing"
)

// What an editor seals without a change is as it was.
func TestLogSeals(t *testing.T) {
	for _, name := range []string{"ext4", "no-csum", "fast-commit", "async-commit"} {
		e := editCrash(t, "journal/"+name)
		want := bytes.Clone(e.Image)
		e.sealSuper()
		kinds := make(map[uint32]int)
		for _, b := range e.run {
			kinds[b.kind]++
			e.seal(b.n)
			for i, at := range b.tags {
				// An escaped copy's checksum is of the block as it was.
				if e.flags(e.log(b.n)[at:])&tagEscape == 0 {
					e.sealCopy(b, i)
				}
			}
		}
		if kinds[logDescriptor] == 0 || kinds[logCommit] == 0 {
			t.Errorf("%s: blocks by type: %v", name, kinds)
		}
		fast := e.fastArea()
		for _, r := range fast {
			if le.Uint16(r.b) == fcTail {
				sealFast(e.log(r.block), r.at)
			}
		}
		if name == "fast-commit" && len(fast) < 40 {
			t.Errorf("%d fast commit records", len(fast))
		}
		e.SealInode(logInode)
		e.SealSuperblock()
		if bytes.Equal(e.Image, want) {
			continue
		}
		for i := range want {
			if e.Image[i] != want[i] {
				t.Fatalf("%s: byte %#x is %#x, was %#x", name, i, e.Image[i], want[i])
			}
		}
	}
}

func TestHostileJournal(t *testing.T) {
	bases := make(map[string][]byte)
	names := make(map[string]bool)
	for _, c := range Some(10, hostileLogs()) {
		if bases[c.image] == nil {
			bases[c.image], _ = CrashBytes(t, "journal/"+c.image)
		}
		if names[c.name] {
			t.Errorf("%s: twice", c.name)
		}
		names[c.name] = true
		if bytes.Equal(c.make(t), bases[c.image]) {
			t.Errorf("%s: nothing was damaged", c.name)
		}
	}
	if got := len(Some(10, HostileJournalNames())); got != len(names) {
		t.Errorf("%d names, %d cases", got, len(names))
	}
}
