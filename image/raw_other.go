//go:build !linux

package image

import "io/fs"

// Other systems tell nothing of holes, or tell it otherwise.
func hasHoles(fs.FileInfo) bool { return false }

func (s *holedFile) nextData(int64) (int64, bool) { return 0, false }
func (s *holedFile) nextHole(int64) (int64, bool) { return 0, false }
