package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
)

// A knownList holds the digests of known files, one behind the other and sorted, for each
// algorithm.
type knownList struct {
	digests map[string][]byte // by algorithm
	lines   uint64            // that held a digest
}

// digestBytes are how long digests are. Lists do not say what theirs are: the length does.
var digestBytes = map[string]int{"md5": md5Size, "sha1": sha1Size, "sha256": sha256Size}

const md5Size, sha1Size, sha256Size = 16, 20, 32

// readKnown reads a list of digests: one a line, alone or as md5sum, sha256sum, openssl and
// "md5 -r" write them, or the CSV of the NSRL.
func readKnown(name string) (*knownList, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	k := &knownList{digests: map[string][]byte{}}
	r := bufio.NewReaderSize(f, 1<<20)
	if head, _ := r.Peek(4096); isNSRL(head) {
		err = k.readCSV(r)
	} else {
		err = k.readLines(r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if k.lines == 0 {
		return nil, fmt.Errorf("%s: holds no MD5, SHA-1 or SHA-256 digest", name)
	}
	for a := range k.digests {
		k.digests[a] = sortDigests(k.digests[a], digestBytes[a])
	}
	return k, nil
}

// isNSRL tells by the first line whether a list is CSV with a column of digests.
func isNSRL(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.Contains(line, []byte(",")) && slices.ContainsFunc(strings.Split(string(line), ","), func(s string) bool { return csvDigest(s) != "" })
}

// csvDigest gives the algorithm of a column by its title, as NSRL writes it.
func csvDigest(title string) string {
	switch strings.ToLower(strings.Trim(strings.TrimPrefix(title, "\ufeff"), "\" \r\t")) {
	case "sha-256", "sha256":
		return "sha256"
	case "sha-1", "sha1":
		return "sha1"
	case "md5":
		return "md5"
	}
	return ""
}

// readCSV reads one column: that of the longest digest.
func (k *knownList) readCSV(r io.Reader) error {
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.ReuseRecord, c.LazyQuotes = -1, true, true
	titles, err := c.Read()
	if err != nil {
		return err
	}
	at, algorithm := -1, ""
	for i, t := range titles {
		if a := csvDigest(t); a != "" && (at < 0 || digestBytes[a] > digestBytes[algorithm]) {
			at, algorithm = i, a
		}
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if at < len(row) && len(row[at]) == 2*digestBytes[algorithm] {
			k.add(row[at])
		}
	}
}

func (k *knownList) readLines(r *bufio.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		word, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), `\`), " ")
		if !k.add(word) { // "MD5 (name) = digest"
			k.add(line[strings.LastIndexAny(line, "= ")+1:])
		}
	}
	return lines.Err()
}

// add adds a digest in hexadecimal, if that is what word is.
func (k *knownList) add(word string) bool {
	for a, n := range digestBytes {
		if len(word) != 2*n {
			continue
		}
		b, err := hex.AppendDecode(k.digests[a], []byte(word))
		if err != nil {
			return false
		}
		k.digests[a] = b
		k.lines++
		return true
	}
	return false
}

// A flatDigests sorts digests of n bytes that lie one behind the other.
type flatDigests struct {
	b    []byte
	n    int
	swap []byte
}

func (d *flatDigests) at(i int) []byte    { return d.b[i*d.n:][:d.n] }
func (d *flatDigests) Len() int           { return len(d.b) / d.n }
func (d *flatDigests) Less(i, j int) bool { return bytes.Compare(d.at(i), d.at(j)) < 0 }
func (d *flatDigests) Swap(i, j int) {
	copy(d.swap, d.at(i))
	copy(d.at(i), d.at(j))
	copy(d.at(j), d.swap)
}

func sortDigests(b []byte, n int) []byte {
	sort.Sort(&flatDigests{b, n, make([]byte, n)})
	return b
}

// algorithms are those that the list has digests of.
func (k *knownList) algorithms() (out []string) {
	for _, a := range algorithms {
		if k.digests[a.key] != nil {
			out = append(out, a.key)
		}
	}
	return out
}

func (k *knownList) len() uint64 { return k.lines }

// has reports whether one of a file's digests is in the list.
func (k *knownList) has(set *digestSet, sums [][]byte) bool {
	for i, a := range set.list {
		list := flatDigests{b: k.digests[a.key], n: len(sums[i])}
		at := sort.Search(list.Len(), func(at int) bool { return bytes.Compare(list.at(at), sums[i]) >= 0 })
		if at < list.Len() && bytes.Equal(list.at(at), sums[i]) {
			return true
		}
	}
	return false
}
