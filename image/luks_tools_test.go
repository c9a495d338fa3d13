package image

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extscope/extscope/ext/exttest"
)

// The volume key is the one that cryptsetup tells, whatever it was told to make: by each
// key of the volume.
func TestLUKSAgainstCryptsetup(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	keys := map[string]string{one: "first\nkey", two: "second"}
	for path, key := range keys {
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const v1 = "--type luks1 --pbkdf-force-iterations 1000 "
	const quick = " --pbkdf-force-iterations 4 --pbkdf-memory 32 --pbkdf-parallel 1"
	for i, args := range exttest.Some(4, []string{
		v1 + "-c aes-xts-plain64 -s 512 --hash sha512",
		v1 + "-c aes-xts-plain -s 256 --hash sha1",
		v1 + "-c aes-cbc-plain64 -s 192 --hash ripemd160",
		v1 + "-c aes-cbc-essiv:sha256 -s 256 --hash sha256",
		"--type luks2 -c aes-xts-plain64 -s 512 --pbkdf argon2id" + quick,
		"--type luks2 -c aes-cbc-essiv:sha256 -s 256 --pbkdf argon2i --sector-size 1024" + quick,
		"--type luks2 -c aes-cbc-plain -s 128 --pbkdf pbkdf2 --hash sha1 --pbkdf-force-iterations 1000 --luks2-metadata-size 64k",
		"--type luks2 --pbkdf argon2id --pbkdf-force-iterations 5 --pbkdf-memory 70000 --pbkdf-parallel 3 --sector-size 4096",
	}) {
		path := sparseFile(t, fmt.Sprint("luks", i), 20*mib)
		command(t, "", "cryptsetup", append(append([]string{"-q", "luksFormat", "--key-file", one}, strings.Fields(args)...), path)...)
		command(t, "", "cryptsetup", append([]string{"-q", "luksAddKey", "--key-file", one, path, two}, strings.Fields("--pbkdf pbkdf2 --pbkdf-force-iterations 1000")...)...)
		master := path + ".key"
		command(t, "", "cryptsetup", "-q", "luksDump", "--dump-volume-key", "--volume-key-file", master, "--key-file", two, path)
		want, err := os.ReadFile(master)
		if err != nil {
			t.Fatal(err)
		}
		im := mustOpen(t, path)
		h, err := readLUKS(im, im.Size())
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		for _, key := range keys {
			if got, err := h.unlock(im, []byte(key), newKDFBudget(0)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: by %q %x, want %x, %v", args, key, got, want, err)
			}
		}
		// Priorities say in which order slots are tried.
		if strings.Contains(args, "luks2") {
			command(t, "", "cryptsetup", "config", path, "--key-slot", "1", "--priority", "prefer")
			h, err := readLUKS(im, im.Size())
			if err != nil || len(h.slots) != 2 || h.slots[0].name != "1" {
				t.Errorf("%s: slots %+v, %v", args, h, err)
			}
			command(t, "", "cryptsetup", "config", path, "--key-slot", "1", "--priority", "ignore")
			if h, err = readLUKS(im, im.Size()); err != nil || len(h.slots) != 2 || h.slots[1].name != "1" {
				t.Errorf("%s: slots %+v, %v", args, h, err)
			}
		}
	}
}

// qemuLUKS encrypts a file as qemu does. It measures the processor to choose a count of
// iterations, and where that was away in between it gives up: then it is asked again.
func qemuLUKS(t *testing.T, options, from, to string) {
	t.Helper()
	args := []string{"convert", "-f", "raw", "-O", "luks", "--object", "secret,id=s,data=extscope", "-o", "key-secret=s,iter-time=10," + options, from, to}
	for range 20 {
		out, err := exec.Command(exttest.Tool(t, "qemu-img"), args...).CombinedOutput()
		switch {
		case err == nil:
			return
		case !bytes.Contains(out, []byte("Unable to get accurate CPU usage")):
			t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	t.Fatal("qemu-img could not measure the processor 20 times")
}

// What qemu encrypts is decrypted.
func TestLUKSAgainstQemu(t *testing.T) {
	raw := randomBytes(3*mib+512, 5)
	path := tempFile(t, "raw", raw)
	for i, o := range exttest.Some(3, []string{
		"cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha256",
		"cipher-alg=aes-128,cipher-mode=xts,ivgen-alg=plain,hash-alg=sha1",
		"cipher-alg=aes-256,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=sha512",
		"cipher-alg=aes-256,cipher-mode=cbc,ivgen-alg=plain64,hash-alg=ripemd160",
		"cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=plain,hash-alg=sha256",
	}) {
		out := filepath.Join(t.TempDir(), fmt.Sprint("luks", i))
		qemuLUKS(t, o, path, out)
		im, _ := withKey(t, "extscope", out)
		table := volumesOf(t, im)
		if len(table.Partitions) != 2 {
			t.Errorf("%s:\n%s%+v", o, outline(table), table.Partitions[0].Warnings)
			continue
		}
		r := im.Section(table.Partitions[1])
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %d bytes of %d, %v", o, len(got), len(raw), err)
		}
		readsAlike(t, r)
	}
}
