package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
)

// A journalHead begins the journal: which evidence, and what was asked for.
type journalHead struct {
	Recovery   string `json:"extscope_recover"` // the file system's UUID
	ImageSize  int64  `json:"image_size"`
	Offset     int64  `json:"offset"`
	Volume     string `json:"volume,omitempty"` // UUID of the one it lies in
	Superblock uint64 `json:"inodes"`           // the number of inodes tells former file systems apart
	Arguments  string `json:"arguments"`
}

// A journalRow is one file that was finished, or a folder that was made.
type journalRow struct {
	Key    string   `json:"key,omitempty"`
	Output string   `json:"output,omitempty"`
	Size   uint64   `json:"size,omitempty"`
	SHA256 string   `json:"sha256,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	Error  string   `json:"error,omitempty"`
	Folder string   `json:"folder,omitempty"`
}

// readJournal reads what an unfinished run left, if there is one.
func (d *recoverDir) readJournal() error {
	info, err := d.root.Lstat(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return usagef("%s/%s is no file of a recovery: choose another folder", d.name, journalName)
	}
	f, err := d.root.Open(journalName)
	if err != nil {
		return &usageError{err}
	}
	defer f.Close()
	const longest = 1 << 20
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, longest)
	if !lines.Scan() {
		d.resume = true // it ended before the first line
		return nil
	}
	var head journalHead
	switch err := json.Unmarshal(lines.Bytes(), &head); {
	case err != nil || head.Recovery == "":
		return usagef("%s/%s is no file of a recovery: choose another folder", d.name, journalName)
	case head.Recovery != d.head.Recovery || head.ImageSize != d.head.ImageSize || head.Offset != d.head.Offset || head.Volume != d.head.Volume || head.Superblock != d.head.Superblock:
		return usagef("%s holds a recovery of other evidence that is not finished: choose another folder", d.name)
	case head != d.head:
		return usagef("%s holds a recovery that is not finished and was asked for in other words (%s): choose another folder, or call it the same way", d.name, head.Arguments)
	}
	d.resume = true
	for lines.Scan() {
		var row journalRow
		if json.Unmarshal(lines.Bytes(), &row) != nil {
			continue // cut off in the middle
		}
		switch {
		case row.Key != "":
			d.rows[row.Key] = row
		case row.Folder != "":
			d.folders[row.Folder] = true
		}
	}
	return nil
}

// Rows pile up until they have so many bytes, or tell of files that have. Those that are
// lost with a run are of files that the next one writes anew and finds there already.
const journalPiece, journalOwed = 8 << 10, 1 << 20

// put adds a line to the journal.
func (d *recoverDir) put(row journalRow) error {
	b, err := json.Marshal(row)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rest = append(append(d.rest, b...), '\n')
	d.owed += row.Size
	// A folder, or a file without a sum, is not known again.
	if len(d.rest) < journalPiece && d.owed < journalOwed && row.SHA256 != "" {
		return nil
	}
	return d.flush()
}

// flush writes the rows that piled up.
func (d *recoverDir) flush() error {
	_, err := d.journal.Write(d.rest)
	d.rest, d.owed = d.rest[:0], 0
	return err
}
