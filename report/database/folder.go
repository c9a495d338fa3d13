package database

import (
	"errors"
	"os"

	"github.com/extscope/extscope/report"
)

// A folder is CSV files being written, one a table.
type folder struct {
	files  []*os.File
	sheets []*report.Sheet
}

// CreateFolder makes NAME.csv for each table in a folder, none of which may be there yet.
// Times are RFC 3339 there, in one column.
func CreateFolder(root *os.Root, tables []Table) (Sink, error) {
	f := &folder{}
	for _, t := range tables {
		file, err := root.OpenFile(t.Name+".csv", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		var columns []report.Column
		for _, c := range t.Columns {
			columns = append(columns, report.Column{Key: c.Name})
		}
		f.files = append(f.files, file)
		f.sheets = append(f.sheets, report.NewSheet(file, columns))
	}
	return f, nil
}

func (f *folder) Add(table int, row report.Row) error { return f.sheets[table].Add(row) }

func (f *folder) Close() error {
	var errs []error
	for i, file := range f.files {
		errs = append(errs, f.sheets[i].Flush(), file.Close())
	}
	return errors.Join(errs...)
}
