package image

import (
	"io/fs"
	"os"
)

// foreign are the forms of evidence that are known and not read.
var foreign = map[string]bool{
	"Ex01 image": true, "L01 image": true, "Lx01 image": true, "AD encrypted image": true,
	"AFF image": true, "AFF4 image": true, "dmg image": true, "e2image file": true,
}

// probeForeign refuses evidence of a form that is not read, naming what converts it.
func probeForeign(f *os.File, info fs.FileInfo, name string, _ Options) (*Image, error) {
	s := &signatures{r: f, size: info.Size()}
	c := s.signature()
	if !foreign[c.Type] {
		return nil, errWrongType
	}
	return nil, &FormatError{Name: name, Format: c.Type, Offset: -1, What: "is not read", Hint: c.Detail}
}
